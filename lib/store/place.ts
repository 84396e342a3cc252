/**
 * What the folder of a replica holds, judged by names alone before anything in it is believed. PURE. "No backup" is what is
 * absent or empty and nothing else: what is not understood may be the only copy.
 */
import type { ObjectEntry } from "../clients/client.ts";
import type { Generation } from "../position/generation.ts";
import { formatGenerationKey, GENERATIONS_FOLDER, parseGenerationName } from "../position/keys.ts";
import { isDraftName } from "../position/object_names.ts";

/** What was found at the root of a place, and one floor below it. */
export interface PlaceListing {
  readonly isThere: boolean;
  readonly entries: readonly ObjectEntry[];
  /** Folders of the root that were listed, by their names. */
  readonly below: ReadonlyMap<string, readonly ObjectEntry[]>;
  /** Folders that hold objects of Litestream 0.5, by their keys. */
  readonly levels: readonly string[];
}

export type PlaceJudgement =
  /** `reason` completes "Cannot use <place>: ", here and below. */
  | { readonly kind: "absent"; readonly reason: string }
  | { readonly kind: "empty"; readonly reason: string }
  /** Of a kind that is read here; `isBesideForeign`: objects of Litestream 0.5 stand beside it. */
  | { readonly kind: "replica"; readonly isBesideForeign: boolean }
  /** Of Litestream 0.5 alone. */
  | { readonly kind: "foreign"; readonly reason: string }
  /** Something stands where a folder of the replica's belongs. */
  | { readonly kind: "damaged"; readonly reason: string }
  | { readonly kind: "parent"; readonly replicas: readonly string[]; readonly reason: string }
  | { readonly kind: "unknown"; readonly reason: string };

const FOREIGN_FOLDER = "ltx";
const SHOWN_NAMES = 6;
const EXPECTED = "expected a replica, or an empty folder";

export function judgePlace({ isThere, entries, below, levels }: PlaceListing): PlaceJudgement {
  if (!isThere) return { kind: "absent", reason: "the folder does not exist (is it mounted?)" };
  const generations = below.get(GENERATIONS_FOLDER);
  const named = generations?.filter(({ kind, name }) => kind === "folder" && parseGenerationName(name) !== undefined);
  if (named !== undefined && named.length > 0) return { kind: "replica", isBesideForeign: levels.length > 0 };
  if (levels.length > 0) {
    return { kind: "foreign", reason: `it is a replica of Litestream 0.5 (${foreignFolders(levels)})` };
  }
  const instead = entries.find(({ name, kind }) => name === GENERATIONS_FOLDER && kind !== "folder");
  if (instead !== undefined) return { kind: "damaged", reason: notAFolder(GENERATIONS_FOLDER, instead) };
  const [stray] = straysIn(generations ?? []).values();
  if (stray !== undefined) return { kind: "damaged", reason: stray };
  const odd = generations?.filter(({ name }) => !isHarmless(name)) ?? [];
  if (odd.length > 0) {
    const what = `${GENERATIONS_FOLDER}/ holds ${listNames(odd.map(shownName))}, and no generation`;
    return { kind: "unknown", reason: `${what} (${EXPECTED})` };
  }
  if (generations !== undefined) return { kind: "replica", isBesideForeign: false };
  const replicas = entries.filter(({ name }) => holdsReplica(below.get(name))).map(({ name }) => name);
  if (replicas.length > 0) {
    const [verb, noun] = replicas.length === 1 ? ["is", "a replica"] : ["are", "replicas"];
    const where = listNames(replicas.map((name) => `${name}/`));
    return { kind: "parent", replicas, reason: `there ${verb} ${noun} in ${where} below it (expected one replica)` };
  }
  const unknown = entries.filter(({ name, kind }) => !isHarmless(name) && !(kind === "folder" && isLevel(name, below)));
  if (unknown.length === 0) return { kind: "empty", reason: "it is empty" };
  const holds = listNames(unknown.map(shownName));
  return { kind: "unknown", reason: `it holds ${holds}, and nothing of a replica's (${EXPECTED})` };
}

/** Folders of the root that say what the place is when they are looked into. */
export function isTelling(entry: ObjectEntry): boolean {
  return entry.kind === "folder" && !isHarmless(entry.name);
}

/** Whether a folder of the root, or one below `ltx/`, may hold objects of Litestream 0.5: there by level, on S3 in hex. */
export function isForeignLevel(parent: string, name: string): boolean {
  return parent === FOREIGN_FOLDER ? /^\d{1,2}$/.test(name) : parent === "" && /^00[0-9a-f]{2}$/.test(name);
}

export function isForeignFolder(name: string): boolean {
  return name === FOREIGN_FOLDER;
}

/** Where objects of Litestream 0.5 stand, for messages. */
export function foreignFolders(levels: readonly string[]): string {
  return listNames([...new Set(levels.map((key) => `${key.split("/")[0]}/`))]);
}

/** The last transaction of an object of Litestream 0.5; undefined for any other name. */
export function parseForeignName(name: string): string | undefined {
  return /^[0-9a-f]{16}-([0-9a-f]{16})\.ltx$/.exec(name)?.[1];
}

function holdsReplica(entries: readonly ObjectEntry[] | undefined): boolean {
  return entries?.some(({ kind, name }) => kind === "folder" && isReplicaFolder(name)) ?? false;
}

/** Folders at the root of a replica, of this kind or of Litestream 0.5's. */
export function isReplicaFolder(name: string): boolean {
  return name === GENERATIONS_FOLDER || isForeignFolder(name);
}

/** A folder of levels without any object: what Litestream 0.5 leaves when its objects are gone. */
function isLevel(name: string, below: PlaceListing["below"]): boolean {
  const inside = below.get(name) ?? [];
  if (isForeignFolder(name)) return inside.every((entry) => isForeignLevel(name, entry.name) || isHarmless(entry.name));
  return isForeignLevel("", name) && inside.every((entry) => isHarmless(entry.name));
}

/** What file systems, desktops, network stores and synchronisers put into any folder, and drafts of our own. */
const HARMLESS_NAMES: ReadonlySet<string> = new Set([
  "lost+found",
  ".DS_Store",
  ".Spotlight-V100",
  ".Trashes",
  ".fseventsd",
  ".TemporaryItems",
  ".DocumentRevisions-V100",
  ".apdisk",
  ".VolumeIcon.icns",
  "@eaDir",
  "#recycle",
  "#snapshot",
  ".snapshot",
  ".snapshots",
  ".zfs",
  ".directory",
  ".stfolder",
  ".stignore",
  ".stversions",
  ".gitkeep",
  ".keep",
  ".nfs",
  "Thumbs.db",
  "desktop.ini",
  "System Volume Information",
  "$RECYCLE.BIN",
  "aquota.user",
  "aquota.group",
]);

function isHarmless(name: string): boolean {
  return HARMLESS_NAMES.has(name) || /^(\._|\.nfs|\.Trash-|\.fuse_hidden)/.test(name) || isDraftName(name) ||
    name.endsWith(".tmp");
}

/** What has the name of a generation and is no folder, completing a sentence. */
export function straysIn(entries: readonly ObjectEntry[]): ReadonlyMap<Generation, string> {
  return new Map(entries.flatMap((entry) => {
    const generation = entry.kind === "folder" ? undefined : parseGenerationName(entry.name);
    return generation === undefined ? [] : [[generation, notAFolder(formatGenerationKey(generation), entry)]];
  }));
}

function notAFolder(key: string, { oddity = "a file" }: ObjectEntry): string {
  return `${key} is ${oddity}, not a folder`;
}

function shownName({ name, kind }: ObjectEntry): string {
  return kind === "folder" ? `${name}/` : name;
}

function listNames(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN_NAMES);
  if (names.length > shown.length) return `${shown.join(", ")} and ${names.length - shown.length} more`;
  const last = shown.at(-1) ?? "";
  return shown.length < 2 ? last : `${shown.slice(0, -1).join(", ")} and ${last}`;
}
