/**
 * The wal-index (`app.db-shm`) is what all connections share about a WAL, and the only authority on what is committed. It
 * begins with two copies of a header of 48 bytes; a writer writes the second copy, then the first. Everything is in the
 * machine's own byte order, except the salts, which are the bytes of the WAL header (big-endian):
 *
 *    0  format version: 3007000      14  page size, 1 for 65536        32  salt 1
 *    8  change counter               16  frames in the WAL (mxFrame)   36  salt 2
 *   12  1: initialised               20  database size in pages        40  checksum s0 \ of the 40 bytes before, as in
 *   13  1: the WAL's checksums       24  the WAL's chain after the     44  checksum s1 / a WAL of this byte order
 *       read words big-endian            last frame, s0, then s1
 *
 *   48  the second copy
 *   96  frames that have been copied into the database file (nBackfill)
 *  100  the mark of each of the five slots of readers: frames that it reads to
 *
 * Invariant: the file is opened once and closed only after the last connection of this process, since closing any
 * descriptor of it drops this process's locks.
 */
import { viewOf } from "../base/bytes.ts";
import { ReplicationError } from "../base/errors.ts";
import type { ByteLock, FileHandle, FileSystem } from "../platform/file_system.ts";
import { type Checksum, RunningChecksum } from "../wal/checksum.ts";
import type { Salt } from "../wal/salt.ts";
import { slotOfReader } from "./reader_slot.ts";

const COPY_SIZE = 48;
const VERSION_AT = 0;
const CHANGE_COUNTER_AT = 8;
const INITIALISED_AT = 12;
const BIG_ENDIAN_SUMS_AT = 13;
const PAGE_SIZE_AT = 14;
const MAX_FRAME_AT = 16;
const DATABASE_PAGES_AT = 20;
const FRAME_CHECKSUM_AT = 24;
const SALT_AT = 32;
const CHECKSUM_AT = 40;
const BACKFILLED_AT = 2 * COPY_SIZE;
const MARKS_AT = BACKFILLED_AT + 4;
const SLOTS = 5;
/**
 * SQLite locks bytes behind the header: 120 for writing, 121 for checkpoints, 123 to 127 for the slots of readers, and 128,
 * shared, by every process that has the file open.
 */
const WRITE_LOCK_AT = 120;
const CHECKPOINT_LOCK_AT = 121;
const FIRST_SLOT_AT = 123;
const LAST_SLOT_AT = 127;
export const OPEN_LOCK_AT = 128;
const READ_SIZE = MARKS_AT + 4 * SLOTS;

const VERSION = 3_007_000;
/** A writer is between its two copies for some nanoseconds; copies that stay unequal are those of a writer that was killed. */
const TRIES_MAX = 16;

const machineIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

export interface WalIndexHeader {
  /** Committed frames in this life of the WAL; frames beyond do not exist yet. */
  readonly mxFrame: number;
  readonly databasePages: number;
  readonly pageSize: number;
  /** The WAL's chain after frame `mxFrame`; means nothing while `mxFrame` is 0. */
  readonly checksum: Checksum;
  readonly salt: Salt;
  /**
   * Frames copied into the database file. At a restart it is reset just after the header, so it may exceed an `mxFrame` of 0;
   * when SQLite repairs a torn header it falls back to 0 within the same life.
   */
  readonly backfilled: number;
  readonly changeCounter: number;
  /** Whether the WAL's own checksums read words little-endian. */
  readonly littleEndianSums: boolean;
}

export class WalIndex {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #bytes = new Uint8Array(READ_SIZE);
  readonly #view = viewOf(this.#bytes);
  readonly #sum = new RunningChecksum();

  private constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  static open(files: FileSystem, path: string): WalIndex {
    return new WalIndex(files.open(path, "read"), path);
  }

  /** Undefined when there is no header yet, or its two copies stay unequal. */
  read(): WalIndexHeader | undefined {
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      if (this.#file.readAt(this.#bytes, 0) < READ_SIZE) return undefined;
      if (this.#bytes[INITIALISED_AT] === 0) return undefined;
      if (this.#isWhole()) return this.#header();
    }
    return undefined;
  }

  /**
   * Whether a connection that begins to read now would wait. SQLite tries again for up to 10 s, which no setting changes, while
   * another process holds one of two locks for itself, each for microseconds, unless it was stopped within them: that of
   * writers, between the two copies of the header, and that of the reader's slot, while its mark is set.
   */
  isHeldUp(): boolean {
    const header = this.read();
    if (header === undefined) return this.#file.isLockedByOthers(WRITE_LOCK_AT, "forItself") === true;
    const isTaken = (slot: number) => this.#file.isLockedByOthers(FIRST_SLOT_AT + slot, "forItself") === true;
    // A checkpoint may have slot 0 for itself for long; then a reader shares another one.
    if (header.backfilled === header.mxFrame && !isTaken(0)) return false;
    const marks = Array.from({ length: SLOTS }, (_, slot) => this.#uint32(MARKS_AT + 4 * slot));
    return isTaken(slotOfReader(marks, header.mxFrame));
  }

  /** Whether a connection of another process is running a checkpoint; undefined where the system cannot tell. */
  isCheckpointRunning(): boolean | undefined {
    return this.#file.isLockedByOthers(CHECKPOINT_LOCK_AT);
  }

  /** Whether another process has it open; undefined where the system cannot tell. */
  isOpenElsewhere(): boolean | undefined {
    return this.#file.isLockedByOthers(OPEN_LOCK_AT);
  }

  /**
   * Holds the slot that is taken last, without a connection. Nobody can restart or cut the WAL meanwhile; for a recovery it
   * is a reader like any other.
   */
  shareSlot(): ByteLock | undefined {
    return this.#file.share(LAST_SLOT_AT, 1);
  }

  close(): void {
    this.#file.close();
  }

  #isWhole(): boolean {
    const view = this.#view;
    for (let at = 0; at < COPY_SIZE; at += 4) {
      if (view.getInt32(at) !== view.getInt32(COPY_SIZE + at)) return false;
    }
    const sum = this.#sum;
    sum.s0 = 0;
    sum.s1 = 0;
    sum.update(view, 0, CHECKSUM_AT, machineIsLittleEndian);
    return view.getInt32(CHECKSUM_AT, machineIsLittleEndian) === sum.s0 &&
      view.getInt32(CHECKSUM_AT + 4, machineIsLittleEndian) === sum.s1;
  }

  #header(): WalIndexHeader {
    const view = this.#view;
    const version = this.#uint32(VERSION_AT);
    if (version !== VERSION) {
      throw new ReplicationError(
        "unsupported",
        `Cannot follow ${this.#path}: its format is version ${version} (${VERSION})`,
      );
    }
    const pageSize = view.getUint16(PAGE_SIZE_AT, machineIsLittleEndian);
    return {
      mxFrame: this.#uint32(MAX_FRAME_AT),
      databasePages: this.#uint32(DATABASE_PAGES_AT),
      pageSize: pageSize === 1 ? 65_536 : pageSize,
      checksum: { s0: this.#uint32(FRAME_CHECKSUM_AT), s1: this.#uint32(FRAME_CHECKSUM_AT + 4) },
      salt: { salt1: view.getUint32(SALT_AT), salt2: view.getUint32(SALT_AT + 4) },
      backfilled: this.#uint32(BACKFILLED_AT),
      changeCounter: this.#uint32(CHANGE_COUNTER_AT),
      littleEndianSums: this.#bytes[BIG_ENDIAN_SUMS_AT] === 0,
    };
  }

  #uint32(at: number): number {
    return this.#view.getUint32(at, machineIsLittleEndian);
  }
}
