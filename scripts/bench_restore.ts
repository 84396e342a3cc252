/**
 * One replica that the real Litestream wrote, restored by both programs in turns: the databases must be equal byte for byte,
 * and ours must take no more than a third of the time.
 *
 *     deno task bench:restore [--folder DIR] [--megabytes N] [--rounds N] [--program FILE]
 *
 * DIR keeps the replica for the next run (default: a temporary folder); N MB of database, four times that of WAL; FILE: run
 * this program (a bundle or an executable) instead of main.ts.
 */
import { restoreWithLitestream } from "../tests/litestream/support/real_litestream.ts";
import { type ChurnedReplica, churnedReplica, readAll } from "./churned_replica.ts";
import { percentile } from "./lag.ts";
import { complain, type Ended, option, ROOT, run, say } from "./project.ts";
import { LITESTREAM_VARIABLE, LITESTREAM_VERSION, litestreamProgram } from "./setup_litestream.ts";

/** Ours may take this share of the peer's time. */
const SHARE_MAX = 1 / 3;
const CHUNK_BYTES = 4 * 1024 * 1024;

export interface Round {
  readonly oursSeconds: number;
  readonly peerSeconds: number;
}

export interface Verdict extends Round {
  /** Ours as a share of the peer's. */
  readonly share: number;
  readonly isFastEnough: boolean;
}

/** The medians of all rounds, and what they come to. */
export function judgeRounds(rounds: readonly Round[]): Verdict {
  const oursSeconds = percentile(rounds.map((round) => round.oursSeconds), 0.5);
  const peerSeconds = percentile(rounds.map((round) => round.peerSeconds), 0.5);
  const share = oursSeconds / peerSeconds;
  return { oursSeconds, peerSeconds, share, isFastEnough: share <= SHARE_MAX };
}

/** Where two files differ first; undefined when they are equal. */
export function firstDifference(a: string, b: string): number | undefined {
  using first = Deno.openSync(a);
  using second = Deno.openSync(b);
  const [ofFirst, ofSecond] = [new Uint8Array(CHUNK_BYTES), new Uint8Array(CHUNK_BYTES)];
  for (let at = 0;; at += CHUNK_BYTES) {
    const [got, other] = [readFully(first, ofFirst), readFully(second, ofSecond)];
    const length = Math.min(got, other);
    for (let i = 0; i < length; i++) if (ofFirst[i] !== ofSecond[i]) return at + i;
    if (got !== other) return at + length;
    if (got < CHUNK_BYTES) return undefined;
  }
}

function readFully(file: Deno.FsFile, into: Uint8Array): number {
  let filled = 0;
  while (filled < into.length) {
    const got = file.readSync(into.subarray(filled));
    if (got === null) break;
    filled += got;
  }
  return filled;
}

async function runRound({ path, source }: ChurnedReplica, folder: string, program: readonly string[]): Promise<Round> {
  const [ours, peers] = [`${folder}/ours.db`, `${folder}/peers.db`];
  const [command = "", ...words] = program;
  const oursSeconds = await timed(
    "Tailrace",
    () => run(command, [...words, "restore", "-o", ours, `file://${path}`]),
  );
  const peerSeconds = await timed("Litestream", () => restoreWithLitestream(path, peers));
  for (const [what, other] of [["what Litestream restored", peers], ["the source", source]] as const) {
    const difference = firstDifference(ours, other);
    if (difference !== undefined) throw new Error(`What Tailrace restored differs from ${what} at byte ${difference}`);
  }
  for (const { name } of [...Deno.readDirSync(folder)]) Deno.removeSync(`${folder}/${name}`); // Side files, too.
  return { oursSeconds, peerSeconds };
}

async function timed(who: string, restore: () => Promise<Ended>): Promise<number> {
  const start = performance.now();
  const { code, stdout, stderr } = await restore();
  const seconds = (performance.now() - start) / 1_000;
  if (code === 0) return seconds;
  throw new Error(`${who} did not restore the replica (exit code ${code}):\n${stdout}${stderr}`.trimEnd());
}

function programWords(named: string | undefined): string[] {
  if (named === undefined) return [Deno.execPath(), "run", "-A", `${ROOT}/main.ts`];
  const path = Deno.realPathSync(named);
  return /\.[jt]s$/.test(path) ? [Deno.execPath(), "run", "-A", path] : [path];
}

async function bench(folder: string): Promise<boolean> {
  Deno.env.set(LITESTREAM_VARIABLE, await litestreamProgram());
  const replica = await churnedReplica(folder, Number(option("megabytes") ?? "470"), (line) => complain(`  ${line}`));
  const mega = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  const objects = await readAll(replica.path); // From here on both find them in memory.
  say(
    `replica     ${mega(replica.databaseBytes)} of database, ${mega(replica.walBytes)} of WAL in ${replica.indexes} ` +
      `indexes, ${mega(objects)} of objects, written by Litestream ${LITESTREAM_VERSION}`,
  );
  const outputs = Deno.makeTempDirSync({ prefix: "restored-", dir: folder });
  const line = (name: string, { oursSeconds, peerSeconds }: Round) =>
    say(
      `${name.padEnd(12)}Tailrace ${oursSeconds.toFixed(2)} s, Litestream ${peerSeconds.toFixed(2)} s: ` +
        `${(peerSeconds / oursSeconds).toFixed(1)} times as fast`,
    );
  const rounds: Round[] = [];
  try {
    for (let i = 1; i <= Number(option("rounds") ?? "3"); i++) {
      const round = await runRound(replica, outputs, programWords(option("program")));
      line(`round ${i}`, round);
      rounds.push(round);
    }
  } finally {
    Deno.removeSync(outputs, { recursive: true });
  }
  const verdict = judgeRounds(rounds);
  line("median", verdict);
  say(`equal       what both restored, and the source, byte for byte; process start and our fsync included`);
  say(
    `share       ${(100 * verdict.share).toFixed(0)} % of the time, at most 33 %: ${
      verdict.isFastEnough ? "ok" : "missed"
    }`,
  );
  return verdict.isFastEnough;
}

async function main(): Promise<number> {
  const chosen = option("folder");
  const folder = chosen ?? Deno.makeTempDirSync({ prefix: "tailrace-bench-restore-" });
  try {
    return await bench(Deno.realPathSync(folder)) ? 0 : 1;
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return 1;
  } finally {
    if (chosen === undefined) Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) Deno.exit(await main());
