import { basename, dirname, join } from "../base/path.ts";
import type { FileSystem } from "../platform/file_system.ts";

/**
 * What a path leads to, whatever it is called: the part that exists is known by device and inode, behind links and bind
 * mounts, and what is still missing below it by its names.
 */
export interface Place {
  readonly key: string;
  /** The keys of every folder around it, and its own. */
  readonly around: ReadonlySet<string>;
}

export function placeOf(files: FileSystem, path: string): Place {
  const real = realPathOf(files, path);
  const around = new Set<string>();
  for (let folder = real;; folder = dirname(folder)) {
    around.add(keyOf(files, folder));
    if (dirname(folder) === folder) break;
  }
  return { key: keyOf(files, real), around };
}

/** Whether the first lies inside the second or is it. */
export function isInside(inner: Place, outer: Place): boolean {
  return inner.around.has(outer.key);
}

/** The real path of what exists, with the names that are missing after it. */
function realPathOf(files: FileSystem, path: string): string {
  const parent = dirname(path);
  if (statusOf(files, path) !== undefined) return files.realPath(path);
  return parent === path ? path : join(realPathOf(files, parent), basename(path));
}

function keyOf(files: FileSystem, path: string): string {
  const status = statusOf(files, path);
  if (status !== undefined) return status.identity;
  const parent = dirname(path);
  return parent === path ? path : `${keyOf(files, parent)}/${basename(path)}`;
}

function statusOf(files: FileSystem, path: string): { identity: string } | undefined {
  try {
    return files.status(path);
  } catch {
    return undefined; // Not to be looked at: its name has to do. Whoever needs it will say what is wrong.
  }
}
