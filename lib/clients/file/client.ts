import { inBatches } from "../../base/batches.ts";
import { assert } from "../../base/assert.ts";
import { ReplicationError } from "../../base/errors.ts";
import { dirname, join } from "../../base/path.ts";
import { EarlySync } from "../../platform/early_sync.ts";
import type { FileHandle, FileStatus, FileSystem } from "../../platform/file_system.ts";
import type { AssembledObject, ObjectDraft, ObjectEntry, OpenObject, ReplicaClient } from "../client.ts";

const FOLDER_PERMISSIONS = 0o700;
/** Objects of a folder that are looked at side by side: each costs little but waiting. */
const LOOKS_AT_ONCE = 64;
/** Beyond so many names of objects known to be durable they are forgotten; each then costs one more sync of its folder. */
const DURABLE_NAMES_MAX = 256;

/**
 * A replica in a folder: local disk, NFS, SMB. The root may be reached through symbolic links; nothing below it may be
 * one. The root is made by the first write, and never again once it was seen: when it vanishes, its device did.
 *
 * Every call on its files is one with `Later`: a device that hangs must not keep the read holds from moving.
 */
export class FileReplicaClient implements ReplicaClient {
  readonly type = "file";
  readonly description: string;
  readonly #files: FileSystem;
  readonly #root: string;
  /** Paths whose entry in their folder was synced since they appeared: their names survive a power cut. */
  readonly #durableNames = new Set<string>();
  /** The root, and folders right below it: an empty mount point is a root without them. */
  readonly #seen = new Set<string>();
  /** Where the root was by its real path when folders were last looked at one by one. */
  #realRoot: string | undefined;

  constructor(files: FileSystem, root: string) {
    this.#files = files;
    this.#root = root;
    this.description = root;
  }

  async list(folder: string): Promise<readonly ObjectEntry[]> {
    const { path } = await this.#placeOf(folder);
    const found = await this.#files.statusLater(path);
    if (found === undefined) return [];
    if (found.kind !== "folder") throw notAFolder("list", path);
    const names = await this.#files.listLater(path);
    const looked = await inBatches(names, LOOKS_AT_ONCE, (name) => this.#entryOf(join(path, name), name));
    return looked.filter((entry) => entry !== undefined);
  }

  async status(key: string): Promise<ObjectEntry | undefined> {
    const { found } = await this.#placeOf(key);
    return found === undefined ? undefined : asEntry(key.slice(key.lastIndexOf("/") + 1), found);
  }

  async read(key: string, offset: number, into: Uint8Array): Promise<number> {
    const { path } = await this.#placeOf(key);
    const handle = await this.#files.openLater(path, "read");
    return await closing(handle, () => handle.readAtLater(into, offset));
  }

  async open(key: string): Promise<OpenObject> {
    const { path } = await this.#placeOf(key);
    const handle = await this.#files.openLater(path, "read");
    return { read: (offset, into) => handle.readAtLater(into, offset), close: () => handle.closeLater() };
  }

  async write(key: string, fill: () => Promise<Uint8Array>): Promise<void> {
    const place = await this.#placeOf(key);
    await this.#makeFolderOf(place);
    const draft = `${place.path}.tmp`;
    await this.#afresh(draft, async () => {
      const handle = await this.#files.openLater(draft, "create-new");
      await closing(handle, () => copy(handle, 0, fill));
    });
    await this.#files.renameLater(draft, place.path); // Its bytes are on disk already.
    await this.#files.syncFolderLater(dirname(place.path));
  }

  async append(key: string, offset: number, fill: () => Promise<Uint8Array>): Promise<void> {
    const opening = this.#openKnown(join(this.#root, key));
    let handle: FileHandle | undefined;
    try {
      const place = await this.#placeOf(key).finally(async () => handle = await opening);
      const { path, found } = place;
      const size = found?.size ?? 0;
      if (size < offset) {
        const problem = `it has ${size} bytes (expected at least ${offset})`;
        throw new ReplicationError("gap", `Cannot append to ${path}: ${problem}`);
      }
      await this.#makeFolderOf(place);
      if (handle === undefined || found === undefined) {
        await handle?.closeLater(); // Of a file that was removed right after.
        handle = undefined;
        handle = await this.#files.openLater(path, found === undefined ? "create-new" : "write");
      }
      await copy(handle, offset, fill);
      await this.#makeNameDurable(path, found === undefined);
    } finally {
      await handle?.closeLater();
    }
  }

  /** What was written before is opened while it is looked up; the look decides, and undefined leaves it to say why. */
  async #openKnown(path: string): Promise<FileHandle | undefined> {
    if (!this.#durableNames.has(path)) return undefined;
    try {
      return await this.#files.openLater(path, "write");
    } catch {
      return undefined;
    }
  }

  async assemble(draftKey: string, fill: (draft: ObjectDraft) => Promise<AssembledObject>): Promise<void> {
    const place = await this.#placeOf(draftKey);
    const folder = dirname(place.path);
    await this.#makeFolderOf(place);
    let path = place.path;
    await this.#afresh(place.path, async () => {
      const handle = await this.#files.openLater(place.path, "create-new");
      await closing(handle, async () => {
        const early = new EarlySync(handle, false);
        const { key, sizeBytes } = await fill({
          writeAt: async (bytes, position) => {
            await handle.writeAtLater(bytes, position);
            await early.wrote(bytes.length);
          },
        });
        ({ path } = await this.#placeOf(key));
        assert(dirname(path) === folder, "a draft becomes an object of its own folder");
        await handle.truncateLater(sizeBytes);
        await early.finish();
      });
    });
    await this.#files.renameLater(place.path, path);
    await this.#files.syncFolderLater(folder);
  }

  async delete(keys: readonly string[]): Promise<void> {
    const there: string[] = [];
    for (const key of keys) {
      const { path, found } = await this.#placeOf(key);
      if (found !== undefined) there.push(path);
    }
    for (const path of there) await unlessGone(this.#files.removeLater(path));
    for (const folder of new Set(there.map((path) => dirname(path)))) {
      await unlessGone(this.#files.syncFolderLater(folder));
    }
  }

  async removeEmptyFolder(folder: string): Promise<void> {
    const { path, found } = await this.#placeOf(folder);
    if (found?.kind !== "folder" || !await this.#files.removeEmptyFolderLater(path)) return;
    this.#durableNames.delete(path);
    await unlessGone(this.#files.syncFolderLater(dirname(path)));
  }

  /** Where a key is kept, and what is there: nothing on the way, nor there, is a symbolic link. */
  async #placeOf(key: string): Promise<Place> {
    const names = key === "" ? [] : key.split("/");
    for (const name of names) assert(name !== "" && name !== "." && name !== "..", `"${key}" is a key`);
    const path = join(this.#root, ...names);
    const folders = names.slice(0, -1);
    const known = names.length === 0 ? undefined : await this.#lookAtOnce(folders, path);
    if (known === undefined) await this.#lookAtEach(folders);
    const found = known ?? await (names.length === 0 ? this.#files.statusLater(path) : this.#linkStatus(path));
    return { path, found, folderIsThere: known !== undefined };
  }

  /**
   * The real path of a folder shows whether any part of it has become a link: two calls instead of one for each part.
   * Undefined when nothing is at `path`, or the folders deserve a closer look.
   */
  async #lookAtOnce(folders: readonly string[], path: string): Promise<FileStatus | undefined> {
    if (this.#realRoot === undefined) return undefined;
    const realFolder = this.#files.realPathLater(dirname(path)).catch(() => undefined); // The closer look says what it is.
    const found = await this.#files.linkStatusLater(path);
    if (await realFolder !== join(this.#realRoot, ...folders) || found === undefined) return undefined;
    refuseLink(path, found);
    this.#sawFolder(this.#root);
    for (const folder of folders.slice(0, 1)) this.#sawFolder(join(this.#root, folder));
    if (found.kind === "folder") this.#sawFolder(path);
    return found;
  }

  async #lookAtEach(folders: readonly string[]): Promise<void> {
    let path = this.#root;
    const root = await this.#files.statusLater(path);
    if (root !== undefined && root.kind !== "folder") throw notAFolder("use", path);
    if (root !== undefined) this.#sawFolder(path);
    for (const name of folders) await this.#linkStatus(path = join(path, name));
    this.#realRoot = root === undefined ? undefined : await this.#files.realPathLater(this.#root);
  }

  async #linkStatus(path: string): Promise<FileStatus | undefined> {
    const found = await this.#files.linkStatusLater(path);
    refuseLink(path, found);
    if (found?.kind === "folder") this.#sawFolder(path);
    return found;
  }

  #sawFolder(path: string): void {
    if (path === this.#root || dirname(path) === this.#root) this.#seen.add(path);
  }

  /** A link shows as what it points to; whoever uses it then is told that it is one. */
  async #entryOf(path: string, name: string): Promise<ObjectEntry | undefined> {
    const found = await this.#files.statusLater(path) ?? await this.#files.linkStatusLater(path);
    return found === undefined ? undefined : asEntry(name, found);
  }

  /** Runs `work` on a draft that was not there before; a failure leaves none behind. */
  async #afresh(draft: string, work: () => Promise<void>): Promise<void> {
    await this.#removeIfThere(draft);
    try {
      await work();
    } catch (error) {
      await this.#removeIfThere(draft);
      throw error;
    }
  }

  async #removeIfThere(path: string): Promise<void> {
    if (await this.#files.linkStatusLater(path) !== undefined) await this.#files.removeLater(path);
  }

  async #makeFolderOf(place: Place): Promise<void> {
    const folder = dirname(place.path);
    if (!place.folderIsThere || !this.#durableNames.has(folder)) await this.#makeFolder(folder);
  }

  async #makeFolder(path: string): Promise<void> {
    const found = await this.#files.statusLater(path);
    if (found !== undefined && found.kind !== "folder") throw notAFolder("write below", path);
    if (found !== undefined && this.#durableNames.has(path)) return;
    const parent = dirname(path);
    if (path !== this.#root) await this.#makeFolder(parent);
    if (found === undefined) {
      if (this.#seen.has(path)) throw vanished(path);
      if (path === this.#root) await this.#makeFoldersAbove(path);
      await this.#files.makeFolderLater(path, FOLDER_PERMISSIONS);
      this.#sawFolder(path);
    }
    // A root that was there is not ours to sync into its parent; anything else may stem from a try that was cut short.
    if (path !== this.#root || found === undefined) await this.#makeNameDurable(path, true);
    else this.#remember(path);
  }

  async #makeFoldersAbove(path: string): Promise<void> {
    const parent = dirname(path);
    if (parent === path || await this.#files.statusLater(parent) !== undefined) return;
    await this.#makeFoldersAbove(parent);
    await this.#files.makeFolderLater(parent, FOLDER_PERMISSIONS);
    await this.#files.syncFolderLater(dirname(parent));
  }

  async #makeNameDurable(path: string, isNew: boolean): Promise<void> {
    if (!isNew && this.#durableNames.has(path)) return;
    await this.#files.syncFolderLater(dirname(path));
    this.#remember(path);
  }

  #remember(path: string): void {
    if (this.#durableNames.size >= DURABLE_NAMES_MAX) this.#durableNames.clear();
    this.#durableNames.add(path);
  }
}

interface Place {
  readonly path: string;
  readonly found: FileStatus | undefined;
  /** The folder it is in was seen just now; false says nothing. */
  readonly folderIsThere: boolean;
}

function asEntry(name: string, { kind, size, modifiedAtMs }: FileStatus): ObjectEntry {
  return { name, kind: kind === "folder" ? "folder" : "object", size, modifiedAtMs };
}

async function copy(handle: FileHandle, offset: number, fill: () => Promise<Uint8Array>): Promise<void> {
  const early = new EarlySync(handle, false);
  let at = offset;
  for (let bytes = await fill(); bytes.length > 0; bytes = await fill()) {
    await handle.writeAtLater(bytes, at);
    await early.wrote(bytes.length);
    at += bytes.length;
  }
  await early.finish();
}

async function closing<T>(handle: FileHandle, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await handle.closeLater();
  }
}

/** Somebody else may remove the same at the same time. */
async function unlessGone(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.code !== "not-found") throw error;
  }
}

function refuseLink(path: string, found: FileStatus | undefined): void {
  if (found?.kind !== "link") return;
  throw new ReplicationError(
    "denied",
    `Cannot use ${path}: it is a symbolic link (below the root of a replica none is followed)`,
  );
}

function vanished(path: string): ReplicationError {
  return new ReplicationError(
    "unavailable",
    `Cannot write to ${path}: it is gone, though it was there (is it mounted?)`,
  );
}

function notAFolder(act: string, path: string): ReplicationError {
  return new ReplicationError("config-invalid", `Cannot ${act} ${path}: it is a file (expected a folder)`, {
    advice: "give each replica a folder of its own",
  });
}
