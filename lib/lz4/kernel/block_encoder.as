// One LZ4 block, compressed greedily: the first match that a small table of recent places offers is taken.
//
// A block is a run of sequences: a token (count of literals << 4 | match length - 4), more bytes of the literal count if
// it is 15 or more, the literals, the distance of the match (2 bytes, little-endian), more bytes of the match length.
// The last sequence ends after its literals, at least 5 of them.

const TABLE_BITS: u64 = 12;
const TABLE_BYTES: usize = 4 << <usize>TABLE_BITS;
/** The place at which each hash was last seen, from 32 KiB on. Fits the first-level cache with room for the data. */
const TABLE: usize = 0x8000;
const DISTANCE_MAX: usize = 65535;
const MATCH_MIN: usize = 4;
const LAST_LITERALS: usize = 5;
/** The format wants the last match to begin 12 bytes before the end; 16 let literals be copied 16 at a time. */
const SEARCH_MARGIN: usize = 16;
/** After so many fruitless tries, as a power of two, the search steps one byte further each time. */
const PATIENCE_BITS: usize = 6;

// @ts-ignore: decorator
@inline
function entryOf(at: usize): usize {
  return TABLE + (<usize>(((load<u64>(at) << 24) * 889523592379) >> (64 - TABLE_BITS)) << 2);
}

// @ts-ignore: decorator
@inline
function matches(at: usize, candidate: usize): bool {
  return at - candidate <= DISTANCE_MAX && load<u32>(candidate) == load<u32>(at);
}

// @ts-ignore: decorator
@inline
function commonLength(at: usize, candidate: usize, end: usize): usize {
  const start = at;
  while (at + 8 <= end) {
    const difference = load<u64>(at) ^ load<u64>(candidate);
    if (difference) return at - start + <usize>(ctz<u64>(difference) >> 3);
    at += 8;
    candidate += 8;
  }
  while (at < end && load<u8>(at) == load<u8>(candidate)) {
    at += 1;
    candidate += 1;
  }
  return at - start;
}

/** Writes what a count of 15 or more has beyond its 4 bits; returns the place behind it. */
// @ts-ignore: decorator
@inline
function putRest(out: usize, rest: usize): usize {
  while (rest >= 255) {
    store<u8>(out, 255);
    out += 1;
    rest -= 255;
  }
  store<u8>(out, <u8>rest);
  return out + 1;
}

/** Writes the literals from `anchor` to the end of the block; returns the size of the whole block, 0 if it is too large. */
function putLastLiterals(target: usize, out: usize, outEnd: usize, anchor: usize, sourceEnd: usize): usize {
  const literals = sourceEnd - anchor;
  if (literals + literals / 255 + 2 > outEnd - out) return 0;
  const token = out;
  out += 1;
  if (literals >= 15) {
    store<u8>(token, 240);
    out = putRest(out, literals - 15);
  } else {
    store<u8>(token, <u8>(literals << 4));
  }
  memory.copy(out, anchor, literals);
  return out + literals - target;
}

/**
 * Compresses `length` bytes at `source` into at most `capacity` bytes at `target`; returns their count, 0 if they do not
 * fit. Places below 64 KiB are not taken: a table entry of 0 must be too far away to be a match.
 */
export function compressBlock(source: usize, length: usize, target: usize, capacity: usize): usize {
  const sourceEnd = source + length;
  const outEnd = target + capacity;
  let out = target;
  let anchor = source;
  if (source <= DISTANCE_MAX) return 0;
  if (length <= SEARCH_MARGIN) return putLastLiterals(target, out, outEnd, anchor, sourceEnd);
  const searchEnd = sourceEnd - SEARCH_MARGIN;
  const matchEnd = sourceEnd - LAST_LITERALS;
  memory.fill(TABLE, 0, TABLE_BYTES);
  let at = source;
  store<u32>(entryOf(at), <u32>at);
  at += 1;
  while (true) {
    let next = at;
    let step: usize = 1;
    let tries: usize = 1 << PATIENCE_BITS;
    let nextEntry = entryOf(next);
    let candidate: usize;
    do {
      at = next;
      const entry = nextEntry;
      next += step;
      step = tries >> PATIENCE_BITS;
      tries += 1;
      if (next > searchEnd) return putLastLiterals(target, out, outEnd, anchor, sourceEnd);
      candidate = load<u32>(entry);
      nextEntry = entryOf(next);
      store<u32>(entry, <u32>at);
    } while (!matches(at, candidate));
    while (at > anchor && candidate > source && load<u8>(at - 1) == load<u8>(candidate - 1)) {
      at -= 1;
      candidate -= 1;
    }

    const literals = at - anchor;
    let token = out;
    // Token, literals and their count, copied beyond their end by up to 15 bytes; distance; one byte of match length.
    if (literals + literals / 255 + 24 > outEnd - out) return 0;
    out += 1;
    if (literals >= 15) {
      store<u8>(token, 240);
      out = putRest(out, literals - 15);
    } else {
      store<u8>(token, <u8>(literals << 4));
    }
    let from = anchor;
    let to = out;
    out += literals;
    do {
      v128.store(to, v128.load(from));
      to += 16;
      from += 16;
    } while (to < out);

    while (true) {
      store<u16>(out, <u16>(at - candidate));
      out += 2;
      const beyond = commonLength(at + MATCH_MIN, candidate + MATCH_MIN, matchEnd);
      at += MATCH_MIN + beyond;
      if (beyond >= 15) {
        if (beyond / 255 + 8 > outEnd - out) return 0;
        store<u8>(token, load<u8>(token) + 15);
        out = putRest(out, beyond - 15);
      } else {
        store<u8>(token, load<u8>(token) + <u8>beyond);
      }
      anchor = at;
      if (at > searchEnd) return putLastLiterals(target, out, outEnd, anchor, sourceEnd);
      store<u32>(entryOf(at - 2), <u32>(at - 2));
      const entry = entryOf(at);
      candidate = load<u32>(entry);
      store<u32>(entry, <u32>at);
      if (!matches(at, candidate)) break;
      if (outEnd - out < 8) return 0;
      token = out;
      store<u8>(token, 0);
      out += 1;
    }
    at += 1;
  }
}
