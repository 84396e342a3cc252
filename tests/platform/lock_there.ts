/** Called in another process, which then holds the lock until it ends. */
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";

export function lockThere(path: string): boolean {
  return new DenoFileSystem().tryLock(path) !== undefined;
}
