/**
 * The one way to open: what is no regular file is closed again and refused. The open waits for nothing, so that a named pipe
 * without a writer, or a terminal, holds up nobody; the open descriptor is what is judged, so that nothing can come in between.
 */
import { ReplicationError } from "../base/errors.ts";
import { type FileKind, nameKind } from "./file_kind.ts";
import { fileError } from "./file_error.ts";
import type { PipeReader } from "./file_system.ts";
import type { OpenMode, SystemCalls } from "./system_calls.ts";

/** What the system refuses to open by itself, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  EISDIR: "a folder",
  ENXIO: "a socket, or a device that is not there",
};

export function openPlain(system: SystemCalls, path: string, mode: OpenMode, permissions: number): number {
  let descriptor: number;
  try {
    descriptor = system.open(path, mode, permissions);
  } catch (error) {
    throw refusalOf(path, error);
  }
  const kind = kindOrClose(system, descriptor);
  if (kind === "file") return descriptor;
  system.close(descriptor);
  throw notAFile(path, nameKind(kind));
}

export async function openPlainLater(
  system: SystemCalls,
  path: string,
  mode: OpenMode,
  permissions: number,
): Promise<number> {
  let descriptor: number;
  try {
    descriptor = await system.openLater(path, mode, permissions);
  } catch (error) {
    throw refusalOf(path, error);
  }
  let kind: FileKind | undefined;
  try {
    kind = await system.kindOfLater(descriptor);
  } finally {
    if (kind !== "file") await system.closeLater(descriptor);
  }
  if (kind === "file") return descriptor;
  throw notAFile(path, nameKind(kind));
}

/** The one thing besides files that is opened, where somebody may name one. */
export function openPipe(system: SystemCalls, path: string): PipeReader {
  const descriptor = system.open(path, "read-named", 0);
  const kind = kindOrClose(system, descriptor);
  if (kind !== "pipe") {
    system.close(descriptor);
    throw new ReplicationError("corrupt", `Cannot open ${path}: it is ${nameKind(kind)}, not a pipe`);
  }
  return {
    read: (into) => {
      try {
        return system.readPipe(descriptor, into);
      } catch (error) {
        if ((error as { code?: unknown }).code === "EAGAIN") return undefined;
        throw fileError("read", path, error);
      }
    },
    close: () => system.close(descriptor),
  };
}

/** Of what stands where a file belongs nothing can be read: what was there is damaged or replaced. */
export function notAFile(path: string, what: string): ReplicationError {
  return new ReplicationError("corrupt", `Cannot open ${path}: it is ${what}, not a file`);
}

function kindOrClose(system: SystemCalls, descriptor: number): FileKind {
  try {
    return system.kindOf(descriptor);
  } catch (error) {
    system.close(descriptor);
    throw error;
  }
}

function refusalOf(path: string, error: unknown): unknown {
  const what = REFUSED[String((error as { code?: unknown }).code)];
  return what === undefined ? error : notAFile(path, what);
}
