/**
 * How a restored database takes the place of an older one, without a moment at which a crash could lose a committed row:
 *
 *    1  copy -wal and -journal to their names beside the kept database, synced; the old database is still whole
 *    2  rename the main file to the kept name: from here on the kept one is whole, and nothing is at the path
 *    3  remove -wal, -journal and -shm at the path, so that SQLite can never replay them into the restored database
 *    4  rename the restored file to the path
 *
 * The folder is synced after each step. -wal and -journal are copied and not renamed, because between two renames the old
 * database would lie in two places: SQLite would open it without its last rows, or, finding a -wal without a main file,
 * delete the -wal.
 */
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { dirname } from "../base/path.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { JOURNAL_SUFFIX, type OutputFacts, SHM_SUFFIX, takeAfter, WAL_SUFFIX } from "./output.ts";

export interface Placed {
  /** The name under which the old database is kept, if there was one. */
  readonly keptAs?: string;
  readonly notice?: string;
}

export async function putInPlace(
  { files, clock }: { readonly files: FileSystem; readonly clock: Clock },
  draft: string,
  facts: OutputFacts,
  keepAside: boolean,
): Promise<Placed> {
  const folder = dirname(facts.path);
  const notice = takeAfter(files, draft, facts.main);
  const kept = keepAside ? keptName(files, facts.path, clock.now()) : undefined;
  if (kept !== undefined) await keep(files, facts, kept);
  try {
    for (const suffix of [WAL_SUFFIX, JOURNAL_SUFFIX, SHM_SUFFIX]) removeIfThere(files, `${facts.path}${suffix}`);
    files.syncFolder(folder);
    files.rename(draft, facts.path);
    files.syncFolder(folder);
  } catch (error) {
    if (kept === undefined || files.linkStatus(kept) === undefined || !(error instanceof ReplicationError)) throw error;
    const problem = `${error.message}; what was at ${facts.path} is whole, as ${kept}`;
    throw new ReplicationError(error.code, problem, { cause: error, advice: "mend that, then restore again" });
  }
  return { ...(kept === undefined ? {} : { keptAs: kept }), ...(notice === undefined ? {} : { notice }) };
}

async function keep(files: FileSystem, facts: OutputFacts, kept: string): Promise<void> {
  const folder = dirname(facts.path);
  if (facts.walBytes > 0) await copyDurably(files, `${facts.path}${WAL_SUFFIX}`, `${kept}${WAL_SUFFIX}`);
  if (facts.journalBytes > 0) await copyDurably(files, `${facts.path}${JOURNAL_SUFFIX}`, `${kept}${JOURNAL_SUFFIX}`);
  files.syncFolder(folder);
  if (facts.main !== undefined) files.rename(facts.path, kept);
  files.syncFolder(folder);
}

/** `app.db.before-restore-20250601T120000Z`, with a number behind it when that is taken. */
function keptName(files: FileSystem, path: string, now: Date): string {
  const time = now.toISOString().replace(/\.\d+Z$/, "Z").replace(/[-:]/g, "");
  const isTaken = (name: string) =>
    ["", WAL_SUFFIX, JOURNAL_SUFFIX, SHM_SUFFIX].some((suffix) => files.linkStatus(`${name}${suffix}`) !== undefined);
  const first = `${path}.before-restore-${time}`;
  for (let number = 1;; number++) {
    const name = number === 1 ? first : `${first}-${number}`;
    if (!isTaken(name)) return name;
  }
}

async function copyDurably(files: FileSystem, from: string, to: string): Promise<void> {
  const buffer = new Uint8Array(limits.transferBytes);
  const source = files.open(from, "read");
  try {
    const target = files.open(to, "create-new");
    try {
      for (let at = 0;;) {
        const got = await source.readAtLater(buffer, at);
        if (got === 0) break;
        await target.writeAtLater(buffer.subarray(0, got), at);
        at += got;
      }
      await target.sync();
    } finally {
      target.close();
    }
  } finally {
    source.close();
  }
  takeAfter(files, to, files.status(from));
}

function removeIfThere(files: FileSystem, path: string): void {
  if (files.linkStatus(path) !== undefined) files.remove(path);
}
