/** Whether a plan's database can be at all, and fits where it is to be written: both are asked before anything is written. */
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { framesBefore } from "../wal/frame.ts";
import type { RestorePlan } from "./plan.ts";

type Claims = Pick<RestorePlan, "databaseBytes" | "pageSize" | "snapshot" | "steps">;

/**
 * What is wrong with the size that the plan's records claim; undefined when nothing is. SQLite writes each page of a database
 * once at least; pages that nothing brings, and that read as zeros, are few.
 */
export function impossibleSize({ databaseBytes, pageSize, snapshot, steps }: Claims): string | undefined {
  if (pageSize === 0) return undefined;
  const frames = steps.reduce(
    (sum, { from, to }) => sum + framesBefore(to, pageSize) - framesBefore(from, pageSize),
    0,
  );
  const broughtBytes = snapshot.imageBytes + frames * pageSize;
  return impossibleClaim(databaseBytes, broughtBytes);
}

/** The same of a database whose snapshot and WAL together have so many bytes. */
export function impossibleClaim(databaseBytes: number, broughtBytes: number): string | undefined {
  if (databaseBytes <= broughtBytes * limits.databaseToBroughtMax + limits.databaseUnbroughtMaxBytes) return undefined;
  return `it claims a database of ${databaseBytes} bytes, and snapshot and WAL hold ${broughtBytes}`;
}

/** Throws `no-space`. A device that says of itself that nothing at all is free may know no better: writing will tell. */
export function expectRoom(files: FileSystem, folder: string, bytes: number, advice: string): void {
  const free = files.freeBytes(folder);
  if (free >= bytes || free === 0) return;
  throw new ReplicationError("no-space", `Cannot restore into ${folder}: ${free} bytes are free (expected ${bytes})`, {
    advice,
  });
}
