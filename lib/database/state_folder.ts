/**
 * The state beside a database:
 *
 *     version       "1", the format of this folder
 *     lock          held by the one process that may use it
 *     generation    the current generation, when and why it began, one fact a line
 *     boot          the boot of the machine that the shadow WAL was last written under
 *     database      "1", the file that was captured (device:inode), and when it was made; with "unknown" before these where
 *                   nothing that stands there is proof
 *     seen          how that file looked when it was last known to hold what is captured (`seen_file.ts`)
 *     replicas      places that were written to, one a line
 *     shadow/<generation>/...
 *     pages-<generation>       the page table (`lib/pages/page_table_header.ts`)
 *     latest                   the time that the newest snapshot was given
 *     not-before               the time that nothing of the current generation is given less of
 *     replica-<crc of place>   what a host keeps in mind of a replica that it cannot read
 *     proof-<crc of place>     what `verify` found of a replica last, and when it was proven last
 *     asks/                    questions about the database, and answers to them (`lib/daemon/ask.ts`)
 *     events, events.old       what happened (`event_log.ts`)
 *     catch-up-<crc of place>  pages on their way to a replica that is behind; gone at the next start
 *
 * Folders 0700, files 0600, owned as the database's when run as root. A symbolic link or a foreign owner is refused.
 */
import { limits } from "../base/limits.ts";
import { commandLine } from "../base/command_line.ts";
import { checksumName } from "../base/crc32c.ts";
import { ReplicationError } from "../base/errors.ts";
import { isFuture } from "../base/future.ts";
import { basename, dirname, join } from "../base/path.ts";
import { product } from "../base/product.ts";
import { replaceFile } from "../platform/atomic_write.ts";
import type { FileLock, FileStatus, FileSystem } from "../platform/file_system.ts";
import { nameKind } from "../platform/file_kind.ts";
import { lockHolder } from "../platform/open_files.ts";
import { withOwner } from "../platform/owned_files.ts";
import { type Generation, parseGeneration } from "../position/generation.ts";
import { formatSeen, isUnwritten } from "./seen_file.ts";

const STATE_VERSION = "1";
/** Of the line in `database`. */
const DATABASE_RECORD_VERSION = "1";
const UNKNOWN_DATABASE = `${DATABASE_RECORD_VERSION} unknown`;
const PAGES_PREFIX = "pages-";
const SCRATCH_PREFIX = "catch-up-";
/** What the one process that uses the folder knows by heart, and writes again where somebody has removed it. */
const KEPT_NAMES: readonly string[] = ["version", "generation", "boot", "database", "replicas", "latest", "not-before"];
const BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id";

/** The default place, by a database's path. */
function besideDatabase(path: string): string {
  return join(dirname(path), `.${basename(path)}-${product.name}`);
}

/** One database, one state, by whatever link it is reached: a default place is beside the file itself. */
export function realStatePath(statePath: string, path: string, real: string): string {
  return statePath === besideDatabase(path) ? besideDatabase(real) : statePath;
}

/** What a state folder says of its generation, also for those who only look and take no lock. */
export function readGenerationRecord(files: FileSystem, statePath: string): GenerationRecord | undefined {
  const [name = "", beganAt = "", reason = ""] = (files.readText(`${statePath}/generation`) ?? "").split("\n");
  const generation = parseGeneration(name);
  return generation === undefined ? undefined : { generation, beganAt, reason };
}

/** Places that replicas were written to, also for those who only look. */
export function readReplicaPlaces(files: FileSystem, statePath: string): readonly string[] {
  return placesIn(files.readText(`${statePath}/replicas`));
}

function placesIn(text: string | undefined): readonly string[] {
  return (text ?? "").split("\n").filter((line) => line !== "");
}

export interface GenerationRecord {
  readonly generation: Generation;
  readonly beganAt: string;
  readonly reason: string;
}

export class StateFolder {
  readonly path: string;
  readonly #files: FileSystem;
  readonly #lock: FileLock;
  readonly #identity: string;
  readonly #kept = new Map<string, string>();
  #remembering: Promise<void> = Promise.resolve();

  private constructor(files: FileSystem, path: string, lock: FileLock) {
    this.#files = files;
    this.path = path;
    this.#lock = lock;
    this.#identity = this.#look();
  }

  /** Makes it where it is missing, checks it, and takes the lock; `busy` when another process has it. */
  static async open(
    system: FileSystem,
    path: string,
    database: FileStatus,
    user: number | undefined,
  ): Promise<StateFolder> {
    const found = system.linkStatus(path);
    if (found !== undefined) refuseForeign(path, found, database, user);
    const files = user === 0 ? withOwner(system, database.owner, database.group) : system;
    files.makeFolder(path);
    const lock = whole(path, () => files.tryLock(`${path}/lock`));
    if (lock === undefined) {
      const holder = lockHolder(`${path}/lock`);
      const who = holder === undefined ? "another process" : `process ${holder}`;
      throw new ReplicationError(
        "busy",
        `Cannot use the state folder ${path}: ${who} replicates this database`,
        holder === undefined ? {} : { advice: commandLine(["ps", "-fp", String(holder)]) },
      );
    }
    try {
      const state = new StateFolder(files, path, lock);
      await state.#checkVersion();
      expectFolder(files, state.shadowPath);
      files.makeFolder(state.shadowPath);
      for (const name of files.list(path)) if (name.startsWith(SCRATCH_PREFIX)) files.remove(`${path}/${name}`);
      state.#learn();
      return state;
    } catch (error) {
      lock.release();
      throw damageOf(path, error);
    }
  }

  /** The file system by which everything in this folder is made. */
  get files(): FileSystem {
    return this.#files;
  }

  get shadowPath(): string {
    return `${this.path}/shadow`;
  }

  pagesPath(generation: Generation): string {
    return `${this.path}/${PAGES_PREFIX}${generation}`;
  }

  scratchPath(place: string): string {
    return `${this.path}/${SCRATCH_PREFIX}${checksumName(place)}`;
  }

  /** Whether the folder that was opened is still the one under its name. */
  isStillThere(): boolean {
    return this.#look() === this.#identity;
  }

  /** Writes again what was removed while it is in use; its names. Others read it: without it they would wait in vain. */
  restoreMissing(): Promise<readonly string[]> {
    return this.#oneAfterTheOther(async () => {
      const missing = [...this.#kept].filter(([name]) => this.#files.linkStatus(`${this.path}/${name}`) === undefined);
      for (const [name, text] of missing) await this.#replace(name, text);
      return missing.map(([name]) => name);
    });
  }

  current(): GenerationRecord | undefined {
    return readGenerationRecord(this.#files, this.path);
  }

  async setCurrent(record: GenerationRecord): Promise<void> {
    const text = `${record.generation}\n${record.beganAt}\n${record.reason}\n`;
    await this.#oneAfterTheOther(() => this.#replace("generation", text));
  }

  /** Whether this machine has been running since the state was last written. */
  isSameBoot(): boolean {
    const now = this.#files.readText(BOOT_ID_PATH);
    return now !== undefined && now === this.#files.readText(`${this.path}/boot`);
  }

  rememberBoot(): Promise<void> {
    return this.#oneAfterTheOther(async () => {
      if (!this.isSameBoot()) await this.#replace("boot", this.#files.readText(BOOT_ID_PATH) ?? "unknown\n");
    });
  }

  /** Whether this is the database file that was captured; "unknown" in a state that does not say. */
  compareDatabase(found: FileStatus): "same" | "other" | "unknown" {
    const known = this.#kept.get("database");
    if (known === databaseRecord(found)) return "same";
    const isReadable = known !== undefined && known.startsWith(`${DATABASE_RECORD_VERSION} `);
    return isReadable && !known.startsWith(UNKNOWN_DATABASE) ? "other" : "unknown";
  }

  /** Whether another file had the database's name when one was captured last. */
  hasReplaced(found: FileStatus): boolean {
    const last = this.#kept.get("database")?.replace(UNKNOWN_DATABASE, DATABASE_RECORD_VERSION).trim();
    const isKnown = last?.startsWith(`${DATABASE_RECORD_VERSION} `) === true;
    return isKnown && last !== databaseRecord(found).trim();
  }

  /** What is captured stands for this file from now on. */
  rememberDatabase(found: FileStatus): Promise<void> {
    return this.#oneAfterTheOther(async () => {
      if (this.compareDatabase(found) !== "same") await this.#replace("database", databaseRecord(found));
    });
  }

  /** What stands under the database's name is no proof any more, whichever file it is, until `rememberDatabase()`. */
  forgetDatabase(): Promise<void> {
    return this.#oneAfterTheOther(async () => {
      const known = this.#kept.get("database") ?? "";
      if (known.startsWith(UNKNOWN_DATABASE)) return;
      await this.#replace(
        "database",
        `${UNKNOWN_DATABASE}${known.slice(DATABASE_RECORD_VERSION.length).trimEnd()}\n`,
      );
    });
  }

  /** Whether it is shown that nobody has written into the database file since it was known to hold what is captured. */
  isUnwritten(found: FileStatus): boolean {
    return this.isSameBoot() && isUnwritten(this.#files.readText(`${this.path}/seen`), found);
  }

  /** The database file, which looks like this, holds what is captured. */
  async rememberSeen(found: FileStatus, nowMs: number): Promise<void> {
    if (!this.isUnwritten(found)) await this.#replace("seen", formatSeen(found, nowMs));
  }

  /** As it is known here: a file that somebody has removed says nothing. */
  replicas(): readonly string[] {
    return placesIn(this.#kept.get("replicas"));
  }

  rememberReplica(place: string): Promise<void> {
    return this.#oneAfterTheOther(async () => {
      const known = this.replicas();
      if (!known.includes(place)) await this.#replace("replicas", [...known, place, ""].join("\n"));
    });
  }

  /** The time that the newest snapshot of this database was given, whatever the clock says now; -1 without one. */
  latestTimeMs(): number {
    return this.#timeIn("latest");
  }

  rememberTime(ms: number, nowMs: number): Promise<void> {
    return this.#oneAfterTheOther(async () => {
      const latest = this.latestTimeMs();
      if (ms > latest || isFuture(latest, nowMs)) await this.#replace("latest", `${ms}\n`);
    });
  }

  notBeforeMs(): number {
    return this.#timeIn("not-before");
  }

  setNotBefore(ms: number): Promise<void> {
    return this.#oneAfterTheOther(async () => {
      if (ms !== this.notBeforeMs()) await this.#replace("not-before", `${ms}\n`);
    });
  }

  #timeIn(name: string): number {
    const ms = Number(this.#kept.get(name)?.trim());
    return Number.isSafeInteger(ms) && ms <= limits.latestMs ? ms : -1;
  }

  /** What `remember` kept for that place. */
  recall(place: string): string | undefined {
    const [owner, ...lines] = (this.#files.readText(`${this.path}/${memoryName(place)}`) ?? "").split("\n");
    return owner === place ? lines.join("\n") : undefined;
  }

  async remember(place: string, text: string): Promise<void> {
    await this.#replace(memoryName(place), `${place}\n${text}`);
  }

  /** Removes shadow WAL and page table of every generation but the given one. */
  removeOtherGenerations(current: Generation): void {
    for (const name of this.#files.list(this.shadowPath)) {
      if (name !== current && parseGeneration(name) !== undefined) this.#files.removeTree(`${this.shadowPath}/${name}`);
    }
    for (const name of this.#files.list(this.path)) {
      if (name.startsWith(PAGES_PREFIX) && name !== `${PAGES_PREFIX}${current}`) {
        this.#files.remove(`${this.path}/${name}`);
      }
    }
  }

  close(): void {
    this.#lock.release();
  }

  /** Several may have something to remember at once, and what was removed is written again besides. */
  #oneAfterTheOther<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#remembering.then(work);
    this.#remembering = done.then(() => {}, () => {});
    return done;
  }

  #learn(): void {
    for (const name of KEPT_NAMES) {
      const text = this.#files.readText(`${this.path}/${name}`);
      if (text !== undefined) this.#kept.set(name, text);
    }
  }

  #look(): string {
    const status = this.#files.linkStatus(this.path);
    const lock = this.#files.linkStatus(`${this.path}/lock`);
    return `${status?.identity} ${lock?.identity}`;
  }

  async #checkVersion(): Promise<void> {
    const version = this.#files.readText(`${this.path}/version`)?.trim();
    if (version === undefined) await this.#replace("version", `${STATE_VERSION}\n`);
    else if (version !== STATE_VERSION) {
      const named = /^\d{1,9}$/.test(version) ? `version ${version}` : "of no version that can be read";
      throw new ReplicationError(
        "unsupported",
        `Cannot use the state folder ${this.path}: its format is ${named} (should be ${STATE_VERSION})`,
        {
          advice:
            "use the version of the program that wrote it, or move the folder away (the replicas keep their points)",
        },
      );
    }
  }

  /** What could not be written is not known by heart either: it is written the next time. */
  async #replace(name: string, text: string): Promise<void> {
    await replaceFile(this.#files, `${this.path}/${name}`, new TextEncoder().encode(text));
    if (KEPT_NAMES.includes(name)) this.#kept.set(name, text);
  }
}

/** Why what was found under the name of a state folder is not to be used; undefined when it may be. */
export function whyForeign(found: FileStatus, database: FileStatus, user: number | undefined): string | undefined {
  if (found.kind === "link") return "it is a symbolic link (should be a folder)";
  if (found.kind !== "folder") return "it is not a folder";
  if (found.owner === database.owner || found.owner === user) return undefined;
  return `it belongs to user ${found.owner} (should belong to the database's owner, user ${database.owner})`;
}

/** The number of a file that was removed is given to the next one: when it was made tells them apart. */
function databaseRecord({ identity, bornAtMs }: FileStatus): string {
  return `${DATABASE_RECORD_VERSION} ${identity} ${bornAtMs ?? "-"}\n`;
}

/** Two places of one name would only forget each other: the file says whose it is. */
function memoryName(place: string): string {
  return `replica-${checksumName(place)}`;
}

function refuseForeign(path: string, found: FileStatus, database: FileStatus, user: number | undefined): void {
  const what = whyForeign(found, database, user);
  if (what === undefined) return;
  throw new ReplicationError("config-invalid", `Cannot use the state folder ${path}: ${what}`, {
    advice: "move it away, or name another place with meta-path",
  });
}

/** Of a state in which something is damaged, also what to do about it. */
function damageOf(path: string, error: unknown): unknown {
  if (!(error instanceof ReplicationError) || error.code !== "corrupt" || error.advice !== undefined) return error;
  const advice = `move ${path} away: it is made anew (the replicas keep their points)`;
  return new ReplicationError(error.code, error.message, { cause: error, advice });
}

function whole<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw damageOf(path, error);
  }
}

function expectFolder(files: FileSystem, path: string): void {
  const { kind } = files.linkStatus(path) ?? {};
  if (kind === undefined || kind === "folder") return;
  throw new ReplicationError("corrupt", `Cannot open ${path}: it is ${nameKind(kind)}, not a folder`);
}
