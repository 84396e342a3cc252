/** Damages each replica in every way, lets `verify` judge, and counts what came of it. */
import { seededRandom } from "../support/random.ts";
import type { Damage } from "./damage.ts";
import { type DamageOptions, damages } from "./replica_damage.ts";
import { viewReplica } from "./replica_view.ts";
import { encryptionOf, type Replica, storeOf, type Trial, truthOf, tryDamage, type Verdict } from "./verify_trial.ts";

const BAD: readonly Verdict[] = ["FALSE PASS", "FALSE ALARM", "FALSE RESTORE", "FAULT"];
/** What encryption adds is one way to read bytes, which takes its time: of each kind so many, or of one kind in four one. */
const ENCRYPTED_OF_EACH_KIND = 6;
const KINDS_OF_ENCRYPTED = 4;

export interface RunOptions extends Pick<DamageOptions, "flips" | "cuts" | "ofEachKind"> {
  readonly seed: number;
  /** Every so many-th damage from that one on; absent: all. */
  readonly part?: { readonly of: number; readonly number: number };
  /** Only kinds whose name holds it. */
  readonly only?: string | undefined;
  /** Of each damage, what was found; else of those that were judged wrongly. */
  readonly isShown: boolean;
  readonly say: (line: string) => void;
}

/** Data alone, so that the rows of several runs can be kept and added up. */
export interface Row {
  readonly kind: string;
  readonly layout: string;
  readonly writer: string;
  readonly verdicts: { [verdict in Verdict]?: number };
  named: number;
  failed: number;
}

export interface RunResult {
  readonly rows: readonly Row[];
  readonly trials: number;
  /** What was judged wrongly, a line each. */
  readonly bad: readonly string[];
}

export async function judgeDamages(
  replicas: readonly Replica[],
  folder: string,
  options: RunOptions,
): Promise<RunResult> {
  const { seed, only, isShown, say, part = { of: 1, number: 1 } } = options;
  const rows = new Map<string, Row>();
  const bad: string[] = [];
  let trials = 0;
  for (const replica of replicas) {
    const { writer, keys } = replica;
    const layout = keys === undefined ? `\`${replica.layout}\`` : `\`${replica.layout}\`, age`;
    const name = `${layout} by ${writer}`;
    Deno.mkdirSync(`${folder}/scratch`, { recursive: true });
    const truth = await truthOf(replica, folder);
    const { outcome, reached, findings, suspicions } = truth.whole;
    say(`${name}: ${truth.points.size} points, ${outcome}, proven up to "${reached}"`);
    // Beside an application that checkpoints Litestream may miss a life of the WAL.
    if (outcome !== "pass" || (writer === "Tailrace" && suspicions.length > 0)) {
      bad.push(`FALSE ALARM: ${name}: ${[...findings.map(({ problem }) => problem), ...suspicions].join("; ")}`);
      say(`  ${bad.at(-1)}`);
    }
    const random = seededRandom(seed + 1);
    const isPlain = keys === undefined;
    const all = damages(...await viewsOf(replica), {
      ...options,
      ...(isPlain ? {} : { ofEachKind: Math.min(options.ofEachKind ?? Infinity, ENCRYPTED_OF_EACH_KIND) }),
      random: seededRandom(seed),
    });
    const every = isPlain || options.ofEachKind === undefined ? 1 : KINDS_OF_ENCRYPTED;
    const own = all.filter(({ kind }) => only === undefined || kind.includes(only))
      .filter((_, slot) => slot % every === 0 && slot % part.of === part.number - 1);
    for (const damage of own) {
      const trial = await tryDamage(replica, truth, damage, folder, random);
      note(rows, { kind: damage.kind, layout, writer }, damage, trial);
      trials++;
      const { verdict, says } = trial;
      const line = `${verdict}: ${name}, ${damage.kind} ${damage.object ?? ""} ${damage.detail}: ${says}`;
      if (BAD.includes(verdict)) bad.push(line);
      if (BAD.includes(verdict) || isShown) say(`  ${line}`);
    }
  }
  return { rows: [...rows.values()], trials, bad };
}

/** What several runs over the same replicas found, as one. */
export function added(results: readonly RunResult[]): RunResult {
  const rows = new Map<string, Row>();
  for (const row of results.flatMap((result) => result.rows)) {
    const sum = rowOf(rows, row);
    for (const [verdict, count] of Object.entries(row.verdicts) as [Verdict, number][]) {
      sum.verdicts[verdict] = (sum.verdicts[verdict] ?? 0) + count;
    }
    sum.named += row.named;
    sum.failed += row.failed;
  }
  return {
    rows: [...rows.values()],
    trials: results.reduce((sum, { trials }) => sum + trials, 0),
    bad: results.flatMap(({ bad }) => bad),
  };
}

async function viewsOf({ root, stranger, layout, writer, keys }: Replica) {
  const isOurs = writer === "Tailrace";
  const secrets = keys === undefined ? {} : { encryption: encryptionOf(keys), keys };
  const view = (root: string) =>
    viewReplica({ root, layout, isOurs, ...secrets }, storeOf({ root, layout, ...secrets }));
  return [await view(root), await view(stranger)] as const;
}

type RowName = Pick<Row, "kind" | "layout" | "writer">;

function rowOf(rows: Map<string, Row>, { kind, layout, writer }: RowName): Row {
  const key = JSON.stringify([kind, writer, layout]);
  const row = rows.get(key) ?? { kind, layout, writer, verdicts: {}, named: 0, failed: 0 };
  rows.set(key, row);
  return row;
}

function note(rows: Map<string, Row>, name: RowName, { object }: Damage, { verdict, isNamed }: Trial): void {
  const row = rowOf(rows, name);
  row.verdicts[verdict] = (row.verdicts[verdict] ?? 0) + 1;
  if (verdict !== "failed" || object === undefined) return;
  row.failed++;
  if (isNamed) row.named++;
}
