import { assert, assertEquals } from "../support/assert.ts";
import { randomBytes, randomInteger, seededRandom } from "../support/random.ts";
import { createGeneration, parseGeneration } from "../../lib/position/generation.ts";
import { formatRawName, parseRawName, type RawSuffix } from "../../lib/position/keys.ts";
import {
  asIndex,
  asOffset,
  formatIndex,
  formatPosition,
  parseIndex,
  parsePosition,
} from "../../lib/position/position.ts";

const SUFFIXES: readonly RawSuffix[] = ["snapshot", "record", "wal", "commits"];
/** Characters that stand in names, and some that a careless parser would take for them. */
const CHARACTERS = "0123456789abcdefABCDEF/:.-+_ xlwt\n\0é٣";

function aNoise(random: () => number, length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += CHARACTERS[randomInteger(random, CHARACTERS.length)];
  return text;
}

/** One character inserted, removed or replaced. */
function edit(text: string, random: () => number): string {
  const at = randomInteger(random, text.length + 1);
  const how = randomInteger(random, 3);
  return text.slice(0, at) + (how === 0 ? "" : aNoise(random, 1)) + text.slice(how === 1 ? at : at + 1);
}

function aNumber(random: () => number): number {
  return randomInteger(random, 2 ** randomInteger(random, 54));
}

Deno.test("parseRawName() reads back every name, and of edited names only those that are exactly a name", () => {
  for (let seed = 0; seed < 5000; seed++) {
    const random = seededRandom(seed);
    const suffix = SUFFIXES[randomInteger(random, 4)] ?? "wal";
    const index = asIndex(aNumber(random));
    const name = formatRawName(index, suffix);
    assertEquals(parseRawName(name, suffix), index, `seed ${seed}`);
    const edited = edit(name, random);
    const parsed = parseRawName(edited, suffix);
    if (parsed !== undefined) assertEquals(formatRawName(parsed, suffix), edited, `seed ${seed}`);
  }
});

Deno.test("parsePosition() reads back every position, and of edited ones what is still a position", () => {
  for (let seed = 0; seed < 5000; seed++) {
    const random = seededRandom(seed);
    const position = {
      generation: createGeneration(randomBytes(random, 8)),
      index: asIndex(aNumber(random)),
      offset: asOffset(randomInteger(random, 10 ** 15)),
    };
    const text = formatPosition(position);
    assertEquals(parsePosition(text), position, `seed ${seed}`);
    const parsed = parsePosition(edit(text, random));
    if (parsed !== undefined) assertEquals(parsePosition(formatPosition(parsed)), parsed, `seed ${seed}`);
  }
});

Deno.test("parseIndex() and parseGeneration() give exact values or none for noise, and never throw", () => {
  for (let seed = 0; seed < 5000; seed++) {
    const random = seededRandom(seed);
    const noise = aNoise(random, randomInteger(random, 24));
    const index = parseIndex(noise);
    if (index !== undefined) {
      assert(Number.isSafeInteger(index), `seed ${seed}`);
      assertEquals(formatIndex(index), noise.toLowerCase().padStart(16, "0"), `seed ${seed}`);
    }
    const generation = parseGeneration(noise);
    assertEquals<string | undefined>(generation, generation === undefined ? undefined : noise, `seed ${seed}`);
    assertEquals(parsePosition(noise), undefined, `seed ${seed}`);
    assertEquals(parseRawName(noise, "wal"), undefined, `seed ${seed}`);
  }
});
