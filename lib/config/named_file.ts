/** A config where somebody has named it: on a device that hangs nobody else waits for it, and a signal ends the wait. */
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Clock, unlessLate } from "../platform/clock.ts";
import type { FileHandle, FileStatus } from "../platform/file_system.ts";
import type { Platform } from "../platform/platform.ts";
import { decodeUtf8 } from "../platform/utf8_text.ts";

type Tools = Pick<Platform, "files" | "clock">;

export function statusInTime({ files, clock }: Tools, path: string, signal?: AbortSignal) {
  return inTime<FileStatus | undefined>(clock, path, files.statusLater(path), signal);
}

/** Its text; undefined when it is larger than any config. Throws `cancelled` once the signal is aborted. */
export async function readNamedConfig(tools: Tools, path: string, signal?: AbortSignal): Promise<string | undefined> {
  const opening = tools.files.openLater(path, "read-named");
  let isGivenUp = false;
  opening.then((file) => isGivenUp ? file.closeLater() : undefined).catch(() => {}); // What comes late is nobody's.
  try {
    const file = await inTime(tools.clock, path, opening, signal);
    return await inTime(tools.clock, path, readToEnd(file, path), signal);
  } catch (error) {
    isGivenUp = true;
    throw error;
  }
}

async function readToEnd(file: FileHandle, path: string): Promise<string | undefined> {
  try {
    const bytes = new Uint8Array(limits.configMaxBytes + 1);
    let size = 0;
    for (let read = -1; read !== 0 && size < bytes.length; size += read) {
      read = await file.readAtLater(bytes.subarray(size), size);
    }
    return size === bytes.length ? undefined : decodeUtf8(bytes.subarray(0, size), path);
  } finally {
    await file.closeLater();
  }
}

async function inTime<T>(clock: Clock, path: string, work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  work.catch(() => {}); // Given up, it may still fail.
  const answered = await unlessLate(clock, limits.configAnswerMaxMs, work, signal);
  if (answered !== undefined) return answered.value;
  if (signal?.aborted) throw new ReplicationError("cancelled", `Cannot read config ${path}: it was interrupted`);
  const problem = `its device has not answered for ${limits.configAnswerMaxMs / 1_000} s`;
  throw new ReplicationError("unavailable", `Cannot read config ${path}: ${problem}`);
}
