/**
 * Damages replicas in every way we can think of, and lets `verify` judge them. The exit code is 1 on any false pass or
 * false alarm.
 *
 *     deno task test:verify [--flips N] [--cuts N] [--seed N] [--show] [--long [--runs N]]
 *
 * `--show`: what was found of each damage. `docs/verification.md` has the table of the last run. `--long`: instead, so many
 * runs (1000) beside an application that never rests and retention that never does either; each must pass.
 */
import { option } from "../../scripts/project.ts";
import { LITESTREAM_VARIABLE, litestreamProgram } from "../../scripts/setup_litestream.ts";
import { seededRandom } from "../support/random.ts";
import { damages } from "./replica_damage.ts";
import { besideAWriter, byLitestream, byTailrace } from "./verify_replicas.ts";
import { type Replica, type Trial, truthOf, tryDamage, type Verdict, verifyAt } from "./verify_trial.ts";

const DOCUMENT = new URL("../../docs/verification.md", import.meta.url).pathname;
const TABLE_BEGIN = "<!-- made by deno task test:verify -->";
const TABLE_END = "<!-- end -->";
const BAD: readonly Verdict[] = ["FALSE PASS", "FALSE ALARM"];

interface Row {
  readonly kind: string;
  readonly replica: Replica;
  readonly verdicts: Map<Verdict, number>;
  named: number;
  failed: number;
}

Deno.env.set(LITESTREAM_VARIABLE, await litestreamProgram());
const folder = Deno.makeTempDirSync({ prefix: "tailrace-verify-" });
const began = performance.now();
const seed = Number(option("seed") ?? "1");
const rows = new Map<string, Row>();
let [trials, bad] = [0, 0];

if (Deno.args.includes("--long")) await runBesideAWriter(Number(option("runs") ?? "1000"));

const replicas = [...await byTailrace(`${folder}/tailrace`), ...await byLitestream(`${folder}/litestream`)];
for (const replica of replicas) {
  const name = `${replica.layout} by ${replica.writer}`;
  const scratch = `${folder}/scratch`;
  Deno.mkdirSync(scratch, { recursive: true });
  const truth = await truthOf(replica, folder);
  const whole = await verifyAt(replica.root, replica.layout, scratch);
  console.log(`${name}: ${truth.points.size} points, ${whole.outcome}, proven up to "${whole.reached}"`);
  if (whole.outcome !== "pass") {
    bad++;
    console.log(`  FALSE ALARM: ${whole.findings.map(({ problem }) => problem).join("; ")}`);
  }
  const options = {
    random: seededRandom(seed),
    flips: Number(option("flips") ?? "60"),
    cuts: Number(option("cuts") ?? "24"),
    isOurs: replica.writer === "Tailrace",
    layout: replica.layout,
  };
  for (const damage of damages(replica.root, options)) {
    const trial = await tryDamage(replica, truth, damage, folder);
    note(damage.kind, replica, trial, damage.object !== undefined);
    trials++;
    const isBad = BAD.includes(trial.verdict);
    if (isBad) bad++;
    if (isBad || Deno.args.includes("--show")) {
      console.log(`  ${trial.verdict}: ${name}, ${damage.kind} ${damage.object ?? ""} ${damage.detail}: ${trial.says}`);
    }
  }
}

async function runBesideAWriter(runs: number): Promise<never> {
  const scratch = `${folder}/scratch`;
  Deno.mkdirSync(scratch);
  let [done, compared] = [0, 0];
  await besideAWriter(`${folder}/busy`, async ({ root, layout }) => {
    const { outcome, findings, reached } = await verifyAt(root, layout, scratch, false);
    done++;
    if (reached === "equal") compared++;
    if (outcome !== "pass") {
      bad++;
      console.log(`  FALSE ALARM: ${layout}, run ${done}: ${findings.map(({ problem }) => problem).join("; ")}`);
    }
    return done < runs;
  });
  Deno.removeSync(folder, { recursive: true });
  const seconds = Math.round((performance.now() - began) / 1_000);
  console.log(`${done} runs beside a busy writer in ${seconds} s, ${compared} equal by checksum: ${bad} false alarms`);
  Deno.exit(bad === 0 ? 0 : 1);
}

function note(kind: string, replica: Replica, { verdict, isNamed }: Trial, hasObject: boolean): void {
  const key = `${kind}/${replica.writer}/${replica.layout}`;
  const row = rows.get(key) ?? { kind, replica, verdicts: new Map(), named: 0, failed: 0 };
  rows.set(key, row);
  row.verdicts.set(verdict, (row.verdicts.get(verdict) ?? 0) + 1);
  if (verdict !== "failed" || !hasObject) return;
  row.failed++;
  if (isNamed) row.named++;
}

function table(): string {
  const lines = ["| damage | layout | writer | outcome | object named |", "| --- | --- | --- | --- | --- |"];
  for (
    const { kind, replica, verdicts, named, failed } of [...rows.values()].sort((a, b) => a.kind < b.kind ? -1 : 1)
  ) {
    const outcomes = [...verdicts].sort().map(([verdict, count]) => `${verdict} ${count}`).join(", ");
    const names = failed === 0 ? "-" : `${named} of ${failed}`;
    lines.push(`| ${kind} | \`${replica.layout}\` | ${replica.writer} | ${outcomes} | ${names} |`);
  }
  return lines.join("\n");
}

console.log(`\n${table()}`);
const text = Deno.readTextFileSync(DOCUMENT);
const [before, rest = ""] = text.split(TABLE_BEGIN);
const after = rest.split(TABLE_END)[1] ?? "";
Deno.writeTextFileSync(DOCUMENT, `${before}${TABLE_BEGIN}\n\n${table()}\n\n${TABLE_END}${after}`);
await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", DOCUMENT] }).output();
Deno.removeSync(folder, { recursive: true });
const seconds = Math.round((performance.now() - began) / 1_000);
console.log(`\n${trials} damaged replicas (seed ${seed}) in ${seconds} s: ${bad} false passes or alarms`);
Deno.exit(bad === 0 ? 0 : 1);
