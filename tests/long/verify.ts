/**
 * Damages replicas in every way we can think of, and lets `verify` judge them. The exit code is 1 on any false pass or
 * false alarm.
 *
 *     deno task test:verify [--only KIND] [--seed N] [--show]                  one of each kind, as with the tests
 *     deno task test:verify --long [--flips N] [--cuts N] [--seed N] [--show] [--part K/N --folder DIR]
 *     deno task test:verify --busy [--runs N]
 *
 * `--show`: what was found of each damage. `--only`: kinds whose name holds a text. `--long`: all of them; the table in
 * `docs/verification.md` is that of the last such run. `--part`: one of N runs over the replicas that the first of them
 * makes in the folder; the last one writes the table. `--busy`: instead,
 * so many runs (1000) beside an application that never rests and retention that never does either; each must pass.
 */
import { option } from "../../scripts/project.ts";
import { setUpLitestream } from "../../scripts/setup_litestream.ts";
import { keptReplicas, parsePart, withOtherParts } from "./verify_parts.ts";
import { besideAWriter, byLitestream, byTailrace } from "./verify_replicas.ts";
import { judgeDamages } from "./verify_run.ts";
import { tableOf, writeTable } from "./verify_table.ts";
import { verifyAt } from "./verify_trial.ts";

const FLIPS = 30;
const CUTS = 12;

for (const [name, value] of Object.entries(await setUpLitestream())) Deno.env.set(name, value);
const began = performance.now();
const isLong = Deno.args.includes("--long");
const temporary = Deno.makeTempDirSync({ prefix: "tailrace-verify-" });
const isProven = Deno.args.includes("--busy") ? await besideBusyWriter() : await damaged();
Deno.removeSync(temporary, { recursive: true });
Deno.exit(isProven ? 0 : 1);

async function damaged(): Promise<boolean> {
  const partText = option("part");
  const part = partText === undefined ? undefined : parsePart(partText);
  const kept = option("folder") ?? temporary;
  Deno.mkdirSync(kept, { recursive: true });
  const replicas = await keptReplicas(kept, async (folder) => [
    ...await byTailrace(`${folder}/tailrace`),
    ...await byLitestream(`${folder}/litestream`),
  ]);
  const [seed, flips, cuts] = [numberOf("seed", 1), numberOf("flips", FLIPS), numberOf("cuts", CUTS)];
  const own = await judgeDamages(replicas, temporary, {
    seed,
    ...(isLong ? { flips, cuts } : { flips: 1, cuts: 1, ofEachKind: 1 }),
    ...(part === undefined ? {} : { part }),
    only: option("only"),
    isShown: Deno.args.includes("--show"),
    say: (line) => console.log(line),
  });
  const result = part === undefined ? own : withOtherParts(kept, part, own);
  if (result !== undefined) {
    console.log(`\n${tableOf(result)}`);
    const command = `deno task test:verify --long --flips ${flips} --cuts ${cuts} --seed ${seed}`;
    if (isLong && option("only") === undefined) await writeTable(result, command);
  }
  const { trials, bad } = result ?? own;
  const what = `${trials} damaged replicas${result === undefined ? " of this part" : ""} (seed ${seed})`;
  console.log(`\n${what}: ${bad.length} judged wrongly; this took ${seconds()} s`);
  return bad.length === 0;
}

async function besideBusyWriter(): Promise<boolean> {
  const runs = numberOf("runs", 1_000);
  const scratch = `${temporary}/scratch`;
  Deno.mkdirSync(scratch);
  let [done, compared, alarms] = [0, 0, 0];
  await besideAWriter(`${temporary}/busy`, async ({ root, layout }) => {
    const { outcome, findings, reached } = await verifyAt({ root, layout }, scratch, false);
    done++;
    if (reached === "equal") compared++;
    if (outcome !== "pass") {
      alarms++;
      console.log(`  FALSE ALARM: ${layout}, run ${done}: ${findings.map(({ problem }) => problem).join("; ")}`);
    }
    return done < runs;
  });
  const what = `${done} runs beside a busy writer in ${seconds()} s`;
  console.log(`${what}, ${compared} equal by checksum: ${alarms} false alarms`);
  return alarms === 0;
}

function numberOf(name: string, otherwise: number): number {
  return Number(option(name) ?? otherwise);
}

function seconds(): number {
  return Math.round((performance.now() - began) / 1_000);
}
