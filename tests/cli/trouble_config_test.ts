/** The rows of the trouble table that a config causes: one clear sentence, exit code 2, and nothing is touched. */
import { assertEquals } from "../support/assert.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const timeout = 20_000;

/** Runs both commands that read a config and do different things with it; they must say the same. */
async function expectRefusal(text: string | undefined, message: string, prepare = (_folder: string) => {}) {
  await withTemporaryFolder(async (folder) => {
    prepare(folder);
    if (text !== undefined) Deno.writeTextFileSync(`${folder}/c.yml`, text);
    const before = namesIn(folder);
    for (const command of ["databases", "replicate"]) {
      const { code, stdout, stderr } = await runTailrace([command, "--config", "c.yml"], { folder });
      const shown = stderr.replaceAll(folder, "");
      assertEquals({ code, stdout, shown }, { code: 2, stdout: "", shown: `${message}\n` }, command);
    }
    assertEquals(namesIn(folder), before);
  });
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test({
  name: "trouble: unknown key",
  timeout,
  fn: () =>
    expectRefusal(
      "dbs:\n  - path: a.db\n    replicas:\n      - path: r\n        sync-intervall: 1s\n",
      'Cannot use config /c.yml:5:9: unknown key "sync-intervall" (did you mean "sync-interval"?)',
    ),
});

Deno.test({
  name: "trouble: wrong type",
  timeout,
  fn: () =>
    expectRefusal(
      "dbs:\n  - path: a.db\n    min-checkpoint-page-count: many\n    replicas: [{path: r}]\n",
      'Cannot use config /c.yml:3:32: the value of "min-checkpoint-page-count" is "many" (it must be a whole number)',
    ),
});

Deno.test({
  name: "trouble: duplicate names",
  timeout,
  fn: () =>
    expectRefusal(
      "dbs:\n  - path: a.db\n    replicas:\n      - {name: near, path: r}\n      - {name: near, path: s}\n",
      'Cannot use config /c.yml:5:16: the replica name "near" is used twice for /a.db ' +
        '(give each of its replicas a "name" of its own)',
    ),
});

Deno.test({
  name: "trouble: nested replica paths",
  timeout,
  fn: () =>
    expectRefusal(
      "dbs:\n  - path: a.db\n    replicas:\n      - path: backup\n" +
        "  - path: b.db\n    replicas:\n      - path: backup/b\n",
      "Cannot use config /c.yml:7:15: the replica /backup/b lies inside the replica /backup " +
        "(each needs a folder of its own)",
    ),
});

Deno.test({
  name: "trouble: the same file twice",
  timeout,
  fn: () =>
    expectRefusal(
      "dbs:\n  - path: a.db\n    replicas: [{path: r}]\n  - path: link.db\n    replicas: [{path: s}]\n",
      "Cannot use config /c.yml:4:11: the database /link.db is the same file as /a.db, which is listed before " +
        "(list each file once, with all its replicas)",
      (folder) => {
        Deno.writeTextFileSync(`${folder}/a.db`, "");
        Deno.symlinkSync(`${folder}/a.db`, `${folder}/link.db`);
      },
    ),
});

Deno.test({
  name: "trouble: undefined variable",
  timeout,
  fn: () =>
    expectRefusal(
      "dbs:\n  - path: a.db\n    replicas:\n      - path: $NO_SUCH_FOLDER/a\n",
      'Cannot use config /c.yml:4:15: the environment variable "NO_SUCH_FOLDER" in the value of "path" is not set ' +
        "(set it, or use --no-expand-env)",
    ),
});

Deno.test({
  name: "trouble: missing file",
  timeout,
  fn: () => expectRefusal(undefined, "Cannot read config /c.yml: there is no such file (named by --config)"),
});
