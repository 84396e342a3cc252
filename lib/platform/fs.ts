/** The functions of `@std/fs` that scripts and tests use, with the original's signatures; the import map gives them its name. */

import { node } from "./node_modules.ts";

export interface ExistsOptions {
  /** Only when the file may be read. */
  readonly isReadable?: boolean;
  readonly isDirectory?: boolean;
  readonly isFile?: boolean;
}

/** Makes the folder, and those above it, unless it is there. */
export async function ensureDir(dir: string | URL): Promise<void> {
  await Deno.mkdir(dir, { recursive: true }); // An existing folder is no error to it; a file at that path is.
}

/** Follows links. */
export async function exists(path: string | URL, options: ExistsOptions = {}): Promise<boolean> {
  try {
    const status = await Deno.stat(path);
    if (options.isDirectory && !status.isDirectory) return false;
    if (options.isFile && !status.isFile) return false;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  return !options.isReadable || isReadable(path);
}

function isReadable(path: string | URL): boolean {
  try {
    node.fs.accessSync(path, node.fs.constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
