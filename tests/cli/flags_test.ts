/** Every flag acts or is refused: none that selects is passed over, on any command and in any company. */
import { parseArguments } from "../../lib/cli/arguments.ts";
import { COMMANDS, findCommand } from "../../lib/cli/commands.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { EPOCH_MS, ReplicaBuilder } from "../support/replica_builder.ts";
import { runInProcess } from "../support/command_in_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf } from "../support/wal_builder.ts";

const URL = "file:///backup/app";

Deno.test("parseArguments() refuses flags that could do nothing beside the others", () => {
  const ofUrl = COMMANDS.filter(({ flags, positionals }) =>
    positionals.max === 1 && flags.some(({ name }) => name === "replica") && flags.some(({ name }) => name === "config")
  ).map(({ name }) => name).filter((name) => name !== "snapshot");
  const beside = ofUrl.flatMap((name) => {
    const place = name === "restore" ? ["-o", "copy.db"] : [];
    return [["--config", "c.yml"], ["--replica", "near"], ["--no-expand-env"]].map((
      flag,
    ) => [name, ...flag, ...place, URL]);
  });
  assert(ofUrl.length >= 7, ofUrl.join());
  const idle = [
    ["replicate", "--config", "c.yml", "app.db", URL],
    ["replicate", "--no-expand-env", "app.db", URL],
    ["verify", "--against-live", URL],
    ["verify", "--seed", "3", URL],
    ["verify", "--level", "reach", "--at", "-1m"],
    ["verify", "--level", "reach", "--sample", "3"],
    ["verify", "--level", "chain", "--slice", "1/7"],
    ["verify", "--level", "intact", "--position", "00000000000000aa/0000000000000000:0"],
    ["verify", "--level", "intact", "--index", "0"],
    ["verify", "--level", "intact", "--keep"],
    ["verify", "--level", "intact", "--scratch", "x"],
    ["verify", "--generation", "00000000000000aa", "--position", "00000000000000aa/0000000000000000:0"],
    ["status", "--long", "--json"],
    ["verify", "--level", "restore", "--against-live"],
    ["verify", "--quiet", "--format", "json"],
  ];
  for (const [name = "", ...words] of [...beside, ...idle]) {
    const command = findCommand(name);
    assert(command !== undefined);
    const error = assertThrows(() => parseArguments(command, words), ReplicationError);
    assertEquals(error.code, "usage", [name, ...words].join(" "));
  }
  const verify = findCommand("verify");
  assert(verify !== undefined);
  for (const words of [["--level", "full", "--at", "-1m"], ["--level", "equal", "--against-live"], ["--seed", "3"]]) {
    parseArguments(verify, words);
  }
});

Deno.test({
  name: "every command refuses a replica that the config does not name, with a database and without one",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const built = new ReplicaBuilder(`${folder}/near`, { startMs: EPOCH_MS });
      await built.snapshot(0, 0, imageOf(4096, 1, 2));
      Deno.writeTextFileSync(`${folder}/app.db`, "");
      Deno.utimeSync(`${folder}/app.db`, new Date(EPOCH_MS), new Date(EPOCH_MS));
      const replicas = `    replicas:\n      - name: near\n        path: ${folder}/near\n`;
      Deno.writeTextFileSync(`${folder}/config.yml`, `dbs:\n  - path: ${folder}/app.db\n${replicas}`);
      const named = COMMANDS.filter(({ flags }) => flags.some(({ name }) => name === "replica"));
      const runs = named.flatMap(({ name, positionals }) => [
        [name, "--config", "config.yml", "--replica", "typo", "app.db"],
        ...(positionals.min === 0 ? [[name, "--config", "config.yml", "--replica", "typo"]] : []),
        [name, "--replica", "typo", "near", ...(name === "restore" ? ["-o", "copy.db"] : [])],
      ]);
      for (const words of runs) {
        const { code, stderr } = await runInProcess(words, folder, {});
        assertEquals(code, 2, `${words.join(" ")}: ${stderr}`);
        if (words.includes("--config")) assertStringIncludes(stderr, 'the replica "typo"');
      }
      const near = ["verify", "--config", "config.yml", "--replica", "near", "--level", "chain"];
      const one = await runInProcess(near, folder, { TMPDIR: folder });
      assertEquals(one.code, 0);
      assertEquals((await runInProcess(["verify", "--against-live", "near"], folder, {})).code, 2);

      Deno.writeTextFileSync(
        `${folder}/low.yml`,
        `verify: {level: chain}\n${Deno.readTextFileSync(`${folder}/config.yml`)}`,
      );
      const verify = (...words: string[]) =>
        runInProcess(["verify", "--config", "low.yml", ...words], folder, { TMPDIR: folder });
      for (const idle of [["--sample", "3"], ["--keep"], ["--scratch", "x"], ["--slice", "1/2"], ["--index", "0"]]) {
        const { code, stderr } = await verify(...idle);
        assertEquals(code, 2, `${idle}: ${stderr}`);
        assertMatch(stderr, /^Cannot use --\S+: the config goes no further than chain, and it does nothing below \w+/);
      }
      assertEquals((await verify("--sample", "3", "--level", "restore")).code, 0);
      assertEquals((await verify()).code, 0);
    }),
});
