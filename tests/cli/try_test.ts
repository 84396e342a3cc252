/** What is printed after "Try:" runs as it stands, in the shell of whoever copies it. */
import { DatabaseSync } from "node:sqlite";
import { asCalled, commandLine, ownCommandLine } from "../../lib/base/command_line.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { type CommandResult, runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const LIB = new URL("../../lib/", import.meta.url);

/** Files of `lib/` that make such a command, each with a row below. */
const MAKERS = [
  "cli/advice.ts",
  "cli/arguments.ts",
  "cli/chosen_replicas.ts",
  "cli/help.ts",
  "cli/prune.ts",
  "cli/status_text.ts",
];

function* sourcesBelow(folder: URL, prefix = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* sourcesBelow(new URL(`${name}/`, folder), `${prefix}${name}/`);
    else if (name.endsWith(".ts")) yield `${prefix}${name}`;
  }
}

Deno.test("only the known files make a command of this program as advice", () => {
  const makers = [...sourcesBelow(LIB)].filter((name) => {
    const text = Deno.readTextFileSync(new URL(name, LIB));
    return /import \{[^}]*\bownCommandLine\b[^}]*\} from/.test(text) ||
      /(advice:[^,;]{0,80}|return )`\$\{product\.name\} /.test(text);
  });
  assertEquals(makers.sort(), MAKERS);
});

Deno.test("commandLine() quotes what a shell would take apart", async () => {
  const words = ["a b", "it's", "", "$HOME", 'say "x"', "*.db", "/plain/p-1_2.db", "a\nb"];
  const { stdout } = await new Deno.Command("sh", { args: ["-c", `printf '%s|' ${commandLine(words)}`] }).output();
  assertEquals(new TextDecoder().decode(stdout), words.map((word) => `${word}|`).join(""));
});

Deno.test("asCalled() puts the way the program was called before a command, and leaves a sentence alone", () => {
  const advice = ownCommandLine(["restore", "-o", "a b.db"]);
  assertEquals(asCalled(advice, ["deno", "run", "/x y/t.js"]), "deno run '/x y/t.js' restore -o 'a b.db'");
  assertEquals(asCalled("mount it", ["tailrace"]), undefined);
});

/** Copies the line after "Try:" into a shell; the program is called as it says itself. */
async function runAdvised(
  result: CommandResult,
  folder: string,
): Promise<{ code: number; text: string; line: string }> {
  const [, line = ""] = /^ *Try: (.*)$/m.exec(result.stdout + result.stderr) ?? [];
  assert(line !== "", `a line to try in ${result.stdout}${result.stderr}`);
  const env = { TAILRACE_COMMAND: "", TAILRACE_CONFIG: "", LITESTREAM_CONFIG: "", NO_COLOR: "1" };
  const output = await new Deno.Command("sh", { args: ["-c", line], cwd: folder, env }).output();
  const decoder = new TextDecoder();
  return { code: output.code, text: decoder.decode(output.stdout) + decoder.decode(output.stderr), line };
}

interface Stage {
  readonly folder: string;
  readonly run: (...words: readonly string[]) => Promise<CommandResult>;
}

/** In a folder whose name a shell would take apart, called as nobody called it before. */
function tryTest(name: string, work: (stage: Stage) => Promise<void>): void {
  const fn = () =>
    withTemporaryFolder(async (parent) => {
      const folder = `${parent}/it's here`;
      Deno.mkdirSync(folder);
      await work({ folder, run: (...words) => runTailrace(words, { folder, environment: { TAILRACE_COMMAND: "" } }) });
    });
  Deno.test({ name, timeout: 60_000, fn });
}

tryTest("what the command line gets wrong leads to help that is there", async ({ folder, run }) => {
  for (const words of [["restroe"], ["frobnicate"], ["restore", "--forse", "x"], ["wal"], ["prune", "a", "b"]]) {
    const { code, text, line } = await runAdvised(await run(...words), folder);
    assertEquals(code, 0, `${line}\n${text}`);
  }
});

tryTest("an unknown database leads to those of the config", async ({ folder, run }) => {
  Deno.writeTextFileSync(`${folder}/c d.yml`, `dbs: [{path: "${folder}/app.db", replicas: [{path: "${folder}/r"}]}]\n`);
  const { code, text } = await runAdvised(await run("restore", "--config", "c d.yml", "other.db"), folder);
  assertEquals(code, 0, text);
  assertMatch(text, /app\.db/);
});

tryTest("damage of WAL leads to the newest state before it, for restore and for verify", async ({ folder, run }) => {
  const replica = new ReplicaBuilder(`${folder}/replica`);
  const wal = new WalBuilder();
  const ends = [wal.commit(2, [1, 10]), wal.commit(2, [2, 20])];
  await replica.snapshot(0, 0, imageOf(4096, 1, 2));
  await replica.wal(0, wal.bytes(), ...ends.map((end) => ({ end, databasePages: 2 })));
  const path = replica.path(0, "wal");
  const bytes = Deno.readFileSync(path);
  bytes[(ends[0] ?? 0) + 100] = (bytes[(ends[0] ?? 0) + 100] ?? 0) ^ 1;
  Deno.writeFileSync(path, bytes);
  const restored = await runAdvised(await run("restore", "-o", "out put.db", `file://${folder}/replica`), folder);
  assertEquals(restored.code, 0, `${restored.line}\n${restored.text}`);
  assertEquals(Deno.readFileSync(`${folder}/out put.db`), imageOf(4096, 10, 2));
  const verified = await runAdvised(await run("verify", `file://${folder}/replica`), folder);
  assertEquals(verified.code, 0, `${verified.line}\n${verified.text}`);
  assertEquals(Deno.readFileSync(`${folder}/restored.db.restored`), imageOf(4096, 10, 2));
});

tryTest("a damaged snapshot leads to a new one, of a URL to what else there is", async ({ folder, run }) => {
  const database = new DatabaseSync(`${folder}/app.db`);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)");
  Deno.writeTextFileSync(`${folder}/c.yml`, `dbs: [{path: "${folder}/app.db", replicas: [{path: "${folder}/r"}]}]\n`);
  assertEquals((await run("replicate", "--once", "--config", "c.yml")).code, 0);
  const [{ name = "" } = {}] = [...Deno.readDirSync(`${folder}/r/generations`)];
  const image = `${folder}/r/generations/${name}/snapshots/0000000000000000.snapshot`;
  const bytes = Deno.readFileSync(image);
  bytes[5_000] = (bytes[5_000] ?? 0) ^ 1;
  Deno.writeFileSync(image, bytes);
  const points = await runAdvised(await run("restore", "-o", "a.db", `file://${folder}/r`), folder);
  assertEquals(points.code, 0, points.text);
  const made = await runAdvised(await run("restore", "-o", "a.db", "--config", "c.yml", "app.db"), folder);
  assertEquals(made.code, 0, made.text);
  assertEquals((await run("restore", "-o", "a.db", "--config", "c.yml", "app.db")).code, 0);
  database.close();
});
