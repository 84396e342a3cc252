import { KERNEL_COMMAND, NO_COMPILER_CODE } from "../../scripts/kernels.ts";
import { run } from "../../scripts/project.ts";
import { KERNEL_BASE64 } from "../../lib/lz4/kernel_bytes.ts";
import { giveBackKernel, Kernel, smallHash, takeKernel, WINDOWS_AT } from "../../lib/lz4/kernel.ts";
import { assert, assertEquals, assertGreater, assertLessOrEqual, assertStrictEquals } from "../support/assert.ts";
import { seededRandom } from "../support/random.ts";
import { someBytes } from "./stage.ts";

const compiled = await run(Deno.execPath(), [...KERNEL_COMMAND, "--print", "lib/lz4"]);

Deno.test({
  name: "KERNEL_BASE64 is what the compiler makes of lib/lz4/kernel/",
  ignore: compiled.code === NO_COMPILER_CODE,
  fn: () => assertEquals({ ...compiled, stderr: "" }, { code: 0, stdout: `${KERNEL_BASE64}\n`, stderr: "" }),
});

Deno.test("smallHash() is xxh32 with seed 0", () => {
  // The reference's values; the third is the header checksum of every frame that we write.
  assertEquals(smallHash(new Uint8Array(0)), 0x02cc5d05);
  assertEquals(smallHash(new TextEncoder().encode("Nobody inspects the spammish repetition")), 0xe2293b2f);
  assertEquals((smallHash(Uint8Array.from([0x64, 0x70])) >>> 8) & 0xff, 0xb9);
});

Deno.test("Kernel.addToContentHash() takes bytes in pieces of any size", () => {
  const kernel = new Kernel(64 << 10);
  const random = seededRandom(5);
  kernel.bytes.set(someBytes("random", 10_000), WINDOWS_AT);
  for (let round = 0; round < 200; round++) {
    const length = Math.floor(random() * 10_000);
    kernel.beginContentHash();
    for (let at = 0; at < length;) {
      const piece = Math.min(length - at, Math.floor(random() * (round % 2 === 0 ? 40 : 3_000)));
      kernel.addToContentHash(WINDOWS_AT + at, piece);
      at += piece;
    }
    assertEquals(kernel.contentHash, kernel.hashOfWindow(WINDOWS_AT, length));
  }
});

Deno.test("takeKernel() hands out again what giveBackKernel() was given", () => {
  const kernel = takeKernel(100_000);
  giveBackKernel(kernel);
  assertStrictEquals(takeKernel(100_000), kernel);
});

const SOURCE_AT = WINDOWS_AT + 1_024;
const TARGET_AT = SOURCE_AT + (96 << 10);
const GUARD = 0xa7;

Deno.test("Kernel.decompress() stays in its windows and ends, whatever the block", () => {
  const kernel = new Kernel(256 << 10);
  const random = seededRandom(2026);
  let wrong = 0;
  for (let round = 0; round < 20_000; round++) {
    const block = round % 2 === 0 ? hostileBlock(random) : tamperedBlock(kernel, random);
    const capacity = Math.floor(random() * (round % 3 === 0 ? 80 : 5_000));
    const history = Math.floor(random() * 3) * 300;
    // Guards all round: what they hold must neither change nor be read to the target.
    kernel.bytes.fill(GUARD, TARGET_AT - 2_048, TARGET_AT + capacity + 256);
    if (history > 0) kernel.bytes.fill(1, TARGET_AT - history, TARGET_AT);
    kernel.bytes.fill(GUARD, SOURCE_AT - 256, SOURCE_AT + block.length + 256);
    kernel.bytes.set(block, SOURCE_AT);
    const source = { at: SOURCE_AT, length: block.length };
    const length = kernel.decompress(source, { at: TARGET_AT, length: capacity }, history);
    if (length < 0) wrong += 1;
    assertLessOrEqual(length, capacity, `seed 2026, round ${round}`);
    assertGreater(length, -2 - block.length, `seed 2026, round ${round}`);
    const guards = [[TARGET_AT - 2_048, TARGET_AT - history], [
      TARGET_AT + capacity,
      TARGET_AT + capacity + 256,
    ]] as const;
    for (const [from, to] of guards) {
      assert(
        kernel.bytes.subarray(from, to).every((byte) => byte === GUARD),
        `seed 2026, round ${round}: a guard fell`,
      );
    }
    if (length > 0 && !block.includes(GUARD)) {
      const target = kernel.bytes.subarray(TARGET_AT, TARGET_AT + length);
      assert(!target.includes(GUARD), `seed 2026, round ${round}: bytes of a guard were read`);
    }
  }
  assertGreater(wrong, 1_000);
});

/** Sequences that are well-formed most of the time, with distances and lengths around every bound. */
function hostileBlock(random: () => number): Uint8Array {
  const bytes: number[] = [];
  const below = (count: number) => Math.floor(random() * count);
  for (let sequences = below(12); sequences >= 0; sequences--) {
    const literals = below(3) === 0 ? 15 : below(15);
    bytes.push((literals << 4) | (below(3) === 0 ? 15 : below(15)));
    const more = literals === 15 ? below(40) : 0;
    if (literals === 15) bytes.push(more);
    for (let i = literals + more; i > 0; i--) bytes.push(below(160));
    if (sequences === 0 && below(2) === 0) break;
    const distance = [below(4), below(20), below(60), below(1_000), 65_535][below(5)] ?? 0;
    bytes.push(distance & 0xff, distance >> 8);
    if (((bytes.at(-3) ?? 0) & 15) === 15) { for (let i = below(4); i > 0; i--) bytes.push(255); }
    bytes.push(below(160));
  }
  return Uint8Array.from(bytes.slice(0, below(10) === 0 ? below(bytes.length) : bytes.length));
}

function tamperedBlock(kernel: Kernel, random: () => number): Uint8Array {
  const length = 20 + Math.floor(random() * 3_000);
  kernel.bytes.set(someBytes("mixed", length, Math.floor(random() * 1e6)).map((byte) => byte & 0x7f), SOURCE_AT);
  const size = kernel.compress({ at: SOURCE_AT, length }, { at: TARGET_AT, length: length + 100 });
  const block = kernel.bytes.slice(TARGET_AT, TARGET_AT + size);
  for (let flips = Math.floor(random() * 4); flips > 0; flips--) {
    block[Math.floor(random() * size)] = Math.floor(random() * 256);
  }
  return block;
}

Deno.test("Kernel.compress() stays in its windows and says when the target is too small", () => {
  const kernel = new Kernel(512 << 10);
  const random = seededRandom(11);
  for (let round = 0; round < 3_000; round++) {
    const length = 1 + Math.floor(random() * (round % 5 === 0 ? 20_000 : 300));
    const content = someBytes((["random", "text", "mixed", "zeros"] as const)[round % 4] ?? "text", length, round);
    const capacity = Math.floor(random() * (length + 40));
    kernel.bytes.set(content, SOURCE_AT);
    kernel.bytes.fill(GUARD, TARGET_AT - 64, TARGET_AT + capacity + 64);
    const size = kernel.compress({ at: SOURCE_AT, length }, { at: TARGET_AT, length: capacity });
    assertLessOrEqual(size, capacity);
    for (const at of [TARGET_AT - 64, TARGET_AT + capacity]) {
      assert(kernel.bytes.subarray(at, at + 64).every((byte) => byte === GUARD), `round ${round}: a guard fell`);
    }
    if (size === 0) continue;
    const back = { at: TARGET_AT + 40_000, length };
    assertEquals(kernel.decompress({ at: TARGET_AT, length: size }, back, 0), length);
    assertEquals(kernel.bytes.slice(back.at, back.at + length), content);
  }
});
