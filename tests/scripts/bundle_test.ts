import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { makeBundle } from "../../scripts/bundle.ts";

Deno.test({
  name: "makeBundle() makes one file of the program, which says its version in an empty folder",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      assertEquals(await makeBundle(undefined, `${folder}/tailrace.js`), undefined);
      assertEquals([...Deno.readDirSync(folder)].map((entry) => entry.name), ["tailrace.js"]);
    }),
});

Deno.test({
  name: "makeBundle() says what a bundle answers that is not the version",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/main.ts`, `console.log("something else");`);
      const problem = await makeBundle(`${folder}/main.ts`, `${folder}/out.js`);
      assertStringIncludes(problem ?? "", `it answers "something else" with code 0`);
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
