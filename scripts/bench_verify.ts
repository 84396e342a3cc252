/**
 * What a proof costs beside a plain restore of the same replica, both by the real program, in turns. Each row: figure, target,
 * ok or missed.
 *
 *     deno task bench:verify [--folder DIR] [--megabytes N] [--rounds N]
 *
 * The replica, in each layout: a snapshot of N MB (300), and as much WAL that an application wrote behind it.
 */
import { DatabaseSync } from "node:sqlite";
import { row, runBench } from "./bench_rows.ts";
import { percentile } from "./lag.ts";
import { option, ROOT, run } from "./project.ts";

const SHARE_MAX = 1.5;
const MEGABYTES_MAX = 150;
const LAYOUTS = ["raw", "litestream"] as const;
const LOOK_MS = 10;

interface Measured {
  readonly seconds: number;
  /** Peak of the resident memory. */
  readonly megabytes: number;
}

async function measure(words: readonly string[]): Promise<Measured> {
  const began = performance.now();
  const child = new Deno.Command(Deno.execPath(), { args: ["run", "-A", `${ROOT}/main.ts`, ...words], stderr: "piped" })
    .spawn();
  let megabytes = 0;
  const timer = setInterval(() => megabytes = Math.max(megabytes, peakOf(child.pid)), LOOK_MS);
  const said = new Response(child.stderr).text();
  const { code } = await child.status;
  clearInterval(timer);
  if (code !== 0) throw new Error(`${words[0]} ended with exit code ${code}: ${await said}`);
  await said;
  return { seconds: (performance.now() - began) / 1_000, megabytes };
}

function peakOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? 0) * 1_024 / 1e6;
  } catch {
    return 0; // It has ended.
  }
}

async function makeReplicas(folder: string, megabytes: number): Promise<void> {
  const database = `${folder}/app.db`;
  const rows = Math.ceil(megabytes * 1e6 / 3_300);
  const write = (sql: string) => {
    const db = new DatabaseSync(database);
    db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
    db.exec(sql);
    return db;
  };
  write(`CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO t SELECT i, randomblob(3000) FROM n`).close();
  const replicas = LAYOUTS.map((layout) => ({ "name": layout, "path": `${folder}/${layout}`, layout }));
  Deno.writeTextFileSync(`${folder}/tailrace.yml`, JSON.stringify({ dbs: [{ "path": database, replicas }] }));
  const once = () =>
    run(Deno.execPath(), ["run", "-A", `${ROOT}/main.ts`, "replicate", "--once", "--config", `${folder}/tailrace.yml`]);
  for (const sql of ["SELECT 1", "UPDATE t SET b = randomblob(3000)"]) {
    const db = write(sql);
    const { code, stderr } = await once();
    db.close();
    if (code !== 0) throw new Error(`nothing was replicated: ${stderr}`);
  }
}

async function bench(folder: string): Promise<boolean> {
  await makeReplicas(folder, Number(option("megabytes") ?? "300"));
  let isAllOk = true;
  for (const layout of LAYOUTS) {
    const url = `file://${folder}/${layout}`;
    const [restores, proofs]: Measured[][] = [[], []];
    for (let round = 0; round <= Number(option("rounds") ?? "3"); round++) {
      const restored = await measure(["restore", "-o", `${folder}/copy.db`, url]);
      Deno.removeSync(`${folder}/copy.db`);
      const proven = await measure(["verify", "--level", "equal", "--scratch", folder, url]);
      if (round === 0) continue; // Touches memory that the machine has not handed out yet.
      restores?.push(restored);
      proofs?.push(proven);
    }
    const seconds = (all: readonly Measured[] = []) => percentile(all.map((one) => one.seconds), 0.5);
    const share = seconds(proofs) / seconds(restores);
    const megabytes = Math.max(...(proofs ?? []).map((one) => one.megabytes));
    const figures = `${seconds(proofs).toFixed(2)} s, a restore ${seconds(restores).toFixed(2)} s`;
    isAllOk = row(
      `verify, ${layout}`,
      `${share.toFixed(2)} times`,
      `at most ${SHARE_MAX} times a restore`,
      share <= SHARE_MAX,
      figures,
    ) && isAllOk;
    isAllOk = row(
      `peak RSS, ${layout}`,
      `${megabytes.toFixed(0)} MB`,
      `at most ${MEGABYTES_MAX} MB`,
      megabytes <= MEGABYTES_MAX,
    ) && isAllOk;
  }
  return isAllOk;
}

if (import.meta.main) Deno.exit(await runBench(bench));
