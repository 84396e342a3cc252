import { inTurn } from "../../scripts/project.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { findMapped, setUp, TEST_AGE_VARIABLE, TEST_LZ4_VARIABLE, TEST_SQLITE_VARIABLE } from "../../scripts/setup.ts";

Deno.test("findMapped() finds the file behind a mapped library", () => {
  const maps = `7f00-7f01 r--p 00000000 08:01 12   /usr/lib/x86_64-linux-gnu/libc.so.6
7f02-7f03 r-xp 00001000 08:01 13   /usr/lib/my libraries/libsqlite3.so.0.8.6
7f04-7f05 rw-p 00000000 00:00 0    [stack]
`;
  assertEquals(findMapped(maps, "libsqlite3.so.0"), "/usr/lib/my libraries/libsqlite3.so.0.8.6");
  assertEquals(findMapped(maps, "libz.so.1"), undefined);
});

Deno.test("setUp() names a SQLite library that can be opened", async () => {
  const { [TEST_SQLITE_VARIABLE]: path = "" } = await setUp();
  const library = Deno.dlopen(path, { sqlite3_libversion_number: { parameters: [], result: "i32" } });
  try {
    assert(library.symbols.sqlite3_libversion_number() > 3_000_000);
  } finally {
    library.close();
  }
});

Deno.test("setUp() names an lz4 program that runs", async () => {
  const { [TEST_LZ4_VARIABLE]: program = "" } = await setUp();
  const { success, stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
  assert(success);
  assert(new TextDecoder().decode(stdout).includes("LZ4"));
});

Deno.test("setUp() names an age program that runs", async () => {
  const { [TEST_AGE_VARIABLE]: program = "" } = await setUp();
  const { success } = await new Deno.Command(program, { args: ["--version"], stdout: "null" }).output();
  assert(success);
});

Deno.test("inTurn() has one after the other work, also when one fails", async () => {
  const seen: string[] = [];
  const work = (name: string, end: () => void) =>
    inTurn(async () => {
      seen.push(`${name} begins`);
      for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
      seen.push(`${name} ends`);
      end();
    });
  const fails = () => {
    throw new Error("no network");
  };
  const ended = await Promise.allSettled([work("a", fails), work("b", () => {}), work("c", () => {})]);
  assertEquals(ended.map(({ status }) => status), ["rejected", "fulfilled", "fulfilled"]);
  for (let slot = 0; slot < seen.length; slot += 2) {
    assertEquals(seen[slot + 1], seen[slot]?.replace("begins", "ends"), seen.join());
  }
  assertEquals(seen.length, 6);
});
