import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileHandle, FileSystem } from "../../lib/platform/file_system.ts";

/** The real files, without waiting for the disk: for tests of what is written, not of what survives a power cut. */
export function unsyncedFiles(): FileSystem {
  const real = new DenoFileSystem();
  const files: FileSystem = Object.create(real);
  files.open = (path, mode, permissions) => unsynced(real.open(path, mode, permissions));
  files.openLater = async (path, mode, permissions) => {
    const handle = unsynced(await real.openLater(path, mode, permissions));
    return mode === "read" ? closedAtOnce(handle) : handle;
  };
  files.syncFolder = () => {};
  files.syncFolderLater = () => Promise.resolve();
  return files;
}

function unsynced(handle: FileHandle): FileHandle {
  return Object.assign(handle, { sync: () => Promise.resolve(), syncNow: () => {} });
}

/** Nobody waits for the close of what was only read; done on another thread it may end in the middle of the next test. */
function closedAtOnce(handle: FileHandle): FileHandle {
  return Object.assign(handle, {
    closeLater: () => {
      handle.close();
      return Promise.resolve();
    },
  });
}
