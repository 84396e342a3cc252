// One LZ4 block, decompressed. Nothing is trusted: no byte is read outside the block and what was decoded before, none is
// written outside the target, and each turn of a loop takes at least one byte of the block.

const MATCH_MIN: usize = 4;
/** Left in the block, and in the target, as long as sequences without long counts can be taken without further looks. */
const FAST_SOURCE: usize = 32;
const FAST_TARGET: usize = 64;

/** For distances from 1 to 15: which of the bytes at the match each of the next 16 bytes repeats. */
const PATTERNS: usize = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
  0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, //
  0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, //
  0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, //
  0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, //
  0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, //
  0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1, //
  0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, //
  0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 6, //
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, //
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2, 3, 4, //
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 1, 2, 3, //
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 1, 2, //
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0, 1, //
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0, //
], 16);

/** Copies 16 bytes at a time, up to 15 bytes beyond the end. */
// @ts-ignore: decorator
@inline
function copyBeyond(to: usize, from: usize, end: usize): void {
  do {
    v128.store(to, v128.load(from));
    to += 16;
    from += 16;
  } while (to < end);
}

/** Copies a match of which the source may overlap the target, up to 15 bytes beyond the end. */
// @ts-ignore: decorator
@inline
function copyMatchBeyond(out: usize, distance: usize, end: usize): void {
  const from = out - distance;
  if (distance >= 16) {
    copyBeyond(out, from, end);
    return;
  }
  const pattern = i8x16.swizzle(v128.load(from), v128.load(PATTERNS + (distance << 4)));
  const step = 15 - <usize>load<u8>(PATTERNS + (distance << 4), 15); // The largest multiple of the distance below 16.
  do {
    v128.store(out, pattern);
    out += step;
  } while (out < end);
}

/** The same, not one byte beyond the end. */
function copyMatch(out: usize, distance: usize, end: usize): void {
  const from = out - distance;
  if (distance >= end - out) {
    memory.copy(out, from, end - out);
    return;
  }
  while (out < end) {
    store<u8>(out, load<u8>(out - distance));
    out += 1;
  }
}

/**
 * Decompresses the block of `length` bytes at `source` to at most `capacity` bytes at `target`, before which `history`
 * bytes may be repeated from. Returns the count of bytes, or -1 - the place in the block at which it is wrong.
 */
export function decompressBlock(source: usize, length: usize, target: usize, capacity: usize, history: usize): i32 {
  const end = source + length;
  const outEnd = target + capacity;
  const lowest = target - history;
  let at = source;
  let out = target;
  while (at < end) {
    const token = <usize>load<u8>(at);
    at += 1;
    let literals = token >> 4;
    let matchLength = token & 15;
    let distance: usize;
    if (literals < 15 && end - at >= FAST_SOURCE && outEnd - out >= FAST_TARGET) {
      v128.store(out, v128.load(at));
      at += literals;
      out += literals;
      distance = <usize>load<u16>(at);
      at += 2;
      if (matchLength < 15 && distance >= 16 && distance <= out - lowest) {
        const from = out - distance;
        v128.store(out, v128.load(from));
        store<u16>(out, load<u16>(from, 16), 16);
        out += matchLength + MATCH_MIN;
        continue;
      }
    } else {
      if (literals == 15) {
        let more: usize;
        do {
          if (at >= end) return -1 - <i32>(at - source);
          more = <usize>load<u8>(at);
          at += 1;
          literals += more;
        } while (more == 255);
      }
      if (literals > end - at || literals > outEnd - out) return -1 - <i32>(at - source);
      if (literals + 16 <= end - at && literals + 16 <= outEnd - out) {
        copyBeyond(out, at, out + literals);
      } else {
        memory.copy(out, at, literals);
      }
      at += literals;
      out += literals;
      if (at == end) return <i32>(out - target);
      if (end - at < 2) return -1 - <i32>(at - source);
      distance = <usize>load<u16>(at);
      at += 2;
    }
    if (distance == 0 || distance > out - lowest) return -1 - <i32>(at - source);
    if (matchLength == 15) {
      let more: usize;
      do {
        if (at >= end) return -1 - <i32>(at - source);
        more = <usize>load<u8>(at);
        at += 1;
        matchLength += more;
      } while (more == 255);
    }
    matchLength += MATCH_MIN;
    if (matchLength > outEnd - out) return -1 - <i32>(at - source);
    const matchEnd = out + matchLength;
    if (outEnd - matchEnd >= 16) {
      copyMatchBeyond(out, distance, matchEnd);
    } else {
      copyMatch(out, distance, matchEnd);
    }
    out = matchEnd;
  }
  return -1 - <i32>(at - source); // A match cannot be the last of a block.
}
