/**
 * What stands in a folder, by few calls on other threads: its names by the hundred, and a look at each of so many paths in one
 * go. A call of its own for each look costs the run-time some twenty times what it costs the kernel.
 */
import { limits } from "../base/limits.ts";
import { kindOfMode } from "./file_kind.ts";
import { ANSWER_AT, LOOK_BYTES, type RawCalls } from "./raw_calls.ts";
import type { FoundAtPath, PathLook } from "./system_calls.ts";

/** Some 1,400 names of 23 letters. */
const ENTRIES_BYTES = 64 << 10;

/** struct dirent64: inode and place, 64 bits each; length, 16 bits; type, 8 bits; the name and a zero byte. */
const LENGTH_AT = 16;
const NAME_AT = 19;

/** struct stat, the same on the machines of `raw_calls.ts`. */
const SIZE_AT = 48;
const MODIFIED_AT = 88;
const MODIFIED_NANOSECONDS_AT = 96;

const ENOENT = 2;
const EINTR = 4;
const ENOTDIR = 20;

/** Of a UTF-16 unit. */
const UTF8_BYTES_MAX = 3;
const encoder = new TextEncoder();

const TWO_TO_32 = 2 ** 32;
const NANOSECONDS_A_MS = 1e6;

/** In the order in which the folder has them; `next` brings more entries, 0 bytes at the end. */
export async function readNames(next: (into: Uint8Array<ArrayBuffer>) => Promise<number>): Promise<string[]> {
  const names: string[] = [];
  const bytes = new Uint8Array(new ArrayBuffer(ENTRIES_BYTES));
  const view = new DataView(bytes.buffer);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (let got = await next(bytes); got > 0; got = await next(bytes)) {
    for (let at = 0; at < got; at += view.getUint16(at + LENGTH_AT, true)) {
      const name = decoder.decode(bytes.subarray(at + NAME_AT, bytes.indexOf(0, at + NAME_AT)));
      if (name !== "." && name !== "..") names.push(name);
    }
  }
  return names;
}

/** Looks at each of a few paths. */
export class Looks {
  readonly #raw: Pick<RawCalls, "looks" | "modeAt">;
  readonly #errorOf: (errno: number) => Error;

  constructor(raw: Pick<RawCalls, "looks" | "modeAt">, errorOf: (errno: number) => Error) {
    this.#raw = raw;
    this.#errorOf = errorOf;
  }

  /** What a signal interrupted is looked at again. */
  async at(paths: readonly string[]): Promise<FoundAtPath[]> {
    const found: FoundAtPath[] = [];
    for (let from = 0; from < paths.length;) {
      const some = await this.#some(paths.slice(from));
      from += some.length;
      for (const look of some) found.push(look);
    }
    return found;
  }

  async #some(paths: readonly string[]): Promise<FoundAtPath[]> {
    const stride = paths.reduce((longest, { length }) => Math.max(longest, length), 0) * UTF8_BYTES_MAX + 1;
    const bytes = new Uint8Array(new ArrayBuffer(stride * paths.length));
    for (const [slot, path] of paths.entries()) encoder.encodeInto(path, bytes.subarray(slot * stride));
    const statuses = new DataView(new ArrayBuffer(LOOK_BYTES * paths.length));
    await this.#raw.looks(bytes, stride, new Uint8Array(statuses.buffer), paths.length);
    const found: FoundAtPath[] = [];
    for (let at = 0; at < statuses.byteLength; at += LOOK_BYTES) {
      const errno = -statuses.getInt32(at + ANSWER_AT, true);
      if (errno === EINTR) break;
      if (errno <= 0) found.push(this.#look(statuses, at));
      else found.push(errno === ENOENT || errno === ENOTDIR ? undefined : this.#errorOf(errno));
    }
    return found;
  }

  #look(statuses: DataView, at: number): PathLook {
    return {
      kind: kindOfMode(statuses.getUint32(at + this.#raw.modeAt, true)),
      size: wordAt(statuses, at + SIZE_AT),
      modifiedAtMs: timeOf(wordAt(statuses, at + MODIFIED_AT), wordAt(statuses, at + MODIFIED_NANOSECONDS_AT)),
    };
  }
}

/** Exact up to 2^53. */
function wordAt(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * TWO_TO_32 + view.getUint32(at, true);
}

/** As the run-time tells it: what is less than a millisecond is cut off, towards 1970. */
function timeOf(seconds: number, nanoseconds: number): number {
  const part = nanoseconds / NANOSECONDS_A_MS;
  const ms = seconds * 1_000 + (seconds < 0 ? Math.ceil(part) : Math.floor(part));
  return Math.abs(ms) <= limits.latestMs ? ms : limits.latestMs;
}
