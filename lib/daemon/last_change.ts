import type { FileSystem } from "../platform/file_system.ts";

/**
 * The database file changes at checkpoints, long after the commits they copy: as long as there is a WAL, it tells when the
 * last commit was. Undefined: there is no database.
 */
export function changedAtMs(files: FileSystem, path: string): number | undefined {
  const wal = files.status(`${path}-wal`);
  return wal === undefined || wal.size === 0 ? files.status(path)?.modifiedAtMs : wal.modifiedAtMs;
}
