/** The path that a restore writes to: what stands there, whether it may be written, and how the new file takes its place. */
import { ReplicationError } from "../base/errors.ts";
import { basename, dirname, join, resolve } from "../base/path.ts";
import type { FileStatus, FileSystem } from "../platform/file_system.ts";
import { isMountPoint } from "../platform/mounts.ts";
import type { FileUser } from "../platform/open_files.ts";

const ELSEWHERE = "-o FILE restores elsewhere, --force keeps what is there under another name";

/** As many as Linux follows. */
const LINKS_MAX = 40;

/** What SQLite keeps beside a database; it finds them by name, whatever database they belonged to. */
export const WAL_SUFFIX = "-wal";
export const JOURNAL_SUFFIX = "-journal";
export const SHM_SUFFIX = "-shm";

export interface OutputFacts {
  /** Without symbolic links: SQLite looks for the files beside a database where the database really is. */
  readonly path: string;
  readonly main: FileStatus | undefined;
  readonly walBytes: number;
  readonly journalBytes: number;
  /** Other processes that have one of these files open. */
  readonly users: readonly FileUser[];
  /** Something is mounted at the path itself: nothing can take its place. */
  readonly isMounted: boolean;
  /** A folder in the place of one of the files beside it, which nothing can replace. */
  readonly obstacle?: string;
}

export type OutputDecision =
  /** `keepAside`: what is there is kept under another name. */
  | { readonly kind: "write"; readonly keepAside: boolean }
  | { readonly kind: "refuse"; readonly error: ReplicationError };

export function inspectOutput(
  files: FileSystem,
  whoHasOpen: (path: string) => readonly FileUser[],
  wanted: string,
): OutputFacts {
  const path = files.status(wanted) === undefined
    ? realPlace(files, endOfLinks(files, wanted))
    : files.realPath(wanted);
  const family = ["", WAL_SUFFIX, JOURNAL_SUFFIX, SHM_SUFFIX].map((suffix) => `${path}${suffix}`);
  const users = family.filter((name) => files.status(name) !== undefined).flatMap((name) => [...whoHasOpen(name)]);
  const obstacle = family.slice(1).find((name) => files.linkStatus(name)?.kind === "folder");
  return {
    path,
    ...(obstacle === undefined ? {} : { obstacle }),
    main: files.status(path),
    walBytes: files.status(`${path}${WAL_SUFFIX}`)?.size ?? 0,
    journalBytes: files.status(`${path}${JOURNAL_SUFFIX}`)?.size ?? 0,
    users,
    isMounted: isMountPoint(files, path),
  };
}

/** Where a link leads whose target does not exist yet, as on a fresh volume; the path itself when it is no link. */
function endOfLinks(files: FileSystem, wanted: string): string {
  let path = wanted;
  for (let links = 0; files.linkStatus(path)?.kind === "link"; links++) {
    if (links === LINKS_MAX) {
      throw new ReplicationError("usage", `Cannot restore to ${wanted}: it is a link that leads nowhere`);
    }
    path = resolve(dirname(path), files.readLink(path));
  }
  return path;
}

/** What is at the path is no database: nothing at all, or a file that holds nothing. */
export function isNoDatabase(main: FileStatus | undefined): boolean {
  return main === undefined || (main.kind === "file" && main.size === 0);
}

export function decideOutput(facts: OutputFacts, force: boolean): OutputDecision {
  const { path, main, walBytes, journalBytes, users, isMounted, obstacle } = facts;
  const refuse = (
    code: "usage" | "config-invalid" | "failed" | "busy",
    problem: string,
    advice?: string,
  ): OutputDecision => ({
    kind: "refuse",
    error: new ReplicationError(code, `Cannot restore to ${path}: ${problem}`, advice === undefined ? {} : { advice }),
  });
  if (main?.kind === "folder") return refuse("usage", "it is a folder (expected the path of a file)");
  if (main !== undefined && main.kind !== "file") return refuse("usage", "it is not a regular file");
  if (main !== undefined && isMounted) {
    const problem = "it is mounted as a single file, so nothing can take its place, and its -wal would be another one";
    return refuse("config-invalid", problem, "mount the folder that holds it");
  }
  if (obstacle !== undefined) return refuse("usage", `${obstacle} is a folder (expected a file there, or nothing)`);
  const orphan = walBytes > 0 ? WAL_SUFFIX : journalBytes > 0 ? JOURNAL_SUFFIX : undefined;
  if (isNoDatabase(main) && orphan === undefined && users.length === 0) return { kind: "write", keepAside: false };
  if (!force && !isNoDatabase(main)) return refuse("failed", `it exists already (${ELSEWHERE})`);
  if (!force && orphan !== undefined) {
    const problem = `${path}${orphan} is left of an older database, which SQLite would replay into the restored one`;
    return refuse("failed", `${problem} (${ELSEWHERE})`);
  }
  const [user] = users;
  if (user !== undefined) {
    const problem = `process ${user.pid} (${user.command}) has it open (stop it first)`;
    return refuse("busy", problem, `stop process ${user.pid} (${user.command}), then restore again`);
  }
  return { kind: "write", keepAside: true };
}

/** The path with its folder resolved, as far as there is one. */
function realPlace(files: FileSystem, wanted: string): string {
  const folder = dirname(wanted);
  return files.status(folder) === undefined ? wanted : join(files.realPath(folder), basename(wanted));
}

const ROOT = 0;

/** Makes the folders that are missing; when root makes them, they belong to the owner of the nearest one that was there. */
export function makeFolders(files: FileSystem, path: string): void {
  const parent = dirname(path);
  if (files.status(path) !== undefined || parent === path) return;
  makeFolders(files, parent);
  files.makeFolder(path);
  const owner = files.status(parent);
  if (owner !== undefined && files.status(path)?.owner === ROOT) files.setOwner(path, owner.owner, owner.group);
  files.syncFolder(parent);
}

/**
 * Mode and owner of a file that takes another's place: those of that other one; else 0600 and, when root works, the
 * folder's owner. Returns a sentence when the owner could not be kept.
 */
export function takeAfter(files: FileSystem, path: string, other: FileStatus | undefined): string | undefined {
  files.setMode(path, other?.mode ?? 0o600);
  const own = files.status(path);
  const wanted = other ?? files.status(dirname(path));
  if (own === undefined || wanted === undefined) return undefined;
  if (own.owner === ROOT) files.setOwner(path, wanted.owner, wanted.group);
  else if (other !== undefined && other.owner !== own.owner) {
    return `${path} belongs to user ${own.owner}, no longer to user ${other.owner}: only root can give files away`;
  }
  return undefined;
}
