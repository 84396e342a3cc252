/** What the system says is wrong with a file, as an error of this program. */
import { type ErrorCode, messageOf, ReplicationError } from "../base/errors.ts";

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "not-found",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "denied",
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EFBIG: "no-space",
  EIO: "unavailable",
  ESTALE: "unavailable",
  ETIMEDOUT: "unavailable",
  EHOSTDOWN: "unavailable",
  ENOTCONN: "unavailable",
  EMFILE: "unavailable",
  ENFILE: "unavailable",
  ETXTBSY: "busy",
  EBUSY: "busy",
};

/** Deno leaves `code` undefined for some errors (EFBIG among them) and names only the number in the text. */
const NUMBERS: Readonly<Record<string, string>> = {
  "23": "ENFILE",
  "24": "EMFILE",
  "27": "EFBIG",
  "28": "ENOSPC",
  "122": "EDQUOT",
  "116": "ESTALE",
};

/** What goes by when files are closed, or the limit is raised under a process that runs (prlimit). */
export const TOO_MANY_OPEN_FILES = "too many open files";
export const RAISE_OPEN_FILES = "raise the limit on open files (ulimit -n, or LimitNOFILE= of the systemd unit)";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is nothing at that path",
  ENOTDIR: "a part of the path is a file, not a folder",
  EISDIR: "it is a folder, not a file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would exceed the largest size allowed",
  ELOOP: "it is a symbolic link (which is never followed there)",
  EEXIST: "it exists already",
  EIO: "the device reports an input/output error",
  EMFILE: TOO_MANY_OPEN_FILES,
  ENFILE: "too many open files on the whole system",
};

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: "give the user who runs this access to it, or run this as its owner",
  EPERM: "give the user who runs this access to it, or run this as its owner",
  EROFS: "mount it for writing, or use another place",
  ENOSPC: "make room on its device, or use another place",
  EDQUOT: "remove what is not needed, or have the quota raised",
  EFBIG: "raise the limit on the size of files (ulimit -f)",
  EMFILE: RAISE_OPEN_FILES,
  ENFILE: "raise fs.file-max, or see which program has so many files open",
};

/** Whether what is wrong need not be said anew. Which file was one too many changes with each try. */
export function isSameTrouble(message: string, before: string | undefined): boolean {
  const isOutOfFiles = (text = "") => text.endsWith(TOO_MANY_OPEN_FILES);
  return message === before || (isOutOfFiles(message) && isOutOfFiles(before));
}

export function fileError(act: string, path: string, error: unknown): ReplicationError {
  if (error instanceof ReplicationError) return error;
  const message = messageOf(error);
  const named = (error as { code?: unknown } | null)?.code;
  const errno = typeof named === "string" ? named : NUMBERS[/os error (\d+)/.exec(message)?.[1] ?? ""];
  const reason = (errno === undefined ? undefined : REASONS[errno]) ?? message;
  const advice = ADVICE[errno ?? ""];
  return new ReplicationError(CODES[errno ?? ""] ?? "failed", `Cannot ${act} ${path}: ${reason}`, {
    cause: error,
    ...(advice === undefined ? {} : { advice }),
  });
}

export function translated<T>(act: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fileError(act, path, error);
  }
}

export async function translatedLater<T>(act: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(act, path, error);
  }
}
