import { assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { run } from "../../scripts/project.ts";

Deno.test({
  name: "loadAge() finds the library in a bundle, in a folder where nothing else is",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const entry = new URL("./round_trip.ts", import.meta.url).pathname;
      const program = `${folder}/program.js`;
      const made = await run(Deno.execPath(), ["bundle", "--quiet", "--platform", "deno", "--output", program, entry]);
      assertEquals(made.code, 0, made.stderr);
      const ended = await run(Deno.execPath(), ["run", "--cached-only", "--no-config", program], { cwd: folder });
      assertEquals([ended.code, ended.stdout], [0, "there and back\n"], ended.stderr);
    }),
});
