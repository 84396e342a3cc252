/**
 * The values of all pages of a live database at one moment, for whoever compares a copy with it. One read transaction holds
 * the moment, as long as it takes to read the database once; writers go on. Not for the process that watches the database:
 * its own descriptors close here.
 *
 * Which moment it is says the wal-index, read before the transaction and in it: when nothing was committed between the two,
 * it is that of frame `mxFrame`. A page stands in its last frame up to there, else in the file, where checkpoints copy
 * nothing that is newer than the transaction.
 */
import { limits } from "../base/limits.ts";
import { ReplicationError } from "../base/errors.ts";
import { viewOf } from "../base/bytes.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import { lockPage } from "../pages/database_checksum.ts";
import { pageHasher } from "../pages/page_hasher.ts";
import type { SqliteConnection, SqliteDriver } from "../sqlite/driver.ts";
import { FRAME_HEADER_SIZE, frameSize, PAGE_NUMBER_AT } from "../wal/frame.ts";
import { equalSalts } from "../wal/salt.ts";
import { WAL_HEADER_SIZE } from "../wal/header.ts";
import { WalIndex, type WalIndexHeader } from "./wal_index.ts";

const PIN_TRIES = 1_000;
const VALUE_BYTES = 8;
/** More differing pages are not listed. */
const LISTED_MAX = 100;

export interface LivePages {
  readonly moment: WalIndexHeader;
  readonly pageSize: number;
  readonly databasePages: number;
}

/** Writes the value of each page to `valuesPath`, 8 bytes a page. Throws `unavailable` when no moment could be pinned. */
export async function readLivePages(
  { files, clock }: { readonly files: FileSystem; readonly clock: Clock },
  driver: SqliteDriver,
  path: string,
  valuesPath: string,
): Promise<LivePages> {
  const connection = driver.open(path, { readOnly: true, busyTimeoutMs: 1_000 });
  const opened: FileHandle[] = [];
  let index: WalIndex | undefined;
  try {
    connection.values("PRAGMA user_version"); // Brings -wal and -shm into being.
    index = WalIndex.open(files, `${path}-shm`);
    const moment = await pin(clock, connection, index, path);
    const pageSize = Number(connection.values("PRAGMA page_size")?.[0]);
    const databasePages = Number(connection.values("PRAGMA page_count")?.[0]);
    const [file, wal, values] = [
      files.open(path, "read"),
      files.open(`${path}-wal`, "read"),
      files.open(valuesPath, "create"),
    ];
    opened.push(file, wal, values);
    const frames = moment.backfilled >= moment.mxFrame ? undefined : framesOf(wal, moment, databasePages);
    const pagesAtOnce = Math.max(1, Math.floor(limits.transferBytes / pageSize));
    const buffer = new Uint8Array(pagesAtOnce * pageSize);
    const words = new Uint32Array(pagesAtOnce * 2);
    for (let first = 1; first <= databasePages; first += pagesAtOnce) {
      const count = Math.min(pagesAtOnce, databasePages - first + 1);
      const bytes = buffer.subarray(0, count * pageSize);
      bytes.fill(0);
      file.readAt(bytes, (first - 1) * pageSize);
      for (let page = first; page < first + count && frames !== undefined; page++) {
        const frame = frames[page] ?? 0;
        if (frame === 0) continue;
        const at = WAL_HEADER_SIZE + (frame - 1) * frameSize(pageSize) + FRAME_HEADER_SIZE;
        wal.readAt(bytes.subarray((page - first) * pageSize, (page - first + 1) * pageSize), at);
      }
      pageHasher().hashPages(bytes, pageSize, first, words);
      values.writeAt(new Uint8Array(words.buffer, 0, count * VALUE_BYTES), (first - 1) * VALUE_BYTES);
      await clock.yield();
    }
    return { moment, pageSize, databasePages };
  } finally {
    connection.close(); // Before the descriptors, whose closing drops its locks.
    for (const handle of opened) handle.close();
    index?.close();
  }
}

/** Whether nothing was committed since. Not while this process has connections to the database. */
export function isStillMoment(files: FileSystem, path: string, moment: WalIndexHeader): boolean {
  const index = WalIndex.open(files, `${path}-shm`);
  try {
    const now = index.read();
    return now !== undefined && isSameMoment(now, moment);
  } finally {
    index.close();
  }
}

/** Pages of the file, with what was changed after it, that differ from those values: some of them, and how many there are. */
export async function comparePages(
  { files, clock }: { readonly files: FileSystem; readonly clock: Clock },
  { pageSize, databasePages }: LivePages,
  valuesPath: string,
  path: string,
  later: {
    readonly values: ReadonlyMap<number, readonly [low: number, high: number]>;
    readonly databasePages: number | undefined;
  },
): Promise<{ readonly pages: readonly number[]; readonly count: number }> {
  const [file, values] = [files.open(path, "read"), files.open(valuesPath, "read")];
  try {
    const pages: number[] = [];
    let count = 0;
    const note = (page: number) => {
      count++;
      if (pages.length < LISTED_MAX) pages.push(page);
    };
    const pagesAtOnce = Math.max(1, Math.floor(limits.transferBytes / pageSize));
    const buffer = new Uint8Array(pagesAtOnce * pageSize);
    const [own, live] = [new Uint32Array(pagesAtOnce * 2), new Uint32Array(pagesAtOnce * 2)];
    for (let first = 1; first <= databasePages; first += pagesAtOnce) {
      const due = Math.min(pagesAtOnce, databasePages - first + 1);
      const bytes = buffer.subarray(0, due * pageSize);
      bytes.fill(0);
      file.readAt(bytes, (first - 1) * pageSize);
      pageHasher().hashPages(bytes, pageSize, first, own);
      for (let page = first; page < first + due; page++) {
        const changed = later.values.get(page);
        if (changed !== undefined) own.set(changed, 2 * (page - first));
      }
      values.readAt(new Uint8Array(live.buffer, 0, due * VALUE_BYTES), (first - 1) * VALUE_BYTES);
      for (let slot = 0; slot < due; slot++) {
        const isEqual = own[2 * slot] === live[2 * slot] && own[2 * slot + 1] === live[2 * slot + 1];
        if (!isEqual && first + slot !== lockPage(pageSize)) note(first + slot);
      }
      await clock.yield();
    }
    const ownPages = later.databasePages ?? Math.ceil(file.size() / pageSize);
    for (let page = databasePages + 1; page <= ownPages; page++) note(page);
    return { pages, count };
  } finally {
    file.close();
    values.close();
  }
}

async function pin(
  clock: Clock,
  connection: SqliteConnection,
  index: WalIndex,
  path: string,
): Promise<WalIndexHeader> {
  for (let attempt = 0; attempt < PIN_TRIES; attempt++) {
    const before = index.read();
    connection.execute("BEGIN");
    connection.values("SELECT count(*) FROM sqlite_schema");
    const after = index.read();
    if (before !== undefined && after !== undefined && isSameMoment(before, after)) return after;
    connection.execute("ROLLBACK");
    await clock.sleep(1);
  }
  throw new ReplicationError(
    "unavailable",
    `Cannot compare with ${path}: it is committed to too often to be read at one moment`,
  );
}

function isSameMoment(a: WalIndexHeader, b: WalIndexHeader): boolean {
  return a.mxFrame === b.mxFrame && a.changeCounter === b.changeCounter && equalSalts(a.salt, b.salt);
}

/** The last frame of each page up to the moment; 0 where there is none. */
function framesOf(wal: FileHandle, { mxFrame, pageSize }: WalIndexHeader, databasePages: number): Uint32Array {
  const frames = new Uint32Array(databasePages + 1);
  const header = new Uint8Array(new ArrayBuffer(FRAME_HEADER_SIZE));
  const view = viewOf(header);
  for (let frame = 1; frame <= mxFrame; frame++) {
    wal.readAt(header, WAL_HEADER_SIZE + (frame - 1) * frameSize(pageSize));
    const page = view.getUint32(PAGE_NUMBER_AT);
    if (page <= databasePages) frames[page] = frame;
  }
  return frames;
}
