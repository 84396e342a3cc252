import { commandLine } from "../base/command_line.ts";
import { ReplicationError } from "../base/errors.ts";
import { basename, dirname } from "../base/path.ts";
import { isMountPoint } from "../platform/mounts.ts";
import type { FileHandle, FileStatus, FileSystem } from "../platform/file_system.ts";
import { viewOf } from "../base/bytes.ts";

/** Which files stand under the database's three names right now. */
export interface Identity {
  readonly database: string;
  readonly wal: string;
  readonly shm: string;
}

const ABSENT = "absent";

export function identify(files: FileSystem, path: string): Identity {
  return {
    database: identityOf(files.linkStatus(path)),
    wal: identityOf(files.linkStatus(`${path}-wal`)),
    shm: identityOf(files.linkStatus(`${path}-shm`)),
  };
}

function identityOf(status: FileStatus | undefined): string {
  return status?.identity ?? ABSENT;
}

/** What happened to the files since they were opened; undefined when nothing did. */
export function describeChange(opened: Identity, now: Identity, path: string): string | undefined {
  if (opened.database !== now.database) {
    return now.database === ABSENT ? `${path} was deleted or moved away` : `${path} was replaced by another file`;
  }
  for (const [name, before, after] of [["-wal", opened.wal, now.wal], ["-shm", opened.shm, now.shm]] as const) {
    if (before !== after) return `${path}${name} was ${after === ABSENT ? "deleted" : "replaced"} while it was in use`;
  }
  return undefined;
}

/** That the database's name does not mean the file any more that was opened by it. */
export function movedError(files: FileSystem, path: string): ReplicationError {
  const happened = files.linkStatus(path) === undefined
    ? "it was deleted or moved away"
    : "another file has its name now";
  return new ReplicationError("unavailable", `Cannot go on with ${path}: ${happened}`);
}

/** Whether a database can be watched right now: yes, not yet, or no (thrown, with the reason). */
export type Readiness = { readonly kind: "ready" } | { readonly kind: "wait"; readonly reason: string };

const SQLITE_MAGIC = "SQLite format 3\0";
const WRITE_VERSION_AT = 18;
const WAL_VERSION = 2;
const DATABASE_HEADER_SIZE = 100;

/** statfs numbers of NFS, SMB (three kinds) and FUSE: a wal-index there is not coherent between hosts. */
const REMOTE_FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0x6969: "NFS",
  0x517b: "SMB",
  0xff534d42: "CIFS",
  0xfe534d42: "SMB2",
  0x65735546: "FUSE",
};

/** Judges the path alone; nothing is opened. */
export function judgePath(files: FileSystem, path: string): Readiness {
  const status = files.status(path);
  if (status === undefined) return { kind: "wait", reason: "it does not exist yet" };
  if (status.kind === "folder") throw refusal(path, "it is a folder", "name the database file in it");
  if (status.kind !== "file") throw refusal(path, "it is not a regular file");
  if (status.linkCount > 1) {
    throw refusal(
      path,
      "it has several names (hard links), and each would have its own -wal",
      "remove the other names",
    );
  }
  const type = REMOTE_FILE_SYSTEMS[files.fileSystemType(path) >>> 0];
  if (type !== undefined) {
    throw refusal(path, `it is on ${type}, where SQLite's WAL is not safe`, "run it where the file is local");
  }
  if (isMountPoint(files, path)) {
    throw refusal(path, "it is mounted as a single file, so its -wal is another one", "mount the folder that holds it");
  }
  if (!files.mayAccess(path, "read")) throw denied(path, "it cannot be read");
  if (status.size === 0) return { kind: "wait", reason: "it is empty (0 bytes)" };
  return { kind: "ready" };
}

/**
 * Judges the first bytes through the one handle that is kept; undefined when they say nothing and the file may be encrypted.
 */
export function judgeHeader(
  handle: FileHandle,
  path: string,
  mayBeEncrypted: boolean,
): "wal" | "rollback-journal" | undefined {
  const bytes = new Uint8Array(DATABASE_HEADER_SIZE);
  const read = handle.readAt(bytes, 0);
  if (read < DATABASE_HEADER_SIZE || new TextDecoder("latin1").decode(bytes.subarray(0, 16)) !== SQLITE_MAGIC) {
    if (mayBeEncrypted) return undefined;
    throw refusal(path, "it is not a SQLite database");
  }
  return viewOf(bytes).getUint8(WRITE_VERSION_AT) === WAL_VERSION ? "wal" : "rollback-journal";
}

export function rollbackJournalError(path: string): ReplicationError {
  return refusal(
    path,
    "it is in rollback-journal mode (should be in WAL mode, which enable-wal: true in the config sets)",
    commandLine(["sqlite3", path, "PRAGMA journal_mode=WAL"]),
  );
}

/**
 * A connection that cannot write takes no write lock and says nothing. So write access is proven before anything else:
 * database, folder, and `-wal` and `-shm` where they exist.
 */
export function proveWriteAccess(files: FileSystem, path: string, user: number | undefined): Readiness {
  for (const subject of [path, dirname(path), `${path}-wal`, `${path}-shm`]) {
    if (files.status(subject) !== undefined && !files.mayAccess(subject, "write")) {
      throw denied(path, `${basename(subject)} cannot be written, which SQLite's locks need`);
    }
  }
  const owner = files.status(path)?.owner;
  const mayBeFirst = user === undefined || user === 0 || user === owner;
  if (!mayBeFirst && files.status(`${path}-wal`) === undefined) {
    return {
      kind: "wait",
      reason: "another user owns it and has not opened it (being first would lock the owner out)",
    };
  }
  return { kind: "ready" };
}

function refusal(path: string, what: string, advice?: string): ReplicationError {
  return new ReplicationError(
    "config-invalid",
    `Cannot replicate ${path}: ${what}`,
    advice === undefined ? {} : { advice },
  );
}

function denied(path: string, what: string): ReplicationError {
  return new ReplicationError("denied", `Cannot replicate ${path}: ${what}`, {
    advice: "run as the application's user, or give this one read and write access to the database and its folder",
  });
}
