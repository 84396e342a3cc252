import { assert } from "../../base/assert.ts";
import { isRetryable, ReplicationError } from "../../base/errors.ts";
import { dirname, join } from "../../base/path.ts";
import { KeptOpen } from "./kept_open.ts";
import { EarlySync } from "../../platform/early_sync.ts";
import { nameKind } from "../../platform/file_kind.ts";
import type { FileHandle, FileStatus, FileSystem, FolderEntry } from "../../platform/file_system.ts";
import type {
  AppendPlace,
  AssembledObject,
  ObjectDraft,
  ObjectEntry,
  OpenObject,
  ReplicaClient,
  WritePlace,
} from "../client.ts";

const FOLDER_PERMISSIONS = 0o700;
/** Of a file that is appended to: so far behind its end that a device whose locks forbid reading lets all of it be read. */
const LOCKED_BYTE = 2 ** 52;
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
  readonly #keptOpen = new KeptOpen();
  readonly #resolving = new Map<string, Promise<string | undefined>>();
  /** Where the root was by its real path when folders were last looked at one by one. */
  #realRoot: string | undefined;

  constructor(files: FileSystem, root: string) {
    this.#files = files;
    this.#root = root;
    this.description = root;
  }

  async list(folder: string): Promise<readonly ObjectEntry[]> {
    const { path } = await this.#placeOf(folder, "folder");
    if (!await this.#isFolder(folder, path)) return [];
    const entries: ObjectEntry[] = [];
    for (const found of await this.#files.entriesLater(path)) entries.push(await this.#entryOf(path, found));
    return entries;
  }

  async names(folder: string): Promise<readonly string[]> {
    const { path } = await this.#placeOf(folder, "folder");
    return await this.#isFolder(folder, path) ? await this.#files.listLater(path) : [];
  }

  /** False where nothing is; throws where there is something else. */
  async #isFolder(folder: string, path: string): Promise<boolean> {
    const found = await this.#files.statusLater(path);
    if (found === undefined || found.kind === "folder") return found !== undefined;
    throw folder === "" ? notAFolder("list", path) : damagedFolder("list", path, found);
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

  async write(key: string, fill: () => Promise<Uint8Array>, how: WritePlace = "any-name"): Promise<void> {
    const place = await this.#placeOf(key);
    const { path } = place;
    if (how === "a-new-name" && place.found !== undefined) throw contested("write", path);
    await this.#makeFolderOf(place);
    const draft = `${path}.tmp`;
    await this.#afresh(draft, async (handle) => {
      await copy(handle, 0, fill);
      if (how === "any-name") return await this.#files.renameLater(draft, path); // Its bytes are on disk already.
      if (!await this.#files.renameToNewLater(draft, path)) throw contested("write", path);
    });
    await this.#files.syncFolderLater(dirname(path));
  }

  async append(
    key: string,
    offset: number,
    fill: () => Promise<Uint8Array>,
    at: AppendPlace = "anywhere",
  ): Promise<void> {
    await this.#whileOccupied(key, "make", async ({ path, found, handle, isNew }) => {
      expectSize(path, found.size, offset, at);
      await copy(handle, offset, fill);
      await this.#makeNameDurable(path, isNew);
    });
  }

  async occupy(key: string): Promise<void> {
    await this.#whileOccupied(key, "leave", () => Promise.resolve());
  }

  /** Opens what is not open yet, and locks it before its size is believed. It stays so until `rest()`, unless work fails. */
  async #whileOccupied(key: string, absent: "make" | "leave", work: (own: Occupied) => Promise<void>): Promise<void> {
    const kept = this.#keptOpen.take(join(this.#root, key));
    let handle = kept?.handle;
    try {
      const place = await this.#placeOf(key);
      const { path } = place;
      let found = place.found;
      if (found === undefined && absent === "leave") return;
      if (absent === "make") await this.#makeFolderOf(place);
      const isNew = found === undefined;
      if (handle === undefined || found === undefined || found.identity !== kept?.identity) {
        await handle?.closeLater(); // Another file stands there now.
        handle = undefined;
        handle = await this.#files.openLater(path, isNew ? "create-new" : "write");
        found = await this.#occupied("append to", path, handle);
      }
      await work({ path, found, handle, isNew });
      const own = handle;
      handle = undefined; // From here on it is closed by whoever keeps it, also when another one cannot be closed.
      await this.#keptOpen.keep(path, { handle: own, identity: found.identity });
    } finally {
      await handle?.closeLater();
    }
  }

  rest(): Promise<void> {
    return this.#keptOpen.rest();
  }

  async assemble(draftKey: string, fill: (draft: ObjectDraft) => Promise<AssembledObject>): Promise<void> {
    const place = await this.#placeOf(draftKey);
    const folder = dirname(place.path);
    await this.#makeFolderOf(place);
    await this.#afresh(place.path, async (handle) => {
      const early = new EarlySync(handle, false);
      const { key, sizeBytes } = await fill({
        writeAt: async (bytes, position) => {
          await handle.writeAtLater(bytes, position);
          await early.wrote(bytes.length);
        },
      });
      const { path } = await this.#placeOf(key);
      assert(dirname(path) === folder, "a draft becomes an object of its own folder");
      await handle.truncateLater(sizeBytes);
      await early.finish();
      await this.#files.renameLater(place.path, path);
    });
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
  async #placeOf(key: string, expected: "file" | "folder" = "file"): Promise<Place> {
    const names = key === "" ? [] : key.split("/");
    for (const name of names) assert(name !== "" && name !== "." && name !== "..", `"${key}" is a key`);
    const path = join(this.#root, ...names);
    const folders = names.slice(0, -1);
    const known = names.length === 0 ? undefined : await this.#lookAtOnce(folders, path, expected);
    if (known === undefined) await this.#lookAtEach(folders);
    const found = known ??
      await (names.length === 0 ? this.#files.statusLater(path) : this.#linkStatus(path, expected));
    return { path, found, folderIsThere: known !== undefined };
  }

  /**
   * The real path of a folder shows whether any part of it has become a link: two calls instead of one for each part.
   * Undefined when nothing is at `path`, or the folders deserve a closer look.
   */
  async #lookAtOnce(
    folders: readonly string[],
    path: string,
    expected: "file" | "folder",
  ): Promise<FileStatus | undefined> {
    if (this.#realRoot === undefined) return undefined;
    const realFolder = this.#realPathOf(dirname(path));
    const found = await this.#files.linkStatusLater(path);
    if (await realFolder !== join(this.#realRoot, ...folders) || found === undefined) return undefined;
    refuseOddity(path, found, expected);
    this.#sawFolder(this.#root);
    for (const folder of folders.slice(0, 1)) this.#sawFolder(join(this.#root, folder));
    if (found.kind === "folder") this.#sawFolder(path);
    return found;
  }

  /** Undefined where there is none; a closer look says why. Who asks while it is being asked gets the same answer. */
  #realPathOf(folder: string): Promise<string | undefined> {
    const underWay = this.#resolving.get(folder);
    if (underWay !== undefined) return underWay;
    const resolving = this.#files.realPathLater(folder).catch(() => undefined)
      .finally(() => this.#resolving.delete(folder));
    this.#resolving.set(folder, resolving);
    return resolving;
  }

  async #lookAtEach(folders: readonly string[]): Promise<void> {
    let path = this.#root;
    const root = await this.#files.statusLater(path);
    if (root !== undefined && root.kind !== "folder") throw notAFolder("use", path);
    if (root !== undefined) this.#sawFolder(path);
    for (const name of folders) {
      const found = await this.#linkStatus(path = join(path, name), "folder");
      if (found?.kind === "file") throw damagedFolder("use", path, found);
    }
    this.#realRoot = root === undefined ? undefined : await this.#files.realPathLater(this.#root);
  }

  async #linkStatus(path: string, expected: "file" | "folder" = "file"): Promise<FileStatus | undefined> {
    const found = await this.#files.linkStatusLater(path);
    refuseOddity(path, found, expected);
    if (found?.kind === "folder") this.#sawFolder(path);
    return found;
  }

  #sawFolder(path: string): void {
    if (path === this.#root || dirname(path) === this.#root) this.#seen.add(path);
  }

  /** A link shows as what it points to; whoever uses it then is told that it is one. */
  async #entryOf(folder: string, found: FolderEntry): Promise<ObjectEntry> {
    const { name, kind } = found;
    if (kind !== "link") return asEntry(name, found);
    return { ...asEntry(name, await this.#endOfLink(join(folder, name)) ?? found), oddity: nameKind(kind) };
  }

  /** Undefined where it leads nowhere, or where nobody may follow it. */
  async #endOfLink(path: string): Promise<FileStatus | undefined> {
    try {
      return await this.#files.statusLater(path);
    } catch (error) {
      if (error instanceof ReplicationError && !isRetryable(error)) return undefined;
      throw error;
    }
  }

  /**
   * Runs `work`, which gives it its name, on a draft that was not there before and is locked all the while; a failure leaves
   * none behind. One that another program writes is not touched.
   */
  async #afresh(draft: string, work: (handle: FileHandle) => Promise<void>): Promise<void> {
    await this.#removeLeftover(draft);
    const handle = await this.#files.openLater(draft, "create-new");
    await closing(handle, async () => {
      await this.#occupied("write", draft, handle);
      try {
        await work(handle);
      } catch (error) {
        await this.#removeIfThere(draft);
        throw error;
      }
    });
  }

  /** What a crash has left there, which nobody has locked. */
  async #removeLeftover(draft: string): Promise<void> {
    const found = await this.#files.linkStatusLater(draft);
    if (found?.kind !== "file") return await this.#removeIfThere(draft);
    const handle = await this.#files.openLater(draft, "write");
    await closing(handle, async () => {
      await this.#occupied("write", draft, handle);
      await this.#files.removeLater(draft);
    });
  }

  async #removeIfThere(path: string): Promise<void> {
    if (await this.#files.linkStatusLater(path) !== undefined) await this.#files.removeLater(path);
  }

  /** Locks a file that was just opened; what stands under its name then. */
  async #occupied(act: string, path: string, handle: FileHandle): Promise<FileStatus> {
    if (await handle.lockLater(LOCKED_BYTE) === false) throw contested(act, path);
    const own = await handle.identityLater();
    const found = await this.#linkStatus(path);
    if (found === undefined) throw vanished(path);
    if (own !== undefined && found.identity !== own) throw contested(act, path);
    return found;
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

function expectSize(path: string, size: number, offset: number, at: AppendPlace): void {
  if (at === "its-end" && size !== offset) {
    const problem = `it has ${size} bytes (expected ${offset}: does another program write there?)`;
    throw new ReplicationError("unavailable", `Cannot append to ${path}: ${problem}`);
  }
  if (size >= offset) return;
  throw new ReplicationError("gap", `Cannot append to ${path}: it has ${size} bytes (expected at least ${offset})`);
}

interface Occupied {
  readonly path: string;
  readonly found: FileStatus;
  readonly handle: FileHandle;
  readonly isNew: boolean;
}

interface Place {
  readonly path: string;
  readonly found: FileStatus | undefined;
  /** The folder it is in was seen just now; false says nothing. */
  readonly folderIsThere: boolean;
}

function asEntry(name: string, { kind, size, modifiedAtMs }: FileStatus | FolderEntry): ObjectEntry {
  const entry = { name, kind: kind === "folder" ? "folder" : "object", size, modifiedAtMs } as const;
  return kind === "folder" || kind === "file" ? entry : { ...entry, oddity: nameKind(kind) };
}

async function copy(handle: FileHandle, offset: number, fill: () => Promise<Uint8Array>): Promise<void> {
  const early = new EarlySync(handle, false);
  let at = offset;
  let own = new Uint8Array(0); // What `fill` gave may be reused by it while that is written.
  for (let bytes = await fill(); bytes.length > 0;) {
    if (own.length < bytes.length) own = new Uint8Array(bytes.length);
    own.set(bytes);
    const writing = handle.writeAtLater(own.subarray(0, bytes.length), at);
    writing.catch(() => {}); // It is waited for below, or by the close.
    at += bytes.length;
    const written = bytes.length;
    bytes = await fill();
    await writing;
    await early.wrote(written);
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

/** Objects are files, in folders. Whatever else stands there has taken the place of something. */
function refuseOddity(path: string, found: FileStatus | undefined, expected: "file" | "folder"): void {
  if (found === undefined || found.kind === "file" || found.kind === "folder") return;
  const what = found.kind === "link"
    ? "it is a symbolic link (below the root of a replica none is followed)"
    : `it is ${nameKind(found.kind)}, not a ${expected}`;
  throw new ReplicationError("corrupt", `Cannot use ${path}: ${what}`);
}

function damagedFolder(act: string, path: string, { kind }: FileStatus): ReplicationError {
  return new ReplicationError("corrupt", `Cannot ${act} ${path}: it is ${nameKind(kind)}, not a folder`);
}

function vanished(path: string): ReplicationError {
  return new ReplicationError(
    "unavailable",
    `Cannot write to ${path}: it is gone, though it was there (is it mounted?)`,
  );
}

function contested(act: string, path: string): ReplicationError {
  return new ReplicationError("contested", `Cannot ${act} ${path}: another program writes there, too`, {
    advice: "give each database, and each host, a replica of its own",
  });
}

/** Of the place itself, which somebody chose. */
function notAFolder(act: string, path: string): ReplicationError {
  return new ReplicationError("config-invalid", `Cannot ${act} ${path}: it is a file (expected a folder)`, {
    advice: "give each replica a folder of its own",
  });
}
