import { assertEquals } from "../support/assert.ts";
import plugin from "../../scripts/lint_plugin.ts";

/** `rule: what was reported`, in order of the source; what is reported of imports at the start has a test of its own. */
function lint(path: string, source: string, isOfStart = false): string[] {
  return Deno.lint.runPlugin(plugin, path, source)
    .filter(({ id }) => (id === "tailrace/no-node-at-start") === isOfStart)
    .map(({ id, message }) => `${id.replace("tailrace/", "")}: ${message.split(" ")[0]}`);
}

Deno.test("no-node-at-start bans Node's modules from what every run loads, but for SQLite's and for types", () => {
  const source = `
    import fs from "node:fs";
    import type { Stats } from "node:fs";
    import { DatabaseSync } from "node:sqlite";
    import { join } from "../base/path.ts";
  `;
  for (const path of ["main.ts", "lib/platform/a.ts", "lib/sqlite/a.ts"]) {
    assertEquals(lint(path, source, true), ["no-node-at-start: node:fs"], path);
  }
  for (const path of ["scripts/a.ts", "tests/platform/a_test.ts"]) assertEquals(lint(path, source, true), [], path);
});

Deno.test("outside-world bans the names through which the world is reached", () => {
  const source = `
    Deno.exit();
    globalThis.close();
    const started = performance.now();
    setTimeout(stop, 1);
    setInterval(stop, 1);
    setImmediate(stop);
    await fetch("x");
    crypto.getRandomValues(bytes);
    console.error("x");
    const wait = setTimeout;
    const { Deno: door } = bag;
    const file: Deno.FsFile = open();
    const bag2 = { fetch };
  `;
  assertEquals(
    lint("lib/wal/a.ts", source).map((line) => line.split(": ")[1]),
    [
      "Deno",
      "globalThis",
      "performance",
      "setTimeout",
      "setInterval",
      "setImmediate",
      "fetch",
      "crypto",
      "console",
      "setTimeout",
      "Deno",
      "fetch",
    ],
  );
});

Deno.test("outside-world bans reading the clock and drawing by chance, also by an index", () => {
  const source = `Date.now(); Date["now"](); new Date(); Date(); Math.random(); AbortSignal.timeout(5);`;
  assertEquals(lint("lib/cli/a.ts", source), [
    "outside-world: Date.now",
    "outside-world: Date.now",
    "outside-world: new",
    "outside-world: Date()",
    "outside-world: Math.random",
    "outside-world: AbortSignal.timeout",
  ]);
});

Deno.test("outside-world bans node: modules in every form of import", () => {
  const source = `
    import fs from "node:fs";
    import type { Stats } from "node:fs";
    export { join } from "node:path";
    export * from "node:os";
    const zlib = await import("node:zlib");
  `;
  assertEquals(lint("lib/store/a.ts", source), [
    "outside-world: node:fs",
    "outside-world: node:fs",
    "outside-world: node:path",
    "outside-world: node:os",
    "outside-world: node:zlib",
  ]);
});

Deno.test("outside-world lets dates of a known time and properties of the same names pass", () => {
  const source = `
    import { join } from "../base/path.ts";
    interface Platform { fetch(url: string): void; performance: number; readonly console: Console2 }
    new Date(5); Date.UTC(2020, 1); Math.floor(1.5);
    platform.fetch("x"); platform.crypto = 1; clock.setTimeout(1);
    class Clock { setTimeout() {} performance = 1; }
    const options = { fetch: 1, console: 2 };
  `;
  assertEquals(lint("lib/daemon/a.ts", source), []);
});

Deno.test("outside-world is silent behind the doors, and only there", () => {
  const source = `import fs from "node:fs"; Deno.exit(Date.now());`;
  for (const path of ["lib/platform/a.ts", "lib/sqlite/a.ts", "main.ts", "scripts/a.ts", "tests/wal/a_test.ts"]) {
    assertEquals(lint(path, source), [], path);
  }
  for (const path of ["lib/platforms.ts", "lib/cli/main.ts", "lib/database/platform/a.ts"]) {
    assertEquals(lint(path, source).length, 3, path);
  }
});

Deno.test("outside-world knows a file by its absolute path, as deno lint gives it", () => {
  const root = new URL("../..", import.meta.url).pathname;
  assertEquals(lint(`${root}lib/platform/clock.ts`, "Date.now();"), []);
  assertEquals(lint(`${root}lib/wal/header.ts`, "Date.now();"), ["outside-world: Date.now"]);
});

Deno.test("no-iterate bans iterate() on statements everywhere, tests included", () => {
  for (const path of ["lib/sqlite/node_driver.ts", "tests/sqlite/a_test.ts", "main.ts"]) {
    assertEquals(lint(path, `for (const row of db.prepare("select 1").iterate()) use(row);`), [
      "no-iterate: iterate()",
    ]);
  }
  assertEquals(lint("lib/sqlite/a.ts", "iterate(); statement.all();"), []);
});

Deno.test("no-lost-locks bans watchFs and copyFile outside tests, under any receiver", () => {
  const source = `Deno.watchFs("/x"); fs.copyFileSync("a", "b"); const { copyFile } = Deno;`;
  assertEquals(lint("lib/platform/a.ts", source).map((line) => line.split(" ")[1]), [
    "watchFs",
    "copyFileSync",
    "copyFile",
  ]);
  assertEquals(lint("scripts/demo.ts", `Deno.copyFile("a", "b");`).length, 1);
  assertEquals(lint("lib/platform/a.ts", `import { copyFile as copy } from "node:fs";`).length, 1);
  assertEquals(lint("tests/database/a_test.ts", source), []);
});

Deno.test("no-lost-locks lets a function of the same name pass that the file itself declares", () => {
  assertEquals(lint("lib/database/a.ts", `async function copyFile() {} await copyFile();`), []);
});

Deno.test("no-using bans what the bundler's minifier drops, in all that is bundled", () => {
  const source = `{ using a = open(); a.sync(); } async () => { await using b = open(); b.sync(); };`;
  assertEquals(lint("lib/platform/a.ts", source).length, 2);
  assertEquals(lint("tests/platform/a_test.ts", source), []);
});
