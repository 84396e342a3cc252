import { product } from "../../lib/base/product.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { findForeign, makeBundle } from "../../scripts/bundle.ts";

Deno.test({
  name: "makeBundle() makes one file of the program, which says its version and reads a config in an empty folder",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      assertEquals(await makeBundle(undefined, `${folder}/tailrace.js`), undefined);
      assertEquals([...Deno.readDirSync(folder)].map((entry) => entry.name), ["tailrace.js"]);
    }),
});

Deno.test({
  name: "makeBundle() refuses a bundle with a `require` of its own, which fails only once it is called",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/old.cjs`, `exports.late = () => require("node:process").pid;`);
      Deno.writeTextFileSync(`${folder}/main.ts`, `import old from "./old.cjs"; if (Deno.args[0] === "x") old.late();`);
      const problem = await makeBundle(`${folder}/main.ts`, `${folder}/out.js`);
      assertStringIncludes(problem ?? "", `Cannot use ${folder}/out.js: it holds a \`require\``);
    }),
});

Deno.test({
  name: "makeBundle() says what a bundle answers that is not what it was asked for",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/main.ts`, `console.log("something else");`);
      const problem = await makeBundle(`${folder}/main.ts`, `${folder}/out.js`);
      assertStringIncludes(problem ?? "", `it answers "something else" with code 0 to version`);
    }),
});

Deno.test({
  name: "makeBundle() asks for more than the version, which a program answers that can read no config",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const text =
        `if (Deno.args[0] === "version") console.log("${product.version}"); else throw new Error("no parser");`;
      Deno.writeTextFileSync(`${folder}/main.ts`, text);
      const problem = await makeBundle(`${folder}/main.ts`, `${folder}/out.js`);
      assertStringIncludes(problem ?? "", "no parser");
      assertStringIncludes(problem ?? "", "to databases -config config.yml");
    }),
});

Deno.test({
  name: "makeBundle() says that a source cannot be bundled",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/main.ts`, `import "./missing.ts";`);
      const problem = await makeBundle(`${folder}/main.ts`, `${folder}/out.js`);
      assert(problem?.startsWith(`Cannot bundle ${folder}/main.ts: `));
    }),
});

Deno.test("findForeign() names everything that a lone file cannot load", () => {
  const cases: readonly (readonly [text: string, imports: string[], part: string | undefined])[] = [
    [`import{a}from"node:fs";import("node:zlib")`, ["node:fs", "node:zlib"], undefined],
    [`t.require("a");function require_a(){}`, [], undefined],
    [`x=require("node:process")`, [], "`require`"],
    [`throw Error('Dynamic require of "'+n+'" is not supported')`, [], "`require` that finds nothing"],
    [`import{createRequire as a}from"node:module"`, ["node:module"], "`require` that looks for files"],
    [`import("./other.js")`, ["./other.js"], "`import()`"],
    [`import(name)`, [], "`import()`"],
    [`new Worker(new URL("./worker.ts",import.meta.url))`, [], "the address of a file"],
    [`import{a}from"npm:yaml"`, ["npm:yaml"], "it imports npm:yaml"],
  ];
  for (const [text, imports, part] of cases) {
    const foreign = findForeign(text, imports);
    if (part === undefined) assertEquals(foreign, undefined, text);
    else assertStringIncludes(foreign ?? "nothing", part);
  }
});
