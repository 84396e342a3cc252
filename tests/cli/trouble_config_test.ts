/** The rows of the trouble table that a config causes: one clear sentence, exit code 2, and nothing is touched. */
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { keysOf } from "../../lib/config/keys.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const timeout = 20_000;

const EXAMPLE = "dbs: [{path: /data/app.db, replicas: [{path: /backup/app}]}]";
const PUT_RIGHT = `put that right; docs/config.md has every key, and the smallest config is ${EXAMPLE}`;

/** Runs commands that read a config and do different things with it; they must say the same, and what to do. */
async function expectRefusal(
  text: string | undefined,
  message: string,
  prepare = (_folder: string) => {},
  advice = PUT_RIGHT,
) {
  await withTemporaryFolder(async (folder) => {
    prepare(folder);
    if (text !== undefined) Deno.writeTextFileSync(`${folder}/c.yml`, text);
    const before = namesIn(folder);
    for (const command of ["databases", "replicate", "status"]) {
      const { code, stdout, stderr } = await runTailrace([command, "--config", "c.yml"], { folder });
      const shown = stderr.replaceAll(folder, "");
      assertEquals({ code, stdout, shown }, { code: 2, stdout: "", shown: `${message}\nAdvice: ${advice}\n` }, command);
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
  fn: () =>
    expectRefusal(
      undefined,
      "Cannot read config /c.yml: there is no such file (named by --config)",
      undefined,
      `write it, or name another one; the smallest is ${EXAMPLE}`,
    ),
});

Deno.test({
  name: "trouble: an empty config",
  timeout,
  fn: () => expectRefusal("# nothing yet\n", 'Cannot use config /c.yml: it is empty (list the databases under "dbs")'),
});

Deno.test({
  name: "trouble: no config at all",
  timeout,
  ignore: ["/etc/tailrace.yml", "/etc/litestream.yml"].some((path) => new DenoFileSystem().status(path) !== undefined),
  fn: async () => {
    for (const command of ["status", "replicate", "verify", "snapshot"]) {
      const environment = { TAILRACE_CONFIG: "", LITESTREAM_CONFIG: "" };
      const { code, stderr } = await runTailrace([command], { environment });
      assertEquals(code, 2);
      assertEquals(stderr.split("\n").slice(1), [
        `Advice: write /etc/tailrace.yml, or name one with --config; the smallest is ${EXAMPLE}`,
        "",
      ]);
    }
  },
});

Deno.test({
  name: "trouble: several mistakes in one config",
  timeout,
  fn: () =>
    expectRefusal(
      "colour: red\ndbs:\n  - path: $NOWHERE/a.db\n    lock-budget: soon\n    replicas:\n      - path: r\n",
      'Cannot use config /c.yml:1:1: unknown key "colour" (known here: ' +
        `${keysOf("global").map(({ key }) => key).join(", ")})\n` +
        'Cannot use config /c.yml:3:11: the environment variable "NOWHERE" in the value of "path" is not set ' +
        "(set it, or use --no-expand-env)\n" +
        'Cannot use config /c.yml:4:18: the value of "lock-budget" is "soon" (it must be a duration such as 10s, ' +
        "1m30s or 250ms)",
    ),
});

Deno.test({
  name: "trouble: bytes that are no UTF-8",
  timeout,
  fn: () =>
    expectRefusal(undefined, "Cannot read /c.yml: line 2 is not UTF-8 (it must be a text in UTF-8)", (folder) => {
      const latin1 = Uint8Array.from("dbs:\n  - path: caf\u00e9.db\n", (character) => character.charCodeAt(0));
      Deno.writeFileSync(`${folder}/c.yml`, latin1);
    }, "save it as UTF-8, as an editor or iconv does"),
});

Deno.test({
  name: "trouble: a line feed and quotes from the environment",
  timeout,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/c.yml`, "dbs:\n  - path: $DB\n    replicas: [{path: $TO}]\n");
      const environment = { DB: `${folder}/app.db\n`, TO: `"${folder}/backup"` };
      const { code, stdout, stderr } = await runTailrace(["databases", "--config", "c.yml"], { folder, environment });
      assertEquals(code, 0);
      assertMatch(stdout.replaceAll(folder, ""), /^\/app\.db +file$/m);
      assertEquals(stderr.replaceAll(folder, "").split("\n"), [
        'Warning: config /c.yml:2:11: the environment variable "DB" in the value of "path" is taken without the line ' +
        "feed at its end",
        'Warning: config /c.yml:3:23: the environment variable "TO" in the value of "path" is taken without the quotes ' +
        "around it",
        "",
      ]);
    }),
});
