/** What is printed after "Try:" runs as it stands, in the shell of whoever copies it. */
import { DatabaseSync } from "node:sqlite";
import { asCalled, commandLine, operands, ownCommandLine } from "../../lib/base/command_line.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { startAnswers } from "../support/answers.ts";
import { runInProcess } from "../support/command_in_process.ts";
import { type Daemon, startReplicate, until } from "../support/daemon.ts";
import { testedProgram } from "../support/program.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const LIB = new URL("../../lib/", import.meta.url);

/** Every place in the sources that makes such a command: its file, and the command's first word. */
const PLACES: Readonly<Record<string, (stage: Stage) => Promise<Produced>>> = {
  "cli/advice.ts points": damagedSnapshotOfUrl,
  "cli/advice.ts replicate": lateWithoutDaemon,
  "cli/advice.ts restore": damagedWal,
  "cli/advice.ts snapshot": damagedSnapshot,
  "cli/advice.ts status": lateBesideDaemon,
  "cli/arguments.ts command": async ({ run }) => ({
    said: await run("restore", "--forse", "x"),
    line: /restore --help$/,
  }),
  "cli/chosen_replicas.ts databases": unknownDatabase,
  "cli/help.ts help": async ({ run }) => ({ said: await run("frobnicate-all"), line: /help$/ }),
  "cli/help.ts suggestion": async ({ run }) => ({ said: await run("restroe"), line: /restore --help$/ }),
  "cli/prune.ts arguments_.command": interruptedPrune,
  "cli/status_text.ts ps": silentDaemon,
  "cli/status_text.ts replicate": statusWithoutDaemon,
  "cli/status_text.ts snapshot": lostSnapshot,
  "cli/status_text.ts status": beingTakenUp,
  "cli/status_text.ts verify": neverVerified,
  "daemon/daemon.ts ps": (stage) => besideAnother(stage, 2),
  "database/identity.ts sqlite3": rollbackMode,
  "database/state_folder.ts ps": (stage) => besideAnother(stage, 1),
  "database/wal_capture.ts sqlite3": damagedLiveWal,
  "replica/presence.ts mkdir": missingPlace,
};

/** A run that printed it, and what it must look like to be this one and no other. */
interface Produced {
  readonly said: string;
  readonly line: RegExp;
  /** Of the line, when it is run; 0 unless this is given. */
  readonly code?: number;
  /** What it then has done. */
  readonly after?: () => void | Promise<void>;
  /** It goes on until this stands on its stderr, and is then asked to stop. */
  readonly until?: string;
}

interface Stage {
  /** `it's here`, below the temporary folder. */
  readonly folder: string;
  /** Text of both outputs. */
  readonly run: (...words: readonly string[]) => Promise<string>;
  readonly daemon: (...words: readonly string[]) => Daemon;
}

function* sourcesBelow(folder: URL, prefix = ""): Generator<readonly [name: string, text: string]> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const url = new URL(isDirectory ? `${name}/` : name, folder);
    if (isDirectory) yield* sourcesBelow(url, `${prefix}${name}/`);
    else if (name.endsWith(".ts")) yield [`${prefix}${name}`, Deno.readTextFileSync(url)];
  }
}

const CALL = /\b(?:ownC|c)ommandLine\(\s*(?:\[\s*(?:"([^"]+)"|([\w.]+))|(?!\[))/g;

Deno.test("each place that makes a command to try is produced below, and there is no other way to make one", () => {
  const places: string[] = [];
  const others: string[] = [];
  for (const [name, text] of sourcesBelow(LIB)) {
    if (name === "base/command_line.ts") continue;
    for (const [call, literal, word] of text.matchAll(CALL)) {
      places.push(`${name} ${literal ?? word ?? `a call that begins with no word: ${call}`}`);
    }
    for (const [found] of text.matchAll(/advice: *[`"](\$\{product\.name\}|tailrace|ps|sqlite3) [^`"]*/g)) {
      others.push(`${name}: ${found}`);
    }
  }
  assertEquals(places.toSorted(), Object.keys(PLACES).toSorted());
  assertEquals(others, []);
});

Deno.test("commandLine() quotes what a shell would take apart", async () => {
  const words = ["a b", "it's", "", "$HOME", 'say "x"', "*.db", "/plain/p-1_2.db", "a\nb"];
  const { stdout } = await new Deno.Command("sh", { args: ["-c", `printf '%s|' ${commandLine(words)}`] }).output();
  assertEquals(new TextDecoder().decode(stdout), `${words.join("|")}|`);
  assertEquals(ownCommandLine(["restore", "/data/app.db"]), "tailrace restore /data/app.db");
  assertEquals(operands(["-x.db"]), ["--", "-x.db"]);
});

Deno.test("asCalled() puts the way the program was called before a command, and leaves a sentence alone", () => {
  assertEquals(asCalled("tailrace status", ["tailrace"]), "tailrace status");
  const line = ownCommandLine(["restore", "-o", "a b.db"]);
  assertEquals(asCalled(line, ["deno", "run", "/x y/t.js"]), "deno run '/x y/t.js' restore -o 'a b.db'");
  assertEquals(asCalled("mount it", ["tailrace"]), undefined);
});

/** In a shell that finds `tailrace`, as an operator has it. */
async function runLine(
  line: string,
  folder: string,
  until: string | undefined,
): Promise<{ code: number; text: string }> {
  const { command, parameters } = testedProgram;
  const bin = `${folder}/bin`;
  Deno.mkdirSync(bin);
  Deno.writeTextFileSync(`${bin}/tailrace`, `#!/bin/sh\nexec ${commandLine([command, ...parameters])} "$@"\n`, {
    mode: 0o755,
  });
  const env = { ...testedProgram.environment, PATH: `${bin}:${Deno.env.get("PATH")}` };
  const child = new Deno.Command("sh", {
    args: ["-c", until === undefined ? line : `exec ${line}`],
    cwd: folder,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdout = new Response(child.stdout).text();
  let stderr = "";
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    const wasSaid = until !== undefined && stderr.includes(until);
    stderr += text;
    if (until !== undefined && !wasSaid && stderr.includes(until)) child.kill("SIGTERM");
  }
  return { code: (await child.status).code, text: await stdout + stderr };
}

for (const [place, produce] of Object.entries(PLACES)) {
  const fn = () =>
    withTemporaryFolder(async (parent) => {
      const folder = `${parent}/it's here`;
      Deno.mkdirSync(folder);
      const daemons: Daemon[] = [];
      const stage: Stage = {
        folder,
        run: async (...words) => {
          const { stdout, stderr } = await runTailrace(words, { folder });
          return stdout + stderr;
        },
        daemon: (...words) => {
          const daemon = startReplicate(words);
          daemons.push(daemon);
          return daemon;
        },
      };
      try {
        const { said, line: pattern, code = 0, after, until } = await produce(stage);
        const [, line = ""] = /(?:Try: |on purpose: )(.*)$/m.exec(said) ?? [];
        assertMatch(line, pattern, said);
        const ran = await runLine(line, folder, until);
        assertEquals(ran.code, code, `${line}\n${ran.text}`);
        await after?.();
      } finally {
        for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
      }
    });
  Deno.test({ name: `what ${place} makes runs as it is printed`, timeout: 120_000, fn });
}

const CONFIG = "c d.yml";

/** A real database with the replica `r`, by the config `c d.yml`. */
function aDatabase(folder: string, mode = "WAL"): DatabaseSync {
  const path = `${folder}/app.db`;
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = ${mode}; CREATE TABLE t(x); INSERT INTO t VALUES (1)`);
  const text = `dbs:\n  - path: "${path}"\n    replicas:\n      - path: "${folder}/r"\n`;
  Deno.writeTextFileSync(`${folder}/${CONFIG}`, text);
  return database;
}

function flip(path: string, at: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  Deno.writeFileSync(path, bytes);
}

/** And its replica, of which the snapshot is damaged. */
async function aDamagedSnapshot({ folder, run }: Stage): Promise<void> {
  const database = aDatabase(folder);
  await run("replicate", "--once", "--config", CONFIG);
  database.close();
  const [{ name = "" } = {}] = [...Deno.readDirSync(`${folder}/r/generations`)];
  flip(`${folder}/r/generations/${name}/snapshots/0000000000000000.snapshot`, 5_000);
}

async function damagedSnapshotOfUrl(stage: Stage): Promise<Produced> {
  await aDamagedSnapshot(stage);
  const url = `file://${stage.folder}/r`;
  return { said: await stage.run("restore", "-o", "a.db", url), line: /^tailrace points 'file:/ };
}

async function damagedSnapshot(stage: Stage): Promise<Produced> {
  await aDamagedSnapshot(stage);
  const restore = () => stage.run("restore", "-o", "a.db", "--config", CONFIG, "app.db");
  return {
    said: await restore(),
    line: /^tailrace snapshot --config 'c d\.yml' app\.db$/,
    after: async () => assertMatch(await restore(), /^Restored /m),
  };
}

async function damagedWal({ folder, run }: Stage): Promise<Produced> {
  const replica = new ReplicaBuilder(`${folder}/r`);
  const wal = new WalBuilder();
  const ends = [wal.commit(2, [1, 10]), wal.commit(2, [2, 20])];
  await replica.snapshot(0, 0, imageOf(4096, 1, 2));
  await replica.wal(0, wal.bytes(), ...ends.map((end) => ({ end, databasePages: 2 })));
  flip(replica.path(0, "wal"), (ends[0] ?? 0) + 100);
  const said = await run("restore", "-o", "out put.db", `file://${folder}/r`);
  const [, verified = ""] = /Try: (.*)/.exec(await run("verify", `file://${folder}/r`)) ?? [];
  assertMatch(verified, /^tailrace restore --position \S+ --output restored\.db\.restored 'file:/);
  return {
    said,
    line: /^tailrace restore --position \S+ --output 'out put\.db' 'file:/,
    after: () => assertEquals(Deno.readFileSync(`${folder}/out put.db`), imageOf(4096, 10, 2)),
  };
}

async function lateWithoutDaemon({ folder, run }: Stage): Promise<Produced> {
  const database = aDatabase(folder);
  await run("replicate", "--once", "--config", CONFIG);
  database.exec("INSERT INTO t VALUES (2)");
  const verify = () => run("verify", "--config", CONFIG, "--max-age", "1s", "app.db");
  let said = "";
  await until(async () => (said = await verify()).startsWith("STALE"), "the commit to be missing for a second");
  return {
    said,
    line: /^tailrace replicate --config 'c d\.yml'$/,
    until: "Following",
    after: async () => {
      database.close();
      assertEquals(await verify(), "");
    },
  };
}

async function lateBesideDaemon({ folder, run, daemon: start }: Stage): Promise<Produced> {
  const database = aDatabase(folder);
  const daemon = start("--config", `${folder}/${CONFIG}`);
  await daemon.line("Snapshot done");
  const copy = async (from: string, to: string) => await new Deno.Command("cp", { args: ["-r", from, to] }).output();
  await copy(`${folder}/r`, `${folder}/older`);
  database.exec("INSERT INTO t VALUES (2)");
  await until(async () => /, 0s, |\b0s\b/.test(await run("status", "--config", CONFIG)), "the commit on the replica");
  Deno.removeSync(`${folder}/r`, { recursive: true });
  await copy(`${folder}/older`, `${folder}/r`);
  const said = await run("verify", "--config", CONFIG, "app.db");
  database.close();
  return { said, line: /^tailrace status --config 'c d\.yml' '\/.*app\.db'$/, code: 4 };
}

async function unknownDatabase({ folder, run }: Stage): Promise<Produced> {
  aDatabase(folder).close();
  const said = await run("restore", "--config", CONFIG, "other.db");
  return { said, line: /^tailrace databases --config '\/.*c d\.yml'$/ };
}

async function interruptedPrune({ folder }: Stage): Promise<Produced> {
  const replica = new ReplicaBuilder(`${folder}/r`);
  await replica.snapshot(0, 0, imageOf(4096, 1, 2));
  const words = ["prune", "--retention", "72h", `file://${folder}/r`];
  const { stdout, stderr } = await runInProcess(words, folder, {}, {
    onSignal: (heard) => {
      heard("SIGTERM");
      return () => {};
    },
  });
  return { said: stdout + stderr, line: /^tailrace prune --retention 72h 'file:/ };
}

async function statusWithoutDaemon({ folder, run }: Stage): Promise<Produced> {
  aDatabase(folder).close();
  const said = await run("status", "--config", CONFIG);
  return { said, line: /^tailrace replicate --config 'c d\.yml'$/, until: "Following" };
}

async function neverVerified({ folder, run, daemon: start }: Stage): Promise<Produced> {
  const database = aDatabase(folder);
  const daemon = start("--config", `${folder}/${CONFIG}`);
  await daemon.line("Snapshot done");
  let said = "";
  await until(async () => (said = await run("status", "--config", CONFIG)).includes("never verified"), "only that");
  database.close();
  return { said, line: /^tailrace verify --config 'c d\.yml' '\/.*app\.db'$/ };
}

async function lostSnapshot({ folder, run }: Stage): Promise<Produced> {
  aDatabase(folder).close();
  await run("replicate", "--once", "--config", CONFIG);
  const [{ name = "" } = {}] = [...Deno.readDirSync(`${folder}/r/generations`)];
  Deno.removeSync(`${folder}/r/generations/${name}/snapshots/0000000000000000.snapshot`);
  const said = await run("status", "--config", CONFIG);
  return { said, line: /^tailrace snapshot --config 'c d\.yml' --replica file '\/.*app\.db'$/ };
}

/** This process stands for a daemon that is only taking the database up when it is asked first. */
async function beingTakenUp({ folder, run }: Stage): Promise<Produced> {
  aDatabase(folder).close();
  await run("replicate", "--once", "--config", CONFIG);
  const state = `${folder}/.app.db-tailrace`;
  const captured = null;
  const condition = "starting";
  const answer = { schema_version: 1, version: "0.0.0", mode: "follow", started_at: new Date(0), captured, condition };
  const answers = startAnswers(state, { answer: () => Promise.resolve({ ...answer, replicas: [] }) });
  let said = "";
  await until(async () => (said = await run("status", "--config", CONFIG)).includes("taking it up"), "an answer");
  await answers.stop();
  return { said, line: /^tailrace status --config 'c d\.yml' '\/.*app\.db'$/, code: 1 };
}

async function silentDaemon({ folder, run, daemon: start }: Stage): Promise<Produced> {
  const database = aDatabase(folder);
  const daemon = start("--config", `${folder}/${CONFIG}`);
  await daemon.ready();
  daemon.signal("SIGSTOP");
  const said = await run("status", "--config", CONFIG);
  database.close();
  return { said, line: new RegExp(`^ps -fp ${daemon.pid}$`) };
}

/** A second daemon; of more than one database all are told in one sentence. */
async function besideAnother({ folder, run, daemon: start }: Stage, databases: number): Promise<Produced> {
  aDatabase(folder).close();
  const entries = Array.from({ length: databases }, (_, slot) => {
    const path = `${folder}/${slot}.db`;
    Deno.copyFileSync(`${folder}/app.db`, path);
    return `  - path: "${path}"\n    replicas:\n      - path: "${folder}/r${slot}"\n`;
  });
  Deno.writeTextFileSync(`${folder}/${CONFIG}`, `dbs:\n${entries.join("")}`);
  const daemon = start("--config", `${folder}/${CONFIG}`);
  await daemon.until(() => daemon.saying("Snapshot done").length === databases, "all to be followed");
  const said = await run("replicate", "--config", CONFIG);
  assertMatch(said, databases === 1 ? /^Cannot use the state folder /m : /^Cannot replicate 2 databases: /m);
  return { said, line: new RegExp(`^ps -fp ${daemon.pid}$`) };
}

async function rollbackMode({ folder, run }: Stage): Promise<Produced> {
  aDatabase(folder, "DELETE").close();
  const once = () => run("replicate", "--once", "--config", CONFIG);
  return {
    said: await once(),
    line: /^sqlite3 '\/.*it'\\''s here\/app\.db' 'PRAGMA journal_mode=WAL'$/,
    after: async () => assertMatch(await once(), /Snapshot done/),
  };
}

async function damagedLiveWal({ folder, run }: Stage): Promise<Produced> {
  const database = aDatabase(folder);
  await run("replicate", "--once", "--config", CONFIG);
  for (let row = 0; row < 9; row++) database.exec("INSERT INTO t VALUES (3)");
  flip(`${folder}/app.db-wal`, Deno.statSync(`${folder}/app.db-wal`).size - 3 * 4_120 + 1_000);
  const said = await run("replicate", "--once", "--config", CONFIG);
  database.close();
  return { said, line: /^sqlite3 '\/.*it'\\''s here\/app\.db' 'PRAGMA integrity_check'$/ };
}

async function missingPlace({ folder, run }: Stage): Promise<Produced> {
  const database = aDatabase(folder);
  const once = () => run("replicate", "--once", "--config", CONFIG);
  await once();
  Deno.removeSync(`${folder}/r`, { recursive: true });
  database.exec("INSERT INTO t VALUES (2)");
  return {
    said: JSON.parse(/advice=("(?:[^"\\]|\\.)*")/.exec(await once())?.[1] ?? '""'),
    line: /^mkdir -p '\/.*\/r\/generations'$/,
    after: async () => {
      assertMatch(await once(), /Snapshot done/);
      database.close();
    },
  };
}
