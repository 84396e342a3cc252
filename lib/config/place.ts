import { limits } from "../base/limits.ts";
import { basename, dirname, join } from "../base/path.ts";
import { unlessLate } from "../platform/clock.ts";
import type { FileStatus, FileSystem } from "../platform/file_system.ts";
import type { Platform } from "../platform/platform.ts";

/**
 * What a path leads to, whatever it is called: the part that exists is known by device and inode, behind links and bind
 * mounts, and what is still missing below it by its names.
 */
export interface Place {
  readonly key: string;
  /** The keys of every folder around it, and its own. */
  readonly around: ReadonlySet<string>;
}

type Looks = Pick<FileSystem, "status" | "realPath">;

const SEES_NOTHING: Looks = { status: () => undefined, realPath: (path) => path };

/**
 * The same for the path of a replica, whose device may hang: then its names have to do, and whoever needs the replica says
 * what is wrong.
 */
export async function placeOfReplica(
  { files, clock }: Pick<Platform, "files" | "clock">,
  path: string,
): Promise<Place> {
  const looks = await unlessLate(clock, limits.deviceGlanceMs, lookLater(files, path).catch(() => SEES_NOTHING));
  return placeOf(looks?.value ?? SEES_NOTHING, path);
}

/** What `placeOf` will ask of that path, found out off the event loop. */
async function lookLater(files: FileSystem, path: string): Promise<Looks> {
  const seen = new Map<string, FileStatus | undefined>();
  const look = async (at: string) => {
    seen.set(at, await files.statusLater(at).catch(() => undefined));
    return seen.get(at);
  };
  let existing = path;
  while (await look(existing) === undefined && dirname(existing) !== existing) existing = dirname(existing);
  const real = await files.realPathLater(existing);
  for (let folder = real; !seen.has(folder); folder = dirname(folder)) await look(folder);
  return { status: (at) => seen.get(at), realPath: () => real };
}

export function placeOf(files: Looks, path: string): Place {
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
function realPathOf(files: Looks, path: string): string {
  const parent = dirname(path);
  if (statusOf(files, path) !== undefined) return files.realPath(path);
  return parent === path ? path : join(realPathOf(files, parent), basename(path));
}

function keyOf(files: Looks, path: string): string {
  const status = statusOf(files, path);
  if (status !== undefined) return status.identity;
  const parent = dirname(path);
  return parent === path ? path : `${keyOf(files, parent)}/${basename(path)}`;
}

function statusOf(files: Looks, path: string): { identity: string } | undefined {
  try {
    return files.status(path);
  } catch {
    return undefined; // Not to be looked at: its name has to do. Whoever needs it will say what is wrong.
  }
}
