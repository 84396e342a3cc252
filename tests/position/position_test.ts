import { assert, assertEquals } from "../support/assert.ts";
import { createGeneration, parseGeneration } from "../../lib/position/generation.ts";
import {
  asIndex,
  asOffset,
  comparePositions,
  formatIndex,
  formatPosition,
  parseIndex,
  parsePosition,
  type Position,
  stillHolds,
} from "../../lib/position/position.ts";

function aPosition(index: number, offset: number): Position {
  const generation = parseGeneration("59c6b84cb3f732e9");
  assert(generation !== undefined);
  return { generation, index: asIndex(index), offset: asOffset(offset) };
}

Deno.test("formatPosition() writes index in hex and offset in decimal", () => {
  assertEquals(formatPosition(aPosition(3, 4152)), "59c6b84cb3f732e9/0000000000000003:4152");
  assertEquals(formatPosition(aPosition(0xabcdef, 0)), "59c6b84cb3f732e9/0000000000abcdef:0");
});

Deno.test("formatPosition() and parsePosition() are twins", () => {
  for (const index of [0, 1, 255, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    for (const offset of [0, 32, 4152, 2 ** 32 + 32, 999_999_999_999_999]) {
      const position = aPosition(index, offset);
      assertEquals(parsePosition(formatPosition(position)), position);
    }
  }
});

Deno.test("parsePosition() takes an index as people shorten it", () => {
  assertEquals(parsePosition("59c6b84cb3f732e9/3:4152"), aPosition(3, 4152));
});

Deno.test("parsePosition() refuses everything that is not exactly a position", () => {
  const texts = [
    "",
    "59c6b84cb3f732e9",
    "59c6b84cb3f732e9/3",
    "59c6b84cb3f732e9/3:",
    "59c6b84cb3f732e9/:5",
    "59c6b84cb3f732e9/3:-5",
    "59c6b84cb3f732e9/3:5.0",
    "59c6b84cb3f732e9/3:0x20",
    "59c6b84cb3f732e9/g:5",
    "59c6b84cb3f732e/3:5",
    "59C6B84CB3F732E9/3:5",
    " 59c6b84cb3f732e9/3:5",
    "59c6b84cb3f732e9/3:5\n",
    "59c6b84cb3f732e9/ffffffffffffffff:5",
    "59c6b84cb3f732e9/00000000000000003:5",
    "59c6b84cb3f732e9/3:9999999999999999",
  ];
  for (const text of texts) assertEquals(parsePosition(text), undefined, JSON.stringify(text));
});

Deno.test("formatIndex() and parseIndex() are twins up to the largest exact number", () => {
  for (const value of [0, 1, 15, 16, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    assertEquals(formatIndex(asIndex(value)).length, 16);
    assertEquals(parseIndex(formatIndex(asIndex(value))), asIndex(value));
  }
  assertEquals(parseIndex("0020000000000000"), undefined);
  assertEquals(parseIndex("ffffffffffffffff"), undefined);
});

Deno.test("parseIndex() takes one to sixteen hex digits of either case", () => {
  assertEquals(parseIndex("1F"), asIndex(31));
  for (const text of ["", "0x1", "-1", "1 ", "1.0", "g", "1\n", "00000000000000001"]) {
    assertEquals(parseIndex(text), undefined, JSON.stringify(text));
  }
});

Deno.test("comparePositions() orders by index, then by offset", () => {
  const positions = [aPosition(1, 0), aPosition(0, 9000), aPosition(0, 32), aPosition(256, 0), aPosition(1, 5)];
  assertEquals(positions.sort(comparePositions).map(({ index, offset }) => `${index}:${offset}`), [
    "0:32",
    "0:9000",
    "1:0",
    "1:5",
    "256:0",
  ]);
  assertEquals(comparePositions(aPosition(2, 7), aPosition(2, 7)), 0);
});

Deno.test("createGeneration() writes eight bytes as sixteen digits that parseGeneration() takes", () => {
  const generation = createGeneration(Uint8Array.of(0, 1, 0x0f, 0xf0, 0xff, 0xab, 0xcd, 0xef, 0x99));
  assertEquals<string>(generation, "00010ff0ffabcdef");
  assertEquals(parseGeneration(generation), generation);
});

Deno.test("parseGeneration() takes sixteen lowercase hex digits and nothing else", () => {
  for (
    const text of [
      "",
      "59c6b84cb3f732e",
      "59c6b84cb3f732e99",
      "59C6B84CB3F732E9",
      "59c6b84cb3f732g9",
      "..",
      "59c6b84cb3f732e9\n",
    ]
  ) {
    assertEquals(parseGeneration(text), undefined, JSON.stringify(text));
  }
});

Deno.test("stillHolds() believes an end that was reached, of the same history; of an index that began, the one before it", () => {
  const written = aPosition(3, 4152);
  assertEquals([aPosition(3, 4152), aPosition(4, 0), aPosition(3, 32)].map((found) => stillHolds(found, written)), [
    true,
    true,
    false,
  ]);
  const generation = parseGeneration("00000000000000bb");
  assert(generation !== undefined);
  assertEquals([stillHolds(undefined, written), stillHolds({ ...written, generation }, written)], [false, false]);
  const began = aPosition(3, 0);
  assertEquals([aPosition(2, 32), aPosition(1, 9_000)].map((found) => stillHolds(found, began)), [true, false]);
});
