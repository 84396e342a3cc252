import { dirname } from "../base/path.ts";
import type { FileSystem } from "./file_system.ts";

/** The only durable replace in the program: draft, write, sync, rename, sync of the folder. */
export async function replaceFile(files: FileSystem, path: string, body: Uint8Array, permissions = 0o600) {
  const draft = `${path}.tmp`;
  const handle = files.open(draft, "create", permissions);
  try {
    handle.truncate(0);
    handle.writeAt(body, 0);
    await handle.sync(); // The bytes must be on disk before the name points at them.
  } finally {
    handle.close();
  }
  files.rename(draft, path);
  files.syncFolder(dirname(path)); // The new name must survive a power cut, too.
}
