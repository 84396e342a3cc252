import type { FileSystem } from "./file_system.ts";

/** The same file system, but what it makes belongs to the given user: for root working beside another user's database. */
export function withOwner(files: FileSystem, owner: number, group: number): FileSystem {
  const own = (path: string, existed: boolean) => {
    if (!existed) files.setOwner(path, owner, group);
  };
  const owned: FileSystem = Object.create(files);
  owned.open = (path, mode, permissions) => {
    const existed = files.linkStatus(path) !== undefined;
    const handle = files.open(path, mode, permissions);
    own(path, existed);
    return handle;
  };
  owned.openLater = async (path, mode, permissions) => {
    const existed = await files.linkStatusLater(path) !== undefined;
    const handle = await files.openLater(path, mode, permissions);
    own(path, existed);
    return handle;
  };
  owned.makeFolder = (path, permissions) => {
    const existed = files.linkStatus(path) !== undefined;
    files.makeFolder(path, permissions);
    own(path, existed);
  };
  owned.makeFolderLater = async (path, permissions) => {
    const existed = await files.linkStatusLater(path) !== undefined;
    await files.makeFolderLater(path, permissions);
    own(path, existed);
  };
  owned.tryLock = (path) => {
    const existed = files.linkStatus(path) !== undefined;
    const lock = files.tryLock(path);
    own(path, existed);
    return lock;
  };
  return owned;
}
