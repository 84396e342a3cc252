/** What must hold for every history whatsoever; `seed` in a failure gives the history again. */
import { abandonedBeforeMs, newestObjectMs, planRetention } from "../../lib/replica/retention_plan.ts";
import { restorabilityOf, sureSnapshots } from "../../lib/replica/restorability.ts";
import { planRestore } from "../../lib/restore/plan.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { after, asGeneration, type SnapshotSpec, someFacts } from "../support/catalog_builder.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import {
  afterDeletions,
  HOUR_MS,
  idOf,
  latestOf,
  randomHistory,
  type RestorablePoint,
  restorablePoints,
  type Spec,
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
  const layout = seed % 4 < 2 ? "raw" : "litestream";
  const count = 1 + randomInteger(random, NAMES.length);
  const specs = NAMES.slice(0, count).map((name) => randomHistory(random, name, { nowMs: NOW, isTroubled, layout }));
  const own = randomInteger(random, 5) === 0 ? undefined : NAMES[randomInteger(random, NAMES.length)];
  return { seed, isTroubled, specs, own, retentionMs: (1 + randomInteger(random, 40)) * HOUR_MS };
}

function planOf({ specs, own, retentionMs }: Case) {
  return planRetention({
    generations: specs.map((spec) => someFacts(spec).catalog),
    own: own === undefined ? undefined : asGeneration(own),
    nowMs: NOW,
    policy: { retentionMs },
  });
}

function eachCase(check: (one: Case) => void): void {
  for (let seed = 1; seed <= HISTORIES; seed++) check(aCase(seed));
}

/** As Litestream sees it: the one of lowest index within the retention that can be restored, else the newest that can. */
function oldestRetained(spec: Spec, cutoffMs: number): SnapshotSpec | undefined {
  const { catalog } = someFacts(spec);
  const names = sureSnapshots(catalog).map(({ index }) => Number(index));
  const sure = spec.snapshots.filter(({ index }) => names.includes(index));
  return sure.find(({ atMs }) => atMs >= cutoffMs) ?? sure.at(-1);
}

/** One of Litestream's serves only what was stored after it. */
function isFrom(snapshot: SnapshotSpec, point: RestorablePoint): boolean {
  const { index, stateIndex = index, frames = 0, atMs, isPeers } = snapshot;
  const isLater = point.index > stateIndex || (point.index === stateIndex && point.offset >= after(frames));
  return isLater && (isPeers !== true || point.index > index || point.atMs > atMs);
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
    const wanted = restorablePoints(ours).filter((point) => isFrom(retained, point));
    for (let done = 0; done <= deletions.length; done++) {
      const left = new Set(pointsOf(afterDeletions(one.specs, deletions.slice(0, done))));
      for (const { generation, index, offset } of wanted) {
        const point = `${generation}/${index}:${offset}`;
        assert(left.has(point), `seed ${one.seed}: ${point} is lost after ${done} deletions`);
      }
    }
  }));

Deno.test("planRetention() leaves every moment within the retention restorable, however far it gets", () =>
  eachCase((one) => {
    const { deletions } = planOf(one);
    const ours = one.specs.find((spec) => idOf(spec) === one.own);
    if (ours === undefined || one.isTroubled) return;
    const wanted = restorablePoints(ours).filter(({ atMs }) => atMs >= NOW - one.retentionMs && atMs <= NOW);
    for (let done = 0; done <= deletions.length; done++) {
      const left = new Set(pointsOf(afterDeletions(one.specs, deletions.slice(0, done))));
      for (const { generation, index, offset } of wanted) {
        const point = `${generation}/${index}:${offset}`;
        assert(left.has(point), `seed ${one.seed}: ${point} is lost after ${done} deletions`);
      }
    }
  }));

Deno.test("restorabilityOf() says of a generation what a plan to restore it says", () =>
  eachCase((one) => {
    for (const spec of one.specs) {
      const facts = someFacts(spec);
      const plan = planRestore([facts], { kind: "latest" });
      const said = restorabilityOf(facts.catalog);
      const context = `seed ${one.seed}, ${idOf(spec)}: ${said}`;
      assertEquals(said === "whole", plan.kind === "plan", context);
      if (restorablePoints(spec).length > 0) assert(said !== "none", context);
      if (said === "none") assertEquals(restorablePoints(spec), [], context);
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
    if (one.specs.some((spec) => restorabilityOf(someFacts(spec).catalog) === "partly")) seen.partly++;
  });
  for (const [what, count] of Object.entries(seen)) assert(count > HISTORIES / 50, `${what}: ${count}`);
});
