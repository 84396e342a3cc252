/**
 * The cumulative checksum of a WAL: two unsigned 32-bit sums over pairs of 32-bit words a, b:
 *
 *     s0 = s0 + a + s1
 *     s1 = s1 + b + s0      (modulo 2^32)
 *
 * The magic number of the WAL header says in which byte order words are read; the sums themselves are always stored
 * big-endian.
 */
export interface Checksum {
  readonly s0: number;
  readonly s1: number;
}

export const ZERO_CHECKSUM: Checksum = { s0: 0, s1: 0 };

export function equalChecksums(a: Checksum, b: Checksum): boolean {
  return a.s0 === b.s0 && a.s1 === b.s1;
}

/** The running form, for hot loops: one object, no allocation a frame. `length` is a multiple of 8. */
export class RunningChecksum {
  s0 = 0;
  s1 = 0;

  set(sum: Checksum): void {
    this.s0 = sum.s0 | 0;
    this.s1 = sum.s1 | 0;
  }

  update(view: DataView, start: number, length: number, littleEndian: boolean): void {
    let s0 = this.s0;
    let s1 = this.s1;
    const end = start + length;
    for (let at = start; at < end; at += 8) {
      s0 = (s0 + view.getInt32(at, littleEndian) + s1) | 0;
      s1 = (s1 + view.getInt32(at + 4, littleEndian) + s0) | 0;
    }
    this.s0 = s0;
    this.s1 = s1;
  }

  /** Whether the sums are those stored big-endian at `at`. */
  equalsStored(view: DataView, at: number): boolean {
    return view.getInt32(at) === this.s0 && view.getInt32(at + 4) === this.s1;
  }

  value(): Checksum {
    return { s0: this.s0 >>> 0, s1: this.s1 >>> 0 };
  }
}
