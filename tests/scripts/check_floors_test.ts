import { assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { checkEdges, checkFiles, type Edge, edgesOf, readGraph } from "../../scripts/check_floors.ts";

function anImport(from: string, to: string): Edge {
  return { from, to, external: !to.includes("/") || to.includes(":") || to.startsWith("@"), line: 7 };
}

function problemsOf(from: string, to: string): string[] {
  return checkEdges([anImport(from, to)]);
}

Deno.test("checkEdges() allows imports that go down, and those inside a room", () => {
  assertEquals(
    checkEdges([
      anImport("main.ts", "lib/platform/clock.ts"),
      anImport("lib/cli/run.ts", "lib/daemon/daemon.ts"),
      anImport("lib/database/database.ts", "lib/wal/header.ts"),
      anImport("lib/store/raw_store.ts", "lib/store/commit_record.ts"),
      anImport("lib/position/keys.ts", "lib/base/bytes.ts"),
    ]),
    [],
  );
});

Deno.test("checkEdges() refuses an import that goes up a floor, and says from where to where", () => {
  assertEquals(problemsOf("lib/wal/header.ts", "lib/database/database.ts"), [
    "lib/wal/header.ts:7 imports lib/database/database.ts: that is up from floor 1 to floor 3",
  ]);
});

Deno.test("checkEdges() refuses an import sideways where no arrow is drawn", () => {
  assertEquals(problemsOf("lib/restore/restore.ts", "lib/replica/replica.ts"), [
    "lib/restore/restore.ts:7 imports lib/replica/replica.ts: that is sideways on floor 3, where no arrow is drawn",
  ]);
  assertEquals(problemsOf("lib/config/parse.ts", "lib/daemon/daemon.ts").length, 1);
  assertEquals(problemsOf("lib/position/position.ts", "lib/wal/header.ts").length, 1);
  assertEquals(problemsOf("lib/base/log.ts", "lib/platform/clock.ts").length, 1);
});

Deno.test("checkEdges() allows the arrows that are drawn, and of a single file only that file", () => {
  assertEquals(problemsOf("lib/daemon/daemon.ts", "lib/config/config.ts"), []);
  assertEquals(problemsOf("main.ts", "lib/cli/run.ts"), []);
  assertEquals(problemsOf("lib/wal/frame.ts", "lib/position/position.ts"), []);
  assertEquals(problemsOf("lib/platform/atomic_write.ts", "lib/base/path.ts"), []);
  assertEquals(problemsOf("lib/replica/replica.ts", "lib/database/source.ts"), []);
  assertEquals(problemsOf("lib/replica/replica.ts", "lib/database/database.ts").length, 1);
  assertEquals(problemsOf("lib/store/raw_store.ts", "lib/clients/client.ts"), []);
  assertEquals(problemsOf("lib/store/raw_store.ts", "lib/clients/file/client.ts").length, 1);
});

Deno.test("checkEdges() keeps the outside world away from the rooms of pure functions", () => {
  assertEquals(problemsOf("lib/wal/scanner.ts", "lib/platform/clock.ts"), [
    "lib/wal/scanner.ts:7 imports lib/platform/clock.ts: lib/wal is pure and may not see lib/platform",
  ]);
});

Deno.test("checkEdges() refuses files without a room and folders whose names only begin like one", () => {
  assertEquals(problemsOf("lib/cli/run.ts", "lib/helpers/text.ts"), [
    "lib/cli/run.ts:7 imports lib/helpers/text.ts: lib/helpers/text.ts lies in no room of the house",
  ]);
  assertEquals(problemsOf("lib/cli/run.ts", "lib/basement/text.ts").length, 1);
  assertEquals(problemsOf("lib/cli/run.ts", "tests/support/assert.ts").length, 1);
});

Deno.test("checkEdges() lets packages in by their doorways only", () => {
  assertEquals(problemsOf("lib/platform/deno_file_system.ts", "node:fs"), []);
  assertEquals(problemsOf("lib/base/path.ts", "@std/path"), []);
  assertEquals(problemsOf("lib/wal/header.ts", "node:fs"), [
    "lib/wal/header.ts:7 imports node:fs: that belongs in lib/platform or lib/sqlite only",
  ]);
  assertEquals(problemsOf("lib/base/log.ts", "@std/path").length, 1);
  assertEquals(problemsOf("lib/cli/run.ts", "left-pad"), [
    "lib/cli/run.ts:7 imports left-pad: no doorway is known for that package",
  ]);
});

Deno.test("checkFiles() refuses barrels, re-exports and files outside the rooms, and allows a package's doorway", () => {
  const problems = checkFiles([
    { path: "lib/wal/mod.ts", text: "" },
    { path: "lib/wal/all.ts", text: `import "./a.ts";\nexport { b } from "./b.ts";\n` },
    { path: "lib/wal/more.ts", text: `export {\n  b,\n} from "../base/b.ts";\n` },
    { path: "lib/alone.ts", text: "" },
    { path: "lib/base/path.ts", text: `export { join } from "@std/path";\n` },
    { path: "lib/wal/frame.ts", text: `export const a = 1;\nconst text = 'from "./b.ts"';\n` },
  ]);
  assertEquals(problems.map((problem) => problem.split(/[ :]/)[0]), [
    "lib/wal/mod.ts",
    "lib/wal/all.ts",
    "lib/wal/more.ts",
    "lib/alone.ts",
  ]);
});

Deno.test("readGraph() sees type-only and dynamic imports, and files that no other file imports", async () => {
  await withTemporaryFolder(async (folder) => {
    Deno.mkdirSync(`${folder}/lib/wal`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/lib/wal/a.ts`, `import type { B } from "./b.ts";\nexport type A = B;\n`);
    Deno.writeTextFileSync(`${folder}/lib/wal/b.ts`, `export type B = 1;\nawait import("./c.ts");\n`);
    Deno.writeTextFileSync(`${folder}/lib/wal/c.ts`, `import "node:fs";\n`);
    const graph = await readGraph(["lib/wal/a.ts", "lib/wal/b.ts"], folder);
    assertEquals(edgesOf(graph, folder), [
      { from: "lib/wal/a.ts", to: "lib/wal/b.ts", external: false, line: 1 },
      { from: "lib/wal/b.ts", to: "lib/wal/c.ts", external: false, line: 2 },
      { from: "lib/wal/c.ts", to: "node:fs", external: true, line: 1 },
    ]);
  });
});
