/**
 * The daemon is killed 20 times and the application 10 times while it writes what applications write. After each kill, with
 * the daemon up again and everything replicated, the restored database is compared with the source page by page.
 *
 *     deno task test:long kills [--seed N] [--daemon-kills N] [--writer-kills N] [--layout raw|litestream]
 */
import { DatabaseSync } from "node:sqlite";
import type { Layout } from "../../lib/position/object_names.ts";
import { comparePages, databaseImage } from "../support/database_image.ts";
import { seededRandom } from "../support/random.ts";
import { type Daemon, startDaemon, startWriter, tailrace } from "./programs.ts";

export async function killLoop(
  seed: number,
  daemonKills: number,
  writerKills: number,
  layout: Layout,
): Promise<number> {
  const random = seededRandom(seed);
  const folder = Deno.makeTempDirSync({ prefix: "tailrace-kills-" });
  const database = `${folder}/app.db`;
  const config = `${folder}/tailrace.yml`;
  const replicas = `[{path: ${folder}/replica, layout: ${layout}, sync-interval: 0s}]`;
  Deno.writeTextFileSync(config, `dbs: [{path: ${database}, replicas: ${replicas}}]\n`);
  makeDatabase(database);
  const flags = ["--config", config];
  let daemon = startDaemon(flags);
  const victims = shuffled(random, [
    ...Array<string>(daemonKills).fill("daemon"),
    ...Array<string>(writerKills).fill("writer"),
  ]);
  let unequal = 0;
  for (const [round, victim] of victims.entries()) {
    const seconds = 2.5 + random() * 2;
    const writer = startWriter(database, writerFlags(seed * 1_000 + round, seconds));
    await sleep(300 + random() * (seconds * 1_000 - 600));
    if (victim === "daemon") {
      await daemon.kill("SIGKILL");
      await sleep(random() < 0.5 ? 0 : random() * 500);
      daemon = startDaemon(flags);
      await writer.status;
    } else {
      writer.kill("SIGKILL");
      await writer.status;
      const again = startWriter(database, writerFlags(seed * 1_000 + 500 + round, 0.7));
      await again.status;
    }
    if (!await compareRound(round, victim, seed, folder, daemon)) unequal++;
  }
  const code = await daemon.kill("SIGTERM");
  if (code !== 0) console.log(`the daemon ended with exit code ${code}`);
  if (unequal === 0 && code === 0) Deno.removeSync(folder, { recursive: true });
  else console.log(`everything is kept in ${folder}`);
  return unequal + (code === 0 ? 0 : 1);
}

async function compareRound(
  round: number,
  victim: string,
  seed: number,
  folder: string,
  daemon: Daemon,
): Promise<boolean> {
  const copy = `${folder}/restored-${round}.db`;
  const once = await tailrace("replicate", "--once", "--config", `${folder}/tailrace.yml`);
  const restored = await tailrace("restore", "-o", copy, "--json", `file://${folder}/replica`);
  const label = `kill ${String(round + 1).padStart(2)} ${victim} seed ${seed}`;
  if (once.code !== 0 || restored.code !== 0) {
    console.log(`${label} FAILED once ${once.code} restore ${restored.code}: ${once.stderr}${restored.stderr}`);
    for (const line of daemon.lines().slice(-10)) console.log(`    ${line}`);
    return false;
  }
  const { position } = JSON.parse(restored.stdout);
  const result = comparePages(databaseImage(`${folder}/app.db`, `${folder}/image`), Deno.readFileSync(copy));
  const equal = result.different.length === 0;
  console.log(
    `${label} position ${position} pages ${result.pages} ${
      equal ? "equal" : `DIFFERENT ${result.different.slice(0, 8)}`
    }`,
  );
  if (equal) Deno.removeSync(copy);
  return equal;
}

function writerFlags(seed: number, seconds: number): string[] {
  return [
    "--rude",
    "--seed",
    String(seed),
    "--seconds",
    seconds.toFixed(2),
    "--pause",
    "2",
    "--name",
    `writer-${seed}`,
  ];
}

function makeDatabase(path: string): void {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("CREATE TABLE ledger(writer TEXT, n INTEGER, payload BLOB)");
  db.exec("CREATE INDEX by_n ON ledger(n)");
  db.close();
}

function shuffled<T>(random: () => number, values: T[]): T[] {
  return values.map((value) => ({ value, key: random() })).sort((a, b) => a.key - b.key).map(({ value }) => value);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
