import { limits } from "../base/limits.ts";
import { basename, dirname, join } from "../base/path.ts";
import { type Clock, unlessLate } from "../platform/clock.ts";
import type { FileStatus, FileSystem } from "../platform/file_system.ts";

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

/**
 * What was found at each path, for one look at very many: they lie in a few folders, and in a folder that is not there nothing
 * need be looked for, which costs the run-time more than anything that is there.
 */
export class RememberedLooks implements Looks {
  readonly #files: FileSystem;
  readonly #found = new Map<string, FileStatus | undefined>();
  readonly #real = new Map<string, string>();
  readonly #later = new Map<string, Promise<FileStatus | undefined>>();
  readonly #realLater = new Map<string, Promise<string>>();

  constructor(files: FileSystem) {
    this.#files = files;
  }

  /** Undefined also where nobody may look. */
  status(path: string): FileStatus | undefined {
    if (!this.#found.has(path)) this.#found.set(path, this.#look(path));
    return this.#found.get(path);
  }

  realPath(path: string): string {
    const known = this.#real.get(path) ?? this.#files.realPath(path);
    this.#real.set(path, known);
    return known;
  }

  /** Off the event loop. */
  statusLater(path: string): Promise<FileStatus | undefined> {
    const known = this.#later.get(path) ?? this.#lookLater(path).catch(() => undefined);
    this.#later.set(path, known);
    return known;
  }

  realPathLater(path: string): Promise<string> {
    const known = this.#realLater.get(path) ?? this.#files.realPathLater(path);
    this.#realLater.set(path, known);
    return known;
  }

  #look(path: string): FileStatus | undefined {
    const parent = dirname(path);
    if (parent !== path && this.status(parent) === undefined) return undefined;
    try {
      return this.#files.status(path);
    } catch {
      return undefined;
    }
  }

  async #lookLater(path: string): Promise<FileStatus | undefined> {
    const parent = dirname(path);
    if (parent !== path && await this.statusLater(parent) === undefined) return undefined;
    return await this.#files.statusLater(path);
  }
}

const SEES_NOTHING: Looks = { status: () => undefined, realPath: (path) => path };

/**
 * The same for the path of a replica, whose device may hang: then its names have to do, and whoever needs the replica says
 * what is wrong.
 */
export async function placeOfReplica(clock: Clock, remembered: RememberedLooks, path: string): Promise<Place> {
  const looks = await unlessLate(clock, limits.deviceGlanceMs, lookLater(remembered, path).catch(() => SEES_NOTHING));
  return placeOf(looks?.value ?? SEES_NOTHING, path);
}

/** What `placeOf` will ask of that path, found out off the event loop. */
async function lookLater(remembered: RememberedLooks, path: string): Promise<Looks> {
  const seen = new Map<string, FileStatus | undefined>();
  const look = async (at: string) => {
    seen.set(at, await remembered.statusLater(at));
    return seen.get(at);
  };
  let existing = path;
  while (await look(existing) === undefined && dirname(existing) !== existing) existing = dirname(existing);
  const real = await remembered.realPathLater(existing);
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
