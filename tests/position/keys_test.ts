import { assert, assertEquals } from "../support/assert.ts";
import { type Generation, parseGeneration } from "../../lib/position/generation.ts";
import {
  formatGenerationKey,
  formatRawKey,
  formatRawName,
  parseGenerationName,
  parseRawName,
  type RawSuffix,
} from "../../lib/position/keys.ts";
import { asIndex } from "../../lib/position/position.ts";

const SUFFIXES: readonly RawSuffix[] = ["snapshot", "record", "wal", "commits"];

function aGeneration(): Generation {
  const generation = parseGeneration("59c6b84cb3f732e9");
  assert(generation !== undefined);
  return generation;
}

Deno.test("formatRawKey() gives every file of the raw layout its place", () => {
  const keys = SUFFIXES.map((suffix) => formatRawKey(aGeneration(), asIndex(0x1a), suffix));
  assertEquals(keys, [
    "generations/59c6b84cb3f732e9/snapshots/000000000000001a.snapshot",
    "generations/59c6b84cb3f732e9/snapshots/000000000000001a.record",
    "generations/59c6b84cb3f732e9/wal/000000000000001a.wal",
    "generations/59c6b84cb3f732e9/wal/000000000000001a.commits",
  ]);
  assertEquals(formatGenerationKey(aGeneration()), "generations/59c6b84cb3f732e9");
});

Deno.test("formatRawName() and parseRawName() are twins, and each suffix is its own", () => {
  for (const suffix of SUFFIXES) {
    for (const value of [0, 1, 0xabcdef, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const name = formatRawName(asIndex(value), suffix);
      for (const other of SUFFIXES) {
        assertEquals(parseRawName(name, other), other === suffix ? asIndex(value) : undefined);
      }
    }
  }
});

Deno.test("parseRawName() passes over every name that is not exactly of its pattern", () => {
  const names = [
    "",
    ".wal",
    "0000000000000001.wal.tmp",
    "0000000000000001.wal\n",
    "0000000000000001.WAL",
    "000000000000000A.wal",
    "00000000000000001.wal",
    "000000000000001.wal",
    "00000001.wal",
    "0000000000000001wal",
    "0000000000000001.wal.lz4",
    "+000000000000001.wal",
    "0x00000000000001.wal",
    "ffffffffffffffff.wal",
    "../0000000000001.wal",
  ];
  for (const name of names) assertEquals(parseRawName(name, "wal"), undefined, JSON.stringify(name));
});

Deno.test("parseGenerationName() passes over names that are no generation", () => {
  assertEquals(parseGenerationName("59c6b84cb3f732e9"), aGeneration());
  assertEquals(parseGenerationName("59c6b84cb3f732e9.tmp"), undefined);
  assertEquals(parseGenerationName("lost+found"), undefined);
});
