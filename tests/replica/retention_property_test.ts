/** What must hold for every history whatsoever; `seed` in a failure gives the history again. */
import { abandonedBeforeMs, newestObjectMs, planRetention } from "../../lib/replica/retention_plan.ts";
import { restorabilityOf } from "../../lib/restore/restorable.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { after, asGeneration, type SnapshotSpec, someFacts } from "../support/catalog_builder.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import {
  afterDeletions,
  HOUR_MS,
  idOf,
  latestOf,
  randomHistory,
  restorablePoints,
  type Spec,
  stateAt,
} from "../support/retention_history.ts";

const HISTORIES = 1_500;
const NOW = 5_000 * HOUR_MS;
const NAMES = ["00000000000000aa", "00000000000000bb", "00000000000000cc"];

interface Case {
  readonly seed: number;
  readonly isTroubled: boolean;
  readonly specs: readonly Spec[];
  readonly own: string | undefined;
  readonly retentionMs: number;
}

function aCase(seed: number): Case {
  const random = seededRandom(seed);
  const isTroubled = seed % 2 === 0;
  const count = 1 + randomInteger(random, NAMES.length);
  const specs = NAMES.slice(0, count).map((name) => randomHistory(random, name, { nowMs: NOW, isTroubled }));
  const own = randomInteger(random, 5) === 0 ? undefined : NAMES[randomInteger(random, NAMES.length)];
  return { seed, isTroubled, specs, own, retentionMs: (1 + randomInteger(random, 40)) * HOUR_MS };
}

function planOf({ specs, own, retentionMs }: Case) {
  return planRetention({
    generations: specs.map((spec) => ({
      catalog: someFacts(spec).catalog,
      restorable: restorabilityOf(someFacts(spec)),
    })),
    own: own === undefined ? undefined : asGeneration(own),
    nowMs: NOW,
    policy: { retentionMs },
  });
}

function eachCase(check: (one: Case) => void): void {
  for (let seed = 1; seed <= HISTORIES; seed++) check(aCase(seed));
}

/** As Litestream sees it: the whole one of lowest index within the retention, else the newest whole one. */
function oldestRetained({ snapshots }: Spec, cutoffMs: number): SnapshotSpec | undefined {
  const whole = snapshots.filter(({ damage, isIncomplete }) => damage === undefined && isIncomplete !== true);
  return whole.find(({ atMs }) => atMs >= cutoffMs) ?? whole.at(-1);
}

function pointsOf(specs: readonly Spec[]): string[] {
  return specs.flatMap(restorablePoints).map(({ generation, index, offset }) => `${generation}/${index}:${offset}`);
}

Deno.test("planRetention() leaves every point from the oldest retained snapshot on, however far it gets", () =>
  eachCase((one) => {
    const { deletions } = planOf(one);
    const ours = one.specs.find((spec) => idOf(spec) === one.own);
    if (ours === undefined) return;
    const retained = oldestRetained(ours, NOW - one.retentionMs);
    if (retained === undefined) return assertEquals(deletions.filter(({ generation }) => generation === one.own), []);
    const wanted = restorablePoints(ours).filter(({ index, offset }) =>
      index > retained.index || (index === retained.index && offset >= after(retained.frames ?? 0))
    );
    for (let done = 0; done <= deletions.length; done++) {
      const left = new Set(pointsOf(afterDeletions(one.specs, deletions.slice(0, done))));
      for (const { generation, index, offset } of wanted) {
        const point = `${generation}/${index}:${offset}`;
        assert(left.has(point), `seed ${one.seed}: ${point} is lost after ${done} deletions`);
      }
    }
  }));

Deno.test("planRetention() leaves every moment within the retention, where the clock was never set", () =>
  eachCase((one) => {
    if (one.isTroubled || one.own === undefined) return;
    const ours = one.specs.filter((spec) => idOf(spec) === one.own);
    const left = new Set(pointsOf(afterDeletions(ours, planOf(one).deletions)));
    for (const { generation, index, offset, atMs } of ours.flatMap(restorablePoints)) {
      if (atMs < NOW - one.retentionMs) continue;
      assert(left.has(`${generation}/${index}:${offset}`), `seed ${one.seed}: ${index}:${offset} is lost`);
    }
    const remaining = afterDeletions(ours, planOf(one).deletions);
    for (let atMs = NOW - one.retentionMs; atMs <= NOW; atMs += one.retentionMs / 7) {
      const [before] = ours.flatMap((spec) => [stateAt(spec, atMs)]);
      if (before !== undefined) {
        assertEquals(remaining.map((spec) => stateAt(spec, atMs)), [before], `seed ${one.seed}`);
      }
    }
  }));

Deno.test("planRetention() leaves the newest state of our generation, and a state of the replica, however far it gets", () =>
  eachCase((one) => {
    const { deletions } = planOf(one);
    const hadSome = pointsOf(one.specs).length > 0;
    for (let done = 0; done <= deletions.length; done++) {
      const left = afterDeletions(one.specs, deletions.slice(0, done));
      const context = `seed ${one.seed}, after ${done} deletions`;
      assertEquals(pointsOf(left).length > 0, hadSome, context);
      for (const spec of left) {
        const before = one.specs.find((other) => idOf(other) === idOf(spec));
        if (before !== undefined) assertEquals(latestOf(spec), latestOf(before), context);
      }
    }
  }));

Deno.test("planRetention() takes a foreign generation whole, long silent, and never the newest that can be restored", () =>
  eachCase((one) => {
    const { deletions, haven } = planOf(one);
    for (const deletion of deletions) {
      if (deletion.generation === one.own) assert(deletion.kind !== "generation", `seed ${one.seed}`);
      if (deletion.generation === one.own) continue;
      assertEquals(deletion.kind, "generation", `seed ${one.seed}`);
      assert(deletion.generation !== haven, `seed ${one.seed}`);
      const spec = one.specs.find((other) => idOf(other) === deletion.generation);
      const newestMs = spec === undefined ? undefined : newestObjectMs(someFacts(spec).catalog);
      assert(newestMs === undefined || newestMs < abandonedBeforeMs(one, NOW), `seed ${one.seed}`);
    }
  }));

Deno.test("planRetention() finds nothing more when all it wanted was done, where the clock was never set", () =>
  eachCase((one) => {
    if (one.isTroubled) return; // An object from the future may have held back another one.
    const specs = afterDeletions(one.specs, planOf(one).deletions);
    assertEquals(planOf({ ...one, specs }).deletions, [], `seed ${one.seed}`);
  }));

Deno.test("planRetention() says of everything what becomes of it", () =>
  eachCase((one) => {
    const { deletions, kept } = planOf(one);
    for (const spec of one.specs) {
      const of = (kind: "snapshot" | "wal") =>
        [...deletions, ...kept].filter(({ generation }) => generation === idOf(spec)).reduce((sum, part) => {
          if (part.kind === "generation") return sum + (kind === "snapshot" ? spec.snapshots : spec.wals ?? []).length;
          return part.kind !== kind ? sum : sum + ("count" in part ? part.count : 1);
        }, 0);
      assertEquals([of("snapshot"), of("wal")], [spec.snapshots.length, spec.wals?.length], `seed ${one.seed}`);
    }
  }));

Deno.test("the random histories of retention hold what the rules are about", () => {
  const seen = { own: 0, whole: 0, partly: 0, due: 0 };
  eachCase((one) => {
    const plan = planOf(one);
    if (plan.deletions.some(({ generation }) => generation === one.own)) seen.own++;
    if (plan.deletions.some(({ kind }) => kind === "generation")) seen.whole++;
    if (plan.snapshotDue !== undefined) seen.due++;
    if (one.specs.some((spec) => restorabilityOf(someFacts(spec)) === "partly")) seen.partly++;
  });
  for (const [what, count] of Object.entries(seen)) assert(count > HISTORIES / 50, `${what}: ${count}`);
});
