import { assert, assertEquals, assertFalse } from "../support/assert.ts";
import { readGoldenWal } from "../golden/read.ts";
import { FRAME_SALT_AT, frameSize } from "../../lib/wal/frame.ts";
import { WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { equalSalts, isEarlier, mayFollow } from "../../lib/wal/salt.ts";

Deno.test("equalSalts() looks at both salts", () => {
  assert(equalSalts({ salt1: 1, salt2: 2 }, { salt1: 1, salt2: 2 }));
  assertFalse(equalSalts({ salt1: 1, salt2: 2 }, { salt1: 1, salt2: 3 }));
  assertFalse(equalSalts({ salt1: 1, salt2: 2 }, { salt1: 0, salt2: 2 }));
});

Deno.test("mayFollow() knows one restart: the first salt grows by one, over the end of 32 bits too", () => {
  assert(mayFollow({ salt1: 8, salt2: 99 }, { salt1: 7, salt2: 2 }));
  assert(mayFollow({ salt1: 0, salt2: 99 }, { salt1: 0xffffffff, salt2: 2 }));
  assertFalse(mayFollow({ salt1: 7, salt2: 99 }, { salt1: 7, salt2: 2 }));
  assertFalse(mayFollow({ salt1: 9, salt2: 99 }, { salt1: 7, salt2: 2 }));
});

Deno.test("mayFollow() agrees with what SQLite did when it restarted a WAL", () => {
  const { bytes, expected } = readGoldenWal("restart_leftovers");
  const leftover = WAL_HEADER_SIZE + expected.frames * frameSize(expected.pageSize) + FRAME_SALT_AT;
  const view = new DataView(bytes.buffer);
  const previous = { salt1: view.getUint32(leftover), salt2: view.getUint32(leftover + 4) };
  assert(mayFollow(expected.salt, previous));
  assertEquals(mayFollow(previous, expected.salt), false);
  assert(isEarlier(previous, expected.salt));
  assertFalse(isEarlier(expected.salt, previous));
});

Deno.test("isEarlier() knows a life of some restarts before, over the end of 32 bits too", () => {
  assert(isEarlier({ salt1: 7, salt2: 9 }, { salt1: 8, salt2: 2 }));
  assert(isEarlier({ salt1: 0xfffffffe, salt2: 9 }, { salt1: 3, salt2: 2 }));
  assertFalse(isEarlier({ salt1: 8, salt2: 9 }, { salt1: 8, salt2: 2 }));
  assertFalse(isEarlier({ salt1: 9, salt2: 9 }, { salt1: 8, salt2: 2 }));
});

Deno.test("isEarlier() takes neither zeros nor salts far away for an earlier life", () => {
  assertFalse(isEarlier({ salt1: 0, salt2: 0 }, { salt1: 8, salt2: 2 }));
  assertFalse(isEarlier({ salt1: 0x8000_0000, salt2: 9 }, { salt1: 8, salt2: 2 }));
});
