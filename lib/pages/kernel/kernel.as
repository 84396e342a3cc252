// The kernel of `lib/pages`, in AssemblyScript: `deno task kernel` compiles it to `lib/pages/kernel_bytes.ts`. The memory
// is the caller's. The value of a page is XXH64 of its bytes with the page number as the seed, and 1 where that is 0, since
// 0 stands for a page that was never written.

const PRIME_1: u64 = 11400714785074694791;
const PRIME_2: u64 = 14029467366897019727;
const PRIME_3: u64 = 1609587929392839161;
const PRIME_4: u64 = 9650029242287828579;
const FRAME_HEADER_BYTES: usize = 24;

// @ts-ignore: decorator
@inline
function round(sum: u64, word: u64): u64 {
  return rotl<u64>(sum + word * PRIME_2, 31) * PRIME_1;
}

// @ts-ignore: decorator
@inline
function merge(hash: u64, sum: u64): u64 {
  return (hash ^ round(0, sum)) * PRIME_1 + PRIME_4;
}

/** The end of XXH64 over a length that is a multiple of 32, as every page size is. */
// @ts-ignore: decorator
@inline
function finish(a: u64, b: u64, c: u64, d: u64, length: usize): u64 {
  let sum = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
  sum = merge(merge(merge(merge(sum, a), b), c), d);
  sum += <u64>length;
  sum = (sum ^ (sum >> 33)) * PRIME_2;
  sum = (sum ^ (sum >> 29)) * PRIME_3;
  sum ^= sum >> 32;
  return sum == 0 ? 1 : sum;
}

function hash(at: usize, length: usize, seed: u64): u64 {
  let a = seed + PRIME_1 + PRIME_2;
  let b = seed + PRIME_2;
  let c = seed;
  let d = seed - PRIME_1;
  const end = at + length;
  while (at < end) {
    a = round(a, load<u64>(at));
    b = round(b, load<u64>(at, 8));
    c = round(c, load<u64>(at, 16));
    d = round(d, load<u64>(at, 24));
    at += 32;
  }
  return finish(a, b, c, d, length);
}

/** Values of pages that follow each other, the first with that number; eight bytes each at `values`. */
export function hashPages(at: usize, count: usize, pageSize: usize, firstPage: u32, values: usize): void {
  for (let i: usize = 0; i < count; i++) {
    store<u64>(values + i * 8, hash(at + i * pageSize, pageSize, <u64>firstPage + i));
  }
}

/** The same of WAL frames, which carry the number of their page. */
export function hashFrames(at: usize, count: usize, pageSize: usize, values: usize): void {
  const frame = FRAME_HEADER_BYTES + pageSize;
  for (let i: usize = 0; i < count; i++) {
    const page = bswap<u32>(load<u32>(at + i * frame));
    store<u64>(values + i * 8, hash(at + i * frame + FRAME_HEADER_BYTES, pageSize, page));
  }
}

/** The two words that the chain adds, the first in the upper half. */
// @ts-ignore: decorator
@inline
function ordered(words: u64, isLittle: bool): u64 {
  return isLittle ? rotl<u64>(words, 32) : bswap<u64>(words);
}

// @ts-ignore: decorator
@inline
function scan(
  at: usize,
  count: usize,
  pageSize: usize,
  isLittle: bool,
  salts: u64,
  sum0: u32,
  sum1: u32,
  values: usize,
): usize {
  for (let i: usize = 0; i < count; i++, at += FRAME_HEADER_BYTES + pageSize) {
    const page = bswap<u32>(load<u32>(at));
    if (page == 0 || load<u64>(at, 8) != salts) return i;
    let a = <u64>page + PRIME_1 + PRIME_2;
    let b = <u64>page + PRIME_2;
    let c = <u64>page;
    let d = <u64>page - PRIME_1;
    let words = ordered(load<u64>(at), isLittle);
    sum0 += <u32>(words >> 32) + sum1;
    sum1 += <u32>words + sum0;
    const end = at + FRAME_HEADER_BYTES + pageSize;
    for (let part = at + FRAME_HEADER_BYTES; part < end; part += 32) {
      let word = load<u64>(part);
      a = round(a, word);
      words = ordered(word, isLittle);
      sum0 += <u32>(words >> 32) + sum1;
      sum1 += <u32>words + sum0;
      word = load<u64>(part, 8);
      b = round(b, word);
      words = ordered(word, isLittle);
      sum0 += <u32>(words >> 32) + sum1;
      sum1 += <u32>words + sum0;
      word = load<u64>(part, 16);
      c = round(c, word);
      words = ordered(word, isLittle);
      sum0 += <u32>(words >> 32) + sum1;
      sum1 += <u32>words + sum0;
      word = load<u64>(part, 24);
      d = round(d, word);
      words = ordered(word, isLittle);
      sum0 += <u32>(words >> 32) + sum1;
      sum1 += <u32>words + sum0;
    }
    if (bswap<u32>(load<u32>(at, 16)) != sum0 || bswap<u32>(load<u32>(at, 20)) != sum1) return i;
    store<u64>(values + i * 8, finish(a, b, c, d, pageSize));
  }
  return count;
}

/**
 * How many of the frames, from the first on, are of the WAL with these salts (as they stand in a frame) and continue its
 * chain, which stands at `s0`, `s1` before; and the values of their pages.
 */
export function scanFrames(
  at: usize,
  count: usize,
  pageSize: usize,
  isLittle: bool,
  salt1: u32,
  salt2: u32,
  s0: u32,
  s1: u32,
  values: usize,
): usize {
  const salts = (<u64>bswap<u32>(salt2) << 32) | <u64>bswap<u32>(salt1);
  return isLittle
    ? scan(at, count, pageSize, true, salts, s0, s1, values)
    : scan(at, count, pageSize, false, salts, s0, s1, values);
}
