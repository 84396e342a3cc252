import { ReplicationError } from "../../lib/base/errors.ts";
import { openLz4 } from "../../lib/lz4/frame_decoder.ts";
import { smallHash } from "../../lib/lz4/kernel.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { seededRandom } from "../support/random.ts";
import { decoded, encoded, inMemory, joined, MIB, runLz4, someBytes } from "./stage.ts";

const CONTENT = someBytes("mixed", 1_500, 4);

/** Small objects with everything that a frame may have. */
const OBJECTS: Readonly<Record<string, () => Promise<Uint8Array>>> = {
  "of our own": () => encoded(CONTENT),
  "with a trailer": () => encoded(CONTENT, () => new Uint8Array(20)),
  "with block checksums, linked, with its size": () => runLz4(["-BX", "-BD", "--content-size"], CONTENT),
  "empty": () => encoded(new Uint8Array(0)),
  "stored": () => encoded(someBytes("random", 100)),
};

async function refusal(object: Uint8Array): Promise<ReplicationError> {
  return await assertRejects(() => decoded(object), ReplicationError);
}

for (const [name, make] of Object.entries(OBJECTS)) {
  Deno.test(`openLz4() refuses a frame ${name} that is cut at any byte`, async () => {
    const object = await make();
    const wholeFrames = name === "with a trailer" ? object.length - 28 : undefined;
    for (let length = 0; length < object.length; length++) {
      if (length === wholeFrames) continue; // Without the trailer it is a whole object.
      const error = await refusal(object.subarray(0, length));
      assertEquals(error.code, "corrupt");
      assertStringIncludes(error.message, "the object: at byte ");
      // The size alone tells it as well, without the rest.
      const looked = async () => {
        const content = await openLz4(inMemory(object.subarray(0, length)), "it");
        await content.size();
      };
      assertEquals((await assertRejects(looked, ReplicationError)).code, "corrupt");
    }
  });

  Deno.test(`openLz4() finds every flipped bit of a frame ${name}, or it does not matter`, async () => {
    const object = await make();
    const content = await decoded(object);
    let refused = 0;
    for (let bit = 0; bit < object.length * 8; bit++) {
      const damaged = object.slice();
      damaged[bit >>> 3] = (damaged[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        assertEquals(await decoded(damaged), content);
      } catch (error) {
        if (!(error instanceof ReplicationError)) throw error;
        refused += 1;
      }
    }
    assert(refused > object.length);
  });
}

Deno.test("openLz4() says what is wrong and where", async () => {
  const object = await encoded(CONTENT);
  const cases: readonly (readonly [Uint8Array, string, string])[] = [
    [new Uint8Array(0), "corrupt", "Cannot read the object: at byte 0 it ends (an LZ4 frame is expected)"],
    [joined(object, Uint8Array.from([1, 2, 3])), "corrupt", `at byte ${object.length} there is no LZ4 frame`],
    [joined(object, new Uint8Array(100)), "corrupt", `at byte ${object.length} there is no LZ4 frame`],
    [object.with(6, 0), "corrupt", "at byte 6 the checksum of a frame's header is wrong"],
    [object.with(object.length - 1, 0), "corrupt", `at byte ${object.length - 8} the checksum of a frame's content`],
    [object.subarray(0, -4), "corrupt", `at byte ${object.length - 4} it ends in the checksum of a frame`],
    [object.with(10, 0x7f), "corrupt", "at byte 7 a block of"],
    [joined(frameHeader(0x65, 0x40, 1, 0, 0, 0), new Uint8Array(8)), "unsupported", "needs a dictionary"],
    [joined(frameHeader(0xa4, 0x70), new Uint8Array(8)), "unsupported", "of another version of the LZ4 frame format"],
    [joined(frameHeader(0x64, 0x30), new Uint8Array(8)), "unsupported", "of another version of the LZ4 frame format"],
  ];
  for (const [bytes, code, message] of cases) {
    const error = await refusal(bytes);
    assertStringIncludes(error.message, message);
    assertEquals(error.code, code);
  }
});

function frameHeader(...description: readonly number[]): Uint8Array {
  const checksum = (smallHash(Uint8Array.from(description)) >>> 8) & 0xff;
  return joined(Uint8Array.fromHex("04224d18"), Uint8Array.from([...description, checksum]));
}

Deno.test("openLz4() ends on every random run of blocks", async () => {
  const random = seededRandom(77);
  const below = (count: number) => Math.floor(random() * count);
  for (let round = 0; round < 3_000; round++) {
    const header = ["04224d186040" + "82", "04224d184040" + "c0", "02214c18"][below(3)] ?? "";
    const body = Uint8Array.from({ length: below(200) }, () => below(4) === 0 ? below(256) : below(20));
    if (below(2) === 0) body.fill(0, 1, 4);
    try {
      await decoded(joined(Uint8Array.fromHex(header), body));
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw new Error(`seed 77, round ${round}`, { cause: error });
    }
  }
});

Deno.test("openLz4() refuses an object that is shorter than its source says", async () => {
  const object = await encoded(someBytes("mixed", 5 * MIB));
  const source = { ...inMemory(object.subarray(0, object.length - 100)), sizeBytes: object.length };
  const content = await openLz4(source, "it");
  assertEquals((await assertRejects(() => content.verify(), ReplicationError)).code, "corrupt");
});
