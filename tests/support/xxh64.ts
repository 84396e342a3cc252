/** XXH64 by its specification, slowly: what the kernel is compared with. */
import { viewOf } from "../../lib/base/bytes.ts";

const P1 = 11400714785074694791n;
const P2 = 14029467366897019727n;
const P3 = 1609587929392839161n;
const P4 = 9650029242287828579n;
const P5 = 2870177450012600261n;

const u64 = (value: bigint) => BigInt.asUintN(64, value);
const rotl = (value: bigint, by: bigint) => u64((value << by) | (u64(value) >> (64n - by)));
const round = (sum: bigint, word: bigint) => u64(rotl(u64(sum + word * P2), 31n) * P1);
const merge = (hash: bigint, sum: bigint) => u64((hash ^ round(0n, sum)) * P1 + P4);

export function xxh64(bytes: Uint8Array, seed: bigint): bigint {
  const view = viewOf(bytes);
  let at = 0;
  let hash = u64(seed + P5);
  if (bytes.length >= 32) {
    let [a, b, c, d] = [u64(seed + P1 + P2), u64(seed + P2), seed, u64(seed - P1)];
    for (; at + 32 <= bytes.length; at += 32) {
      a = round(a, view.getBigUint64(at, true));
      b = round(b, view.getBigUint64(at + 8, true));
      c = round(c, view.getBigUint64(at + 16, true));
      d = round(d, view.getBigUint64(at + 24, true));
    }
    hash = u64(rotl(a, 1n) + rotl(b, 7n) + rotl(c, 12n) + rotl(d, 18n));
    for (const sum of [a, b, c, d]) hash = merge(hash, sum);
  }
  hash = u64(hash + BigInt(bytes.length));
  for (; at + 8 <= bytes.length; at += 8) {
    hash = u64(rotl(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4);
  }
  if (at + 4 <= bytes.length) {
    hash = u64(rotl(hash ^ u64(BigInt(view.getUint32(at, true)) * P1), 23n) * P2 + P3);
    at += 4;
  }
  for (; at < bytes.length; at++) hash = u64(rotl(hash ^ u64(BigInt(bytes[at] ?? 0) * P5), 11n) * P1);
  hash = u64((hash ^ (hash >> 33n)) * P2);
  hash = u64((hash ^ (hash >> 29n)) * P3);
  return hash ^ (hash >> 32n);
}

/** The value of a page as `docs/format.md` says. */
export function pageValue(page: Uint8Array, number: number): bigint {
  return xxh64(page, BigInt(number)) || 1n;
}

/** The checksum of a whole database image. */
export function databaseChecksum(image: Uint8Array, pageSize: number): Uint8Array {
  let sum = 0n;
  for (let page = 1; page <= image.length / pageSize; page++) {
    if (page !== 0x4000_0000 / pageSize + 1) {
      sum += pageValue(image.subarray((page - 1) * pageSize, page * pageSize), page);
    }
  }
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigUint64(0, BigInt.asUintN(64, sum), true);
  return bytes;
}
