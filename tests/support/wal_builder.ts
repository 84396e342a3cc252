import { viewOf } from "../../lib/base/bytes.ts";
import { asOffset, type Offset } from "../../lib/position/position.ts";
import { RunningChecksum } from "../../lib/wal/checksum.ts";
import { FRAME_HEADER_SIZE, frameSize, SUMMED_HEADER_SIZE } from "../../lib/wal/frame.ts";
import { formatWalHeader, parseWalHeader } from "../../lib/wal/header.ts";
import type { Salt } from "../../lib/wal/salt.ts";

export interface WalOptions {
  readonly pageSize?: number;
  readonly littleEndian?: boolean;
  readonly salt?: Salt;
}

/** A WAL made frame by frame, as SQLite would write it; for what the real one cannot be brought to do. */
export class WalBuilder {
  readonly pageSize: number;
  readonly #salt: Salt;
  readonly #littleEndian: boolean;
  readonly #sum = new RunningChecksum();
  readonly #parts: Uint8Array[] = [];
  #size = 0;

  constructor(options: WalOptions = {}) {
    const { pageSize = 4096, littleEndian = true, salt = { salt1: 0x11223344, salt2: 0x55667788 } } = options;
    this.pageSize = pageSize;
    this.#salt = salt;
    this.#littleEndian = littleEndian;
    const header = formatWalHeader({ pageSize, littleEndian, salt, sequence: 0 });
    const parsed = parseWalHeader(header);
    if (parsed.ok) this.#sum.set(parsed.header.checksum);
    this.#push(header);
  }

  /** One transaction: its pages in order, the last one as the commit frame. Returns where it ends. */
  commit(databasePages: number, ...pages: readonly (readonly [page: number, fill: number])[]): Offset {
    pages.forEach(([page, fill], slot) => {
      const frame = new Uint8Array(frameSize(this.pageSize));
      const view = viewOf(frame);
      view.setUint32(0, page);
      view.setUint32(4, slot === pages.length - 1 ? databasePages : 0);
      view.setUint32(8, this.#salt.salt1);
      view.setUint32(12, this.#salt.salt2);
      frame.set(pageOf(this.pageSize, fill), FRAME_HEADER_SIZE);
      this.#sum.update(view, 0, SUMMED_HEADER_SIZE, this.#littleEndian);
      this.#sum.update(view, FRAME_HEADER_SIZE, this.pageSize, this.#littleEndian);
      view.setUint32(16, this.#sum.value().s0);
      view.setUint32(20, this.#sum.value().s1);
      this.#push(frame);
    });
    return asOffset(this.#size);
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  #push(part: Uint8Array): void {
    this.#parts.push(part);
    this.#size += part.length;
  }
}

/** A page that tells its fill in every byte and its place within the page. */
export function pageOf(pageSize: number, fill: number): Uint8Array<ArrayBuffer> {
  const page = new Uint8Array(pageSize);
  for (let i = 0; i < pageSize; i++) page[i] = (fill + i * 7) & 0xff;
  return page;
}

/** A database image of such pages. */
export function imageOf(pageSize: number, ...fills: readonly number[]): Uint8Array<ArrayBuffer> {
  const image = new Uint8Array(pageSize * fills.length);
  fills.forEach((fill, slot) => image.set(pageOf(pageSize, fill), slot * pageSize));
  return image;
}
