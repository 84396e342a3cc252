/**
 * An exact image of the database, made while the application goes on writing and checkpointing, and while the read hold
 * goes on moving: nobody waits for it, and no WAL piles up behind it.
 *
 *   1. Copy the database file from first to last page. Meanwhile checkpoints may write into it, so single pages of the copy
 *      are of different times, and one may be torn.
 *   2. Capture to the end of what is committed now: position P.
 *   3. Write every page of the frames from the beginning of the WAL life at which the copy began up to P over the copy,
 *      oldest first, and cut it to the size that the commit at P says.
 *
 * Why this is the database at P: a page that has frames in those lives gets its newest one at or before P. A page that has
 * none was not written by any checkpoint during the copy, since checkpoints write only pages of frames, all frames of
 * earlier lives were in the file before the first of these lives could begin, and all frames committed when the copy ended
 * are at or before P. So its bytes stood still and were copied as they are.
 */
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { viewOf } from "../base/bytes.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileHandle } from "../platform/file_system.ts";
import { asOffset, type Index, type Offset, type Position } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { SnapshotImage, SnapshotStream, SnapshotTarget, WrittenSnapshot } from "../store/generation_store.ts";
import { FRAME_HEADER_SIZE, frameSize, PAGE_NUMBER_AT } from "../wal/frame.ts";
import { WAL_HEADER_SIZE } from "../wal/header.ts";
import type { ShadowReader } from "./source.ts";

/** What the image needs of the watched database. */
export interface ImageSource {
  readonly path: string;
  readonly clock: Clock;
  /** The one handle of the database file that is kept open; another one once the database was let go of and taken up again. */
  databaseFile(): FileHandle;
  /** Captures to at least what is committed at this moment; resolves with where that ends and the last record there. */
  capturedNow(): Promise<CapturedMoment>;
  openReader(position: Position): ShadowReader;
  /** Whoever reads the file shows it to the page table, right after the read. */
  look: FileLooker;
}

export interface FileLooker {
  /** The file is read from its beginning from now on. */
  begin(): void;
  /** Bytes of the file from that place on; `isEnd` when there are no more. */
  see(position: number, bytes: Uint8Array, isEnd: boolean): void;
}

export interface CapturedMoment {
  readonly position: Position;
  readonly pageSize: number;
  /** Of the last commit; 0 when the generation has no commit yet and the file itself is the size. */
  readonly databasePages: number;
  /** The time that a snapshot of it is given. */
  readonly timeMs: number;
  /** That is before the time of what was captured last: a clock was put back. */
  readonly isBack?: boolean;
  /** Of the whole database there, and where it was last confirmed; absent while the page table is not known. */
  readonly checksum?: Uint8Array;
  readonly confirmedAt?: { readonly index: Index; readonly offset: Offset };
}

export function createImage(source: ImageSource): SnapshotImage {
  return { writeTo: (target) => writeImage(source, target), stream: () => streamImage(source) };
}

async function writeImage(source: ImageSource, target: SnapshotTarget): Promise<WrittenSnapshot> {
  const before = await source.capturedNow();
  const buffer = new Uint8Array(limits.transferBytes);
  const file = new FileWalk(source, buffer);
  for (let bytes = file.next(); bytes.length > 0; bytes = file.next()) {
    await target.writeAt(bytes, file.position - bytes.length);
  }
  target.fileCopied?.();
  const { after, record } = await stateNow(source, before, file.position);
  await writeFrames(source, { ...before.position, offset: asOffset(0) }, after.position, target, buffer);
  const { index } = after.position;
  return { index, stateIndex: index, record, sizeBytes: record.databasePages * record.pageSize };
}

/** Step 1 alone: who reads the stream does step 3, with the WAL that the replica holds. */
async function streamImage(source: ImageSource): Promise<SnapshotStream> {
  const before = await source.capturedNow();
  const file = new FileWalk(source, new Uint8Array(limits.transferBytes));
  const { index } = before.position;
  return {
    index,
    next: () => Promise.resolve().then(() => file.next()),
    end: async () => {
      const { after, record } = await stateNow(source, before, file.position);
      return { index, stateIndex: after.position.index, record, sizeBytes: file.position };
    },
  };
}

/** Step 2: captures, and says what the copy of so many bytes is a state of once the frames are in it. */
async function stateNow(source: ImageSource, before: CapturedMoment, copiedBytes: number) {
  const after = await source.capturedNow();
  if (after.position.generation !== before.position.generation) throw generationChanged(source.path);
  const pages = after.databasePages === 0 && after.pageSize > 0
    ? Math.floor(copiedBytes / after.pageSize)
    : after.databasePages;
  const record: CommitRecord = {
    kind: "snapshot",
    pageSize: after.pageSize,
    start: after.position.offset,
    end: after.position.offset,
    capturedAtMs: after.timeMs,
    databasePages: pages,
    capturedLate: after.isBack === true,
    indexClosed: false,
    ...(after.checksum === undefined ? {} : { checksum: after.checksum }),
    ...(after.checksum === undefined || after.confirmedAt === undefined ? {} : { confirmedAt: after.confirmedAt }),
  };
  return { after, record };
}

/** Reads block, because one off the event loop closes a duplicate of the descriptor, and our locks with it. */
class FileWalk {
  readonly #source: ImageSource;
  readonly #file: FileHandle;
  readonly #buffer: Uint8Array;
  position = 0;

  constructor(source: ImageSource, buffer: Uint8Array) {
    this.#source = source;
    this.#file = source.databaseFile();
    this.#buffer = buffer;
    source.look.begin();
  }

  /** The next bytes, empty at the end; the same array each time. */
  next(): Uint8Array {
    // A handle that was closed meanwhile may by now be that of any other file.
    if (this.#source.databaseFile() !== this.#file) throw takenUpAnew(this.#source.path);
    const read = this.#file.readAt(this.#buffer, this.position);
    this.#source.look.see(this.position, this.#buffer.subarray(0, read), read < this.#buffer.length);
    this.position += read;
    return this.#buffer.subarray(0, read);
  }
}

async function writeFrames(
  source: ImageSource,
  from: Position,
  to: Position,
  target: SnapshotTarget,
  buffer: Uint8Array,
): Promise<void> {
  const reader = source.openReader(from);
  try {
    for (;;) {
      const { index } = reader.position();
      const end = index === to.index ? to.offset : reader.end().offset;
      await writeIndex(reader, end, target, buffer);
      if (index === to.index) return;
      reader.nextIndex();
    }
  } finally {
    reader.close();
  }
}

async function writeIndex(reader: ShadowReader, end: number, target: SnapshotTarget, buffer: Uint8Array) {
  if (end === 0) return;
  const header = buffer.subarray(0, WAL_HEADER_SIZE);
  await reader.read(header);
  const pageSize = viewOf(header).getUint32(8);
  const size = frameSize(pageSize);
  const framesInBuffer = Math.floor(buffer.length / size);
  while (reader.position().offset < end) {
    const frames = Math.min(framesInBuffer, (end - reader.position().offset) / size);
    const bytes = buffer.subarray(0, frames * size);
    await reader.read(bytes);
    await writeRuns(bytes, pageSize, target);
  }
}

/** Pages that follow each other, as those of a large transaction do, are moved together and written at once. */
async function writeRuns(frames: Uint8Array, pageSize: number, target: SnapshotTarget): Promise<void> {
  const view = viewOf(frames);
  const size = frameSize(pageSize);
  for (let at = 0; at < frames.length;) {
    const first = view.getUint32(at + PAGE_NUMBER_AT);
    const start = at + FRAME_HEADER_SIZE;
    let length = 0;
    do {
      // Only towards the front, over headers that were read already.
      frames.copyWithin(start + length, at + FRAME_HEADER_SIZE, at + size);
      length += pageSize;
      at += size;
    } while (at < frames.length && view.getUint32(at + PAGE_NUMBER_AT) === first + length / pageSize);
    await target.writeAt(frames.subarray(start, start + length), (first - 1) * pageSize);
  }
}

function takenUpAnew(path: string): ReplicationError {
  return new ReplicationError("unavailable", `Cannot finish the snapshot of ${path}: it was taken up anew meanwhile`);
}

function generationChanged(path: string): ReplicationError {
  return new ReplicationError(
    "unavailable",
    `Cannot finish the snapshot of ${path}: a new generation has begun meanwhile`,
  );
}
