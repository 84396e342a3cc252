/**
 * What hostile replicas and configs take of the real program, as the table of `docs/verification.md`: seconds, processor
 * time and peak of the resident memory of each command.
 *
 *     deno task bench:bounds [--folder DIR] [--only TEXT]
 *
 * A small, whole replica comes first: what every run takes. Seconds are of the machine as it is; processor time is less so.
 */
import { emptyFrames, gzipBomb, tinySegments } from "../tests/support/hostile_inputs.ts";
import { manyCommits } from "../tests/support/many_commits.ts";
import { runBench } from "./bench_rows.ts";
import { option, ROOT, say } from "./project.ts";

const COMMANDS = ["verify", "points", "restore"] as const;
const COMMITS = 1_048_000;
/** struct rusage: user and system time, then the peak in KiB. */
const RUSAGE_CHILDREN = -1;

type Make = (folder: string) => Promise<void>;

const REPLICAS: readonly (readonly [name: string, make: Make])[] = [
  ["two commits", (folder) => manyCommits(folder, "raw", { commits: 2 })],
  ["WAL of a million empty LZ4 frames", (folder) => emptyFrames(folder, "wal")],
  ["a snapshot of as many", (folder) => emptyFrames(folder, "snapshot")],
  ["WAL in gzip, 2 GB of zeros behind a commit", (folder) => gzipBomb(folder, "wal")],
  ["a snapshot in gzip, the same behind its pages", (folder) => gzipBomb(folder, "snapshot")],
  ["100,000 segments of 15 bytes behind a gap", (folder) => tinySegments(folder)],
  ["a tail of 64 MiB, of records that say nothing", (folder) => idle(folder, "litestream")],
  ["the same as `.commits`", (folder) => idle(folder, "raw")],
  ["a tail of 64 MiB, of a million commits", (folder) => manyCommits(folder, "litestream", { commits: COMMITS })],
];

const CONFIGS: readonly (readonly [name: string, text: () => string])[] = [
  ["a config of 10,000 databases", () => configOf(10_000)],
  ["a config of 80,000 databases", () => configOf(80_000)],
  ["a config of as many parts as there may be", () => `dbs: [${"a,".repeat(249_990)}]\n`],
];

function idle(folder: string, layout: "raw" | "litestream"): Promise<void> {
  return manyCommits(folder, layout, { commits: 2, idle: COMMITS });
}

function configOf(count: number): string {
  const database = (slot: number) =>
    `  - path: /data/tenants/${slot}.db\n    replicas:\n      - path: /backup/tenants/${slot}\n`;
  return `dbs:\n${Array.from({ length: count }, (_, slot) => database(slot)).join("")}`;
}

interface Measured {
  readonly code: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly megabytes: number;
}

/** In a process of its own: the system keeps what all ended children of one took together, and the largest peak of them. */
async function measure(words: readonly string[]): Promise<Measured> {
  const args = ["run", "-A", import.meta.filename ?? "", "--measure", ...words];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, stderr: "null" }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function measureHere(words: readonly string[]): Promise<void> {
  const began = performance.now();
  const args = ["run", "-A", "--quiet", `${ROOT}/main.ts`, ...words];
  const command = new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" });
  const { code } = await command.output();
  const seconds = (performance.now() - began) / 1_000;
  const libc = Deno.dlopen("libc.so.6", { getrusage: { parameters: ["i32", "buffer"], result: "i32" } });
  const usage = new BigInt64Array(32);
  libc.symbols.getrusage(RUSAGE_CHILDREN, usage);
  libc.close();
  const [userS = 0, userUs = 0, systemS = 0, systemUs = 0, peakKib = 0] = [...usage.subarray(0, 5)].map(Number);
  const cpuSeconds = userS + systemS + (userUs + systemUs) / 1e6;
  say(JSON.stringify({ code, seconds, cpuSeconds, megabytes: peakKib * 1_024 / 1e6 }));
}

function sayRow(input: string, command: string, { code, seconds, cpuSeconds, megabytes }: Measured): void {
  say(
    `| ${input} | \`${command}\` | ${seconds.toFixed(1)} | ${cpuSeconds.toFixed(1)} | ${
      megabytes.toFixed(0)
    } MB | ${code} |`,
  );
}

async function bench(folder: string): Promise<boolean> {
  const isWanted = ([name]: readonly [string, unknown]) => name.includes(option("only") ?? "");
  say("| input | command | seconds | processor | peak RSS | exit |");
  say("| --- | --- | --- | --- | --- | --- |");
  for (const [name, make] of REPLICAS.filter(isWanted)) {
    await make(`${folder}/replica`);
    for (const command of COMMANDS) {
      const own = { verify: ["--scratch", folder], points: [], restore: ["-o", `${folder}/out.db`] }[command];
      sayRow(name, command, await measure([command, ...own, `file://${folder}/replica`]));
    }
    for (const entry of [...Deno.readDirSync(folder)]) Deno.removeSync(`${folder}/${entry.name}`, { recursive: true });
  }
  for (const [name, text] of CONFIGS.filter(isWanted)) {
    Deno.writeTextFileSync(`${folder}/c.yml`, text());
    sayRow(name, "databases", await measure(["databases", "--config", `${folder}/c.yml`]));
  }
  return true;
}

if (import.meta.main) {
  if (Deno.args[0] === "--measure") await measureHere(Deno.args.slice(1));
  else Deno.exit(await runBench(bench));
}
