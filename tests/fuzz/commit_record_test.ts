import { assert, assertEquals } from "../support/assert.ts";
import { randomBytes, randomInteger, seededRandom } from "../support/random.ts";
import { crc32c } from "../../lib/base/crc32c.ts";
import { createGeneration } from "../../lib/position/generation.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import {
  COMMIT_RECORD_SIZE,
  type CommitRecord,
  formatCommitRecord,
  parseCommitRecord,
  type RecordHome,
} from "../../lib/store/commit_record.ts";

function aRandomRecord(random: () => number): CommitRecord {
  const kind = (["sync", "snapshot", "resync"] as const)[randomInteger(random, 3)] ?? "sync";
  const indexClosed = kind === "sync" && random() < 0.3;
  const start = randomInteger(random, 2 ** 45);
  return {
    kind,
    pageSize: 512 << randomInteger(random, 8),
    start: asOffset(start),
    end: asOffset(kind === "snapshot" || indexClosed ? start : start + 1 + randomInteger(random, 2 ** 40)),
    capturedAtMs: randomInteger(random, 2 ** 45),
    databasePages: randomInteger(random, 2 ** 32),
    ...(random() < 0.5 ? { checksum: randomBytes(random, 8) } : {}),
    ...(random() < 0.5
      ? {
        confirmedAt: {
          index: asIndex(randomInteger(random, 2 ** 48)),
          offset: asOffset(randomInteger(random, 2 ** 45)),
        },
      }
      : {}),
    capturedLate: random() < 0.5,
    indexClosed,
  };
}

function aRandomHome(random: () => number): RecordHome {
  const generation = createGeneration(randomBytes(random, 8));
  return { generation, index: asIndex(randomInteger(random, 2 ** 48)) };
}

Deno.test("parseCommitRecord() reads back every record that formatCommitRecord() can write", () => {
  for (let seed = 0; seed < 3000; seed++) {
    const random = seededRandom(seed);
    const record = aRandomRecord(random);
    assertEquals(parseCommitRecord(formatCommitRecord(record)), { ok: true, record }, `seed ${seed}`);
    const home = aRandomHome(random);
    const bytes = formatCommitRecord(record, home);
    assertEquals(parseCommitRecord(bytes, home), { ok: true, record: { ...record, isAtHome: true } }, `seed ${seed}`);
    assert(!parseCommitRecord(bytes, aRandomHome(random)).ok, `seed ${seed}`);
  }
});

Deno.test("parseCommitRecord() refuses a record of which any one bit is flipped", () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = seededRandom(seed);
    const bytes = formatCommitRecord(aRandomRecord(random), seed % 2 === 0 ? undefined : aRandomHome(random));
    for (let bit = 0; bit < 8 * COMMIT_RECORD_SIZE; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert(!parseCommitRecord(flipped).ok, `seed ${seed}, bit ${bit}`);
    }
  }
});

Deno.test("parseCommitRecord() never throws on random bytes and believes none of them", () => {
  for (let seed = 0; seed < 3000; seed++) {
    const random = seededRandom(seed);
    const parsed = parseCommitRecord(randomBytes(random, randomInteger(random, 130)));
    assert(!parsed.ok && parsed.reason.startsWith("a commit record"), `seed ${seed}`);
  }
});

Deno.test("parseCommitRecord() believes bytes with a right checksum only when they say what a writer can have said", () => {
  for (let seed = 0; seed < 3000; seed++) {
    const random = seededRandom(seed);
    const home = random() < 0.5 ? undefined : aRandomHome(random);
    const bytes = formatCommitRecord(aRandomRecord(random), home);
    const at = randomInteger(random, 60);
    bytes[at] = randomInteger(random, 256);
    new DataView(bytes.buffer).setUint32(60, crc32c(bytes.subarray(0, 60)), true);
    const parsed = parseCommitRecord(bytes, home);
    // What is believed is what the writer of that record would have written, to the last byte.
    if (parsed.ok) assertEquals(formatCommitRecord(parsed.record, home), bytes, `seed ${seed}, byte ${at}`);
  }
});
