import { assert, assertEquals } from "../support/assert.ts";
import { type ExpectedWal, GOLDEN_WALS, type GoldenWal, readGoldenWal } from "../golden/read.ts";
import { frameSize } from "../../lib/wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE, type WalHeader } from "../../lib/wal/header.ts";
import { scanFrames } from "../../lib/wal/scanner.ts";

interface GoldenScan {
  readonly header: WalHeader;
  readonly frames: Uint8Array;
  readonly expected: ExpectedWal;
}

function readFrames(name: GoldenWal): GoldenScan {
  const { bytes, expected } = readGoldenWal(name);
  const parsed = parseWalHeader(bytes);
  assert(parsed.ok);
  return { header: parsed.header, frames: bytes.subarray(WAL_HEADER_SIZE), expected };
}

function scanPart({ expected }: GoldenScan): Omit<ExpectedWal, "pageSize" | "littleEndian" | "sequence" | "salt"> {
  const { pageSize: _size, littleEndian: _order, sequence: _sequence, salt: _salt, ...rest } = expected;
  return rest;
}

for (const name of GOLDEN_WALS) {
  Deno.test(`scanFrames() finds in ${name} what SQLite recovers from it`, () => {
    const golden = readFrames(name);
    assertEquals({ ...scanFrames(golden.frames, golden.header, golden.header.checksum) }, scanPart(golden));
  });

  Deno.test(`scanFrames() finds the same in ${name} when it is read in two parts, wherever they meet`, () => {
    const golden = readFrames(name);
    const { header, frames, expected } = golden;
    const size = frameSize(header.pageSize);
    for (let cut = 0; cut <= expected.frames; cut++) {
      const first = scanFrames(frames.subarray(0, cut * size), header, header.checksum);
      assertEquals([first.frames, first.stoppedBy], [cut, "end-of-bytes"]);
      const second = scanFrames(frames.subarray(cut * size), header, first.checksum);
      assertEquals(
        {
          frames: cut + second.frames,
          commits: first.commits + second.commits,
          checksum: second.checksum,
          committedChecksum: second.commits > 0 ? second.committedChecksum : first.committedChecksum,
          databasePages: second.commits > 0 ? second.databasePages : first.databasePages,
          committedFrames: second.commits > 0 ? cut + second.committedFrames : first.committedFrames,
          stoppedBy: second.stoppedBy,
        },
        scanPart(golden),
      );
    }
  });
}

Deno.test("scanFrames() stops before a frame that is not whole, and finds nothing in no bytes", () => {
  const { header, frames } = readFrames("page_512");
  const size = frameSize(header.pageSize);
  assertEquals(scanFrames(frames.subarray(0, 3 * size - 1), header, header.checksum).frames, 2);
  assertEquals(scanFrames(new Uint8Array(), header, header.checksum), {
    frames: 0,
    committedFrames: 0,
    commits: 0,
    databasePages: 0,
    checksum: header.checksum,
    committedChecksum: header.checksum,
    stoppedBy: "end-of-bytes",
  });
});

Deno.test("scanFrames() breaks at once when the chain is continued from a wrong sum", () => {
  const { header, frames } = readFrames("page_512");
  const scan = scanFrames(frames, header, { s0: header.checksum.s0 ^ 1, s1: header.checksum.s1 });
  assertEquals([scan.frames, scan.stoppedBy], [0, "checksum-broken"]);
});

Deno.test("scanFrames() reads bytes that begin anywhere in a larger buffer", () => {
  const golden = readFrames("page_512");
  const inside = new Uint8Array(golden.frames.length + 5);
  inside.set(golden.frames, 5);
  assertEquals(
    { ...scanFrames(inside.subarray(5), golden.header, golden.header.checksum) },
    scanPart(golden),
  );
});
