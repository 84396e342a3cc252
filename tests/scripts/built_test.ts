import { isDenortAtHand, withProgramAlone } from "../../scripts/built.ts";
import { assert, assertEquals, assertFalse } from "../support/assert.ts";
import { programOf } from "../support/program.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

Deno.test("withProgramAlone() gives the file a folder in which nothing else is, and removes it", () =>
  withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/tailrace.js`, "x");
    Deno.writeTextFileSync(`${folder}/deno.json`, "{}");
    let copy = "";
    await withProgramAlone(`${folder}/tailrace.js`, (path) => {
      copy = path;
      const names = [...Deno.readDirSync(path.slice(0, path.lastIndexOf("/")))].map(({ name }) => name);
      assertEquals([names, Deno.readTextFileSync(path)], [["tailrace.js"], "x"]);
      return Promise.resolve();
    });
    let isThere = true;
    try {
      Deno.lstatSync(copy);
    } catch {
      isThere = false;
    }
    assertFalse(isThere);
  }));

Deno.test("isDenortAtHand() believes DENORT_BIN, and else looks into Deno's cache without fetching anything", async () => {
  assert(await isDenortAtHand("/anywhere/denort"));
  await withTemporaryFolder(async (folder) => {
    const archive = `${folder}/dl/release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
    assertFalse(await isDenortAtHand("", folder));
    Deno.mkdirSync(archive.slice(0, archive.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(archive, "");
    assert(await isDenortAtHand("", folder));
  });
});

Deno.test("programOf() starts sources and bundles by Deno, an executable by itself, and builds without a registry", () => {
  const kinds = ["/a/main.ts", "/a/tailrace.js", "/a/tailrace"].map((file) => programOf(file, "/bin/deno"));
  assertEquals(kinds.map(({ kind }) => kind), ["sources", "bundle", "executable"]);
  assertEquals(kinds.map(({ command }) => command), ["/bin/deno", "/bin/deno", "/a/tailrace"]);
  assertEquals(kinds.map(({ parameters }) => parameters.at(-1)), ["/a/main.ts", "/a/tailrace.js", undefined]);
  assertEquals(kinds.map(({ environment }) => "NPM_CONFIG_REGISTRY" in environment), [false, true, true]);
});
