/** Whether the first read of a database is over within milliseconds, or is prepared beside other work. */
import { limits } from "../base/limits.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Preparation, SqliteDriver } from "../sqlite/driver.ts";

export interface FirstReadFacts {
  readonly walBytes: number;
  /** Of the rollback journal, which belongs to a transaction that was cut off unless it is empty. */
  readonly journalBytes: number;
  /** As the database file says; undefined when its first bytes say nothing. */
  readonly isWal: boolean | undefined;
}

export type FirstRead =
  | { readonly kind: "short" }
  | { readonly kind: "long"; readonly reason: string; readonly mayWrite: boolean; readonly enableWal: boolean };

export function decideFirstRead({ walBytes, journalBytes, isWal }: FirstReadFacts): FirstRead {
  const enableWal = isWal === false;
  if (journalBytes > 0) return { kind: "long", reason: "a journal is rolled back", mayWrite: true, enableWal };
  if (enableWal) return { kind: "long", reason: "its mode is changed to WAL", mayWrite: true, enableWal };
  if (walBytes <= limits.recoveredAtOnceBytes) return { kind: "short" };
  return { kind: "long", reason: "the WAL may have to be recovered", mayWrite: false, enableWal: false };
}

/** Undefined when nothing needs to be prepared. What is prepared is closed when a connection of the caller's has read. */
export async function prepareFirstRead(
  files: FileSystem,
  driver: SqliteDriver,
  path: string,
  isWal: boolean | undefined,
): Promise<Preparation | undefined> {
  const size = (suffix: string) => files.status(`${path}${suffix}`)?.size ?? 0;
  const decision = decideFirstRead({ walBytes: size("-wal"), journalBytes: size("-journal"), isWal });
  if (decision.kind === "short") return undefined;
  const prepared = await driver.prepareLater(path, decision);
  return { close: () => prepared.close().catch(() => {}) }; // A connection that cannot be closed has nobody to hear of it.
}
