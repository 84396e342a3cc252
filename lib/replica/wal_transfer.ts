import { ReplicationError } from "../base/errors.ts";
import { asOffset, formatPosition, type Offset } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { WalPieces } from "../store/generation_store.ts";
import type { DatabaseSource, ShadowReader } from "../database/source.ts";
import type { Checksum } from "../wal/checksum.ts";
import { frameSize } from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE, type WalHeader } from "../wal/header.ts";
import { scanFrames } from "../wal/scanner.ts";

/** Records up to an offset that are no points, and become one. */
export interface JoinedRecords {
  readonly offset: Offset;
  /** None of what follows is of an earlier time. */
  readonly capturedAtMs: number;
}

/**
 * WAL bytes on their way from the shadow WAL to a replica. Salts and chain are checked once more here, by other code than
 * wrote them: what leaves this host is known to be whole.
 */
export class WalTransfer implements WalPieces {
  readonly #reader: ShadowReader;
  readonly #buffer: Uint8Array;
  readonly #start: Offset;
  readonly #joined: JoinedRecords | undefined;
  #header: WalHeader | undefined;
  #chain: Checksum | undefined;

  /** `buffer` holds at least one frame of the largest page and is reused for every piece. */
  constructor(
    reader: ShadowReader,
    buffer: Uint8Array,
    known: { header: WalHeader; chain: Checksum } | undefined,
    joined?: JoinedRecords,
  ) {
    this.#reader = reader;
    this.#buffer = buffer;
    this.#start = reader.position().offset;
    this.#joined = joined;
    this.#header = known?.header;
    this.#chain = known?.chain;
  }

  /** Where the chain stands after what was passed on, to continue from next time. */
  get known(): { header: WalHeader; chain: Checksum } | undefined {
    return this.#header === undefined || this.#chain === undefined
      ? undefined
      : { header: this.#header, chain: this.#chain };
  }

  async next(): Promise<Uint8Array> {
    if (this.#reader.position().offset >= this.#reader.end().offset) return this.#buffer.subarray(0, 0);
    if (this.#reader.position().offset === 0) return await this.#readHeader();
    const { header, chain } = this.#expectKnown();
    const size = frameSize(header.pageSize);
    const bytes = this.#buffer.subarray(0, Math.floor(this.#buffer.length / size) * size);
    const at = this.#reader.position();
    const piece = bytes.subarray(0, await this.#reader.read(bytes));
    const scan = scanFrames(piece, header, chain);
    if (scan.frames * size !== piece.length) {
      throw new ReplicationError(
        "corrupt",
        `Cannot replicate from ${formatPosition(at)}: a frame of the shadow WAL is damaged`,
      );
    }
    this.#chain = scan.checksum;
    return piece;
  }

  records(): readonly CommitRecord[] {
    const records = this.#reader.records(this.#start);
    return this.#joined === undefined ? records : joinRecords(records, this.#joined);
  }

  async #readHeader(): Promise<Uint8Array> {
    const bytes = this.#buffer.subarray(0, WAL_HEADER_SIZE);
    const parsed = parseWalHeader(bytes.subarray(0, await this.#reader.read(bytes)));
    if (!parsed.ok) throw new ReplicationError("corrupt", `Cannot replicate: in the shadow WAL ${parsed.reason}`);
    this.#header = parsed.header;
    this.#chain = parsed.header.checksum;
    return bytes;
  }

  #expectKnown(): { header: WalHeader; chain: Checksum } {
    const known = this.known;
    if (known !== undefined) return known;
    throw new ReplicationError("failed", "Cannot replicate: the chain before the position is not known");
  }
}

/** One record for all that end at or before the offset. */
function joinRecords(
  records: readonly CommitRecord[],
  { offset, capturedAtMs: notBeforeMs }: JoinedRecords,
): readonly CommitRecord[] {
  const count = records.findLastIndex(({ end, indexClosed }) => end <= offset && !indexClosed) + 1;
  const [first] = records;
  const last = records[count - 1];
  const joined = first === undefined || last === undefined ? [] : [{ ...last, start: first.start }];
  return [...joined, ...records.slice(count)]
    .map((record) => ({ ...record, capturedAtMs: Math.max(record.capturedAtMs, notBeforeMs) }));
}

/** Header and chain at a position inside an index, from the shadow WAL; undefined before the header. */
export async function knownAt(source: DatabaseSource, reader: ShadowReader, offset: Offset) {
  if (offset === 0) return undefined;
  const mark = source.markAt(reader.position().index, offset);
  const start = source.openReader({ ...reader.position(), offset: asOffset(0) });
  try {
    const bytes = new Uint8Array(WAL_HEADER_SIZE);
    const parsed = parseWalHeader(bytes.subarray(0, await start.read(bytes)));
    if (mark === undefined || !parsed.ok) return undefined;
    return { header: parsed.header, chain: mark.checksum };
  } finally {
    start.close();
  }
}
