/**
 * Has the process that replicates a database make a snapshot now. An order lies beside the questions (`ask.ts`):
 *
 *     <state>/asks/<16 hex digits>.order          {"order": "snapshot", "replicas": [names], "urls": [of each]}; without
 *                                                 names: all, without URLs: by name; removed when done
 *     <state>/asks/<16 hex digits>.order.answer   {"results": [...]}, for who gave it to take away
 */
import { hex } from "../base/bytes.ts";
import { ReplicationError } from "../base/errors.ts";
import { replaceFile } from "../platform/atomic_write.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { withOwner } from "../platform/owned_files.ts";
import type { Platform } from "../platform/platform.ts";
import { formatPosition, parsePosition, type Position } from "../position/position.ts";
import { ANSWER_SUFFIX, asksPath, isServed, removeUnlessGone } from "./ask.ts";

const NAME_BYTES = 8;
const LOOK_AGAIN_MS = 50;
const LOOK_WHETHER_SERVED_MS = 200;

export interface SnapshotOrder {
  /** Undefined: every one. */
  readonly replicas: readonly OrderedReplica[] | undefined;
}

export interface OrderedReplica {
  readonly name: string;
  /** Absent in the order of an earlier version. */
  readonly url?: string;
}

export interface SnapshotResult {
  readonly replica: string;
  /** Of the snapshot; absent when there is none. */
  readonly position?: Position;
  readonly problem?: string;
  /** Whether trying again may help. */
  readonly mayPass?: boolean;
}

/** `none`: no process answers there, or the one that did has ended, or nobody has the order any more. */
export type Ordered =
  | { readonly kind: "done"; readonly results: readonly SnapshotResult[] }
  | { readonly kind: "none" };

export function isOrder(name: string): boolean {
  return /^[0-9a-f]{16}\.order$/.test(name);
}

export function formatOrder({ replicas }: SnapshotOrder): string {
  const names = replicas?.map(({ name }) => name);
  const urls = replicas?.flatMap(({ url }) => url ?? []);
  return `${JSON.stringify({ order: "snapshot", replicas: names, ...(urls?.length === names?.length && { urls }) })}\n`;
}

/** Undefined for what this version does not understand. */
export function parseOrder(text: string | undefined): SnapshotOrder | undefined {
  try {
    const { order, replicas: names, urls } = JSON.parse(text ?? "");
    if (order !== "snapshot") return undefined;
    if (names === undefined) return { replicas: undefined };
    if (!isTexts(names) || (urls !== undefined && (!isTexts(urls) || urls.length !== names.length))) return undefined;
    const urlOf = (slot: number) => urls === undefined ? {} : { url: urls[slot] };
    return { replicas: names.map((name, slot) => ({ name, ...urlOf(slot) })) };
  } catch {
    return undefined;
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

export function formatResults(results: readonly SnapshotResult[]): Record<string, unknown> {
  return {
    results: results.map(({ position, ...result }) => ({
      ...result,
      ...(position === undefined ? {} : { position: formatPosition(position) }),
    })),
  };
}

export function parseResults(text: string | undefined): readonly SnapshotResult[] | undefined {
  try {
    const { results } = JSON.parse(text ?? "");
    return Array.isArray(results) ? results.map(parseResult) : undefined;
  } catch {
    return undefined;
  }
}

function parseResult({ replica, position, problem, mayPass }: Record<string, unknown>): SnapshotResult {
  const parsed = typeof position === "string" ? parsePosition(position) : undefined;
  return {
    replica: String(replica),
    ...(parsed === undefined
      ? { problem: String(problem ?? "it does not say what became of it") }
      : { position: parsed }),
    mayPass: mayPass === true,
  };
}

const NOT_UNDERSTOOD: readonly SnapshotResult[] = [{
  replica: "",
  problem: "the answer of the process that replicates it is not understood",
}];

/** Waits for as long as that process lives and has the order: a snapshot takes what it takes. */
export async function orderSnapshot(
  { clock, files, random }: Pick<Platform, "clock" | "files" | "random">,
  statePath: string,
  order: SnapshotOrder,
  signal: AbortSignal,
  userId: number | undefined,
): Promise<Ordered> {
  const folder = asksPath(statePath);
  if (!isServed(files, folder)) return { kind: "none" };
  const path = `${folder}/${hex(random.bytes(NAME_BYTES))}.order`;
  const status = files.linkStatus(folder);
  // That process reads it as its own user.
  const own = userId === 0 && status !== undefined ? withOwner(files, status.owner, status.group) : files;
  await replaceFile(own, path, new TextEncoder().encode(formatOrder(order)));
  let lookedMs = clock.monotonicMs();
  try {
    while (!signal.aborted) {
      const isPending = isThere(files, path); // Asked first: the order goes when its answer is there.
      const text = files.readText(`${path}${ANSWER_SUFFIX}`);
      if (text !== undefined) return { kind: "done", results: parseResults(text) ?? NOT_UNDERSTOOD };
      if (!isPending) return { kind: "none" };
      await clock.sleep(LOOK_AGAIN_MS, signal);
      if (clock.monotonicMs() - lookedMs < LOOK_WHETHER_SERVED_MS) continue;
      lookedMs = clock.monotonicMs();
      if (!isServed(files, folder)) return { kind: "none" };
    }
    throw new ReplicationError(
      "cancelled",
      "Cannot wait for the snapshot: it was interrupted (it is made all the same)",
    );
  } finally {
    for (const name of [path, `${path}${ANSWER_SUFFIX}`]) if (isThere(files, name)) removeUnlessGone(files, name);
  }
}

function isThere(files: FileSystem, path: string): boolean {
  return files.linkStatus(path) !== undefined;
}
