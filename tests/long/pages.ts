/**
 * The checksum of the whole database, resync, and the repair of replicas, over thousands of random histories.
 *
 *     deno task test:pages [--histories N] [--seed N] [--lanes N] [--only KIND]
 *
 * The same seed gives the same databases and the same steps; the moments of kills are for the machine to say.
 */
import { option } from "../../scripts/project.ts";
import { LITESTREAM_VARIABLE, litestreamProgram } from "../../scripts/setup_litestream.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { type HistoryResult, type Kind, KINDS, runHistory } from "./page_history.ts";

/** Of the replicas in its layout, those that the real Litestream restores too. */
const LITESTREAM_SHARE = 0.2;

const histories = Number(option("histories") ?? 200);
const first = Number(option("seed") ?? Math.floor(performance.timeOrigin) % 100_000);
const lanes = Number(option("lanes") ?? 2);
const kinds = option("only") === undefined ? KINDS : KINDS.filter((kind) => kind === option("only"));
Deno.env.set(LITESTREAM_VARIABLE, await litestreamProgram());
const began = performance.now();
const results: HistoryResult[] = [];
let next = 0;
let failures = 0;

async function lane(): Promise<void> {
  await using application = startOtherProcess();
  while (next < histories) {
    const number = next++;
    const seed = first + number;
    const kind = kinds[number % kinds.length] as Kind;
    const folder = Deno.makeTempDirSync({ prefix: "tailrace-pages-" });
    try {
      results.push(await runHistory(seed, kind, folder, application, { litestreamShare: LITESTREAM_SHARE }));
      Deno.removeSync(folder, { recursive: true });
    } catch (error) {
      failures++;
      console.log(`seed ${seed}, ${kind}: ${error instanceof Error ? error.message : error}\n  kept in ${folder}`);
    }
    if (results.length % 500 === 0 && results.length > 0) console.log(`${results.length} histories`);
  }
}

await Promise.all(Array.from({ length: lanes }, lane));
console.log(`\n${"what happened".padEnd(32)} histories  healed by`);
for (const kind of kinds) {
  const own = results.filter((result) => result.kind === kind);
  const means = [...new Set(own.map(({ healedBy }) => healedBy))].sort().map((healedBy) => {
    const by = own.filter((result) => result.healedBy === healedBy);
    const bytes = by.reduce((sum, { uploaded }) => sum + uploaded, 0) / by.length;
    const pages = by.reduce((sum, { changedPages }) => sum + changedPages, 0) / by.length;
    return `${healedBy} ${by.length} (${Math.round(bytes)} bytes for ${Math.round(pages)} pages on average)`;
  });
  console.log(`${kind.padEnd(32)} ${String(own.length).padStart(9)}  ${means.join(", ")}`);
}
const comparisons = results.reduce((sum, result) => sum + result.comparisons, 0);
const byLitestream = results.filter(({ readers }) => readers === 2).length;
const seconds = Math.round((performance.now() - began) / 1_000);
console.log(
  `\n${results.length} histories from seed ${first} on in ${seconds} s: ${comparisons} checksums equal to those computed ` +
    `from scratch, ${byLitestream} also restored by the real Litestream, ${failures} failures`,
);
Deno.exit(failures === 0 && results.length === histories ? 0 : 1);
