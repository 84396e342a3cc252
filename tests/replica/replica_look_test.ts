import { createLogger } from "../../lib/base/log.ts";
import { limits } from "../../lib/base/limits.ts";
import type { Generation } from "../../lib/position/generation.ts";
import { asIndex, asOffset, type Position } from "../../lib/position/position.ts";
import { ReplicaLook } from "../../lib/replica/replica_look.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { after, asGeneration, type GenerationSpec, someFacts } from "../support/catalog_builder.ts";
import { SimulatedClock } from "../support/simulated_clock.ts";

const GENERATION = asGeneration("00000000000000aa");
const INTERVAL_MS = 60_000;

/** A snapshot, then two indexes; the last goes on. */
const WHOLE: GenerationSpec = {
  snapshots: [{ index: 0, atMs: 1_000 }],
  wals: [{ index: 0, records: [[2, 2_000]], closedMs: 2_500 }, { index: 1, records: [[3, 3_000]] }],
};
const WRITTEN = at(1, 3);
const EMPTY: GenerationSpec = { snapshots: [] };
const WITHOUT_SNAPSHOT = { ...WHOLE, snapshots: [] };
const CUT_OFF = { ...WHOLE, wals: WHOLE.wals?.slice(0, 1) ?? [] };
const MENDED = { ...WHOLE, snapshots: [{ index: 1, frames: 3, atMs: 4_000 }] };

function at(index: number, frames: number): Position {
  return { generation: GENERATION, index: asIndex(index), offset: asOffset(after(frames)) };
}

class Stage {
  readonly clock = new SimulatedClock(1_700_000_000_000);
  readonly lines: string[] = [];
  held: GenerationSpec = WHOLE;
  others: Generation[] = [];
  looks = 0;
  missing: Error | undefined;
  /** Found by the next look alone. */
  glimpse: GenerationSpec | undefined;
  readonly look = new ReplicaLook({
    store: this.#store(),
    clock: this.clock,
    log: createLogger({
      level: "info",
      format: "text",
      now: () => new Date(0),
      writeLine: (line) => this.lines.push(line.slice("1970-01-01T00:00:00.000Z ".length)),
    }),
    intervalMs: INTERVAL_MS,
    expectReplica: () => this.missing === undefined ? Promise.resolve() : Promise.reject(this.missing),
  });

  async kind(): Promise<string> {
    return (await this.look.look(WRITTEN)).kind;
  }

  #store(): GenerationStore {
    return {
      catalog: () => {
        this.looks++;
        const held = this.glimpse ?? this.held;
        this.glimpse = undefined;
        return Promise.resolve(someFacts(held).catalog);
      },
      generations: () => Promise.resolve(this.others),
    } as unknown as GenerationStore;
  }
}

Deno.test("ReplicaLook is due at once, then after each interval, and says nothing while all is well", async () => {
  const stage = new Stage();
  assertEquals(stage.look.isDue, true);
  for (let looks = 1; looks <= 3; looks++) {
    assertEquals([await stage.kind(), stage.looks], ["well", looks]);
    assertEquals(stage.look.dueInMs(), INTERVAL_MS);
    assertEquals(stage.look.facts, {
      brokenBecause: undefined,
      lookedAtMs: stage.clock.now().getTime(),
      lookingMs: 0,
    });
    stage.clock.advance(INTERVAL_MS);
    assertEquals(stage.look.isDue, true);
  }
  assertEquals(stage.lines, []);
});

for (
  const [what, held, reason] of [
    ["has lost its snapshot", WITHOUT_SNAPSHOT, /snapshots\/0{16}\.snapshot is missing/],
    [
      "has lost its snapshot, beside a draft",
      { ...WITHOUT_SNAPSHOT, unfinishedAtMs: 9_000 },
      /^it holds no complete snapshot yet /,
    ],
    ["has lost its end", CUT_OFF, /^it ends at \S+\/0{16}:1104, and holds no longer what was written behind$/],
    ["was emptied", EMPTY, /^nothing of generation 00000000000000aa is there, which was written to it$/],
  ] as const
) {
  Deno.test(`ReplicaLook finds that a replica ${what}`, async () => {
    const stage = new Stage();
    stage.held = held;
    assertEquals(await stage.kind(), "harmed");
    assertMatch(stage.look.facts.brokenBecause ?? "", reason);
    assertMatch(
      stage.lines.join("\n"),
      /^ERROR The replica can no longer be restored to its end: .*; it is mended now/,
    );
    assertEquals(stage.look.isDue, true);
  });
}

Deno.test("ReplicaLook names another history that stands in the place of the one that was written", async () => {
  const stage = new Stage();
  stage.held = EMPTY;
  stage.others = [asGeneration("00000000000000bb"), GENERATION];
  assertEquals(await stage.kind(), "harmed");
  assertMatch(stage.look.facts.brokenBecause ?? "", /, and another history is: 00000000000000bb$/);
});

Deno.test("ReplicaLook believes harm only when it finds it again, in all that is read anew", async () => {
  const stage = new Stage();
  stage.glimpse = WITHOUT_SNAPSHOT;
  assertEquals([await stage.kind(), stage.looks], ["well", 2]);
  assertEquals([stage.look.dueInMs(), stage.lines], [INTERVAL_MS, []]);
});

Deno.test("ReplicaLook asks for a new generation when going on did not help, and then waits for an interval", async () => {
  const stage = new Stage();
  stage.held = WITHOUT_SNAPSHOT;
  assertEquals([await stage.kind(), await stage.kind(), await stage.kind()], ["harmed", "beyond-repair", "given-up"]);
  assertEquals(stage.look.dueInMs(), INTERVAL_MS);
  assertEquals([await stage.kind(), stage.lines.length], ["harmed", 1]); // Said once, then hourly.
  stage.clock.advance(limits.saidAgainMs);
  await stage.kind();
  assertEquals(stage.lines.length, 2);
});

Deno.test("ReplicaLook says of a mended replica what of its history is lost", async () => {
  const stage = new Stage();
  await stage.kind();
  stage.held = CUT_OFF;
  await stage.kind();
  stage.held = WHOLE; // What was missing is there again.
  assertEquals(await stage.kind(), "well");
  assertEquals(stage.lines.at(-1), "INFO  The replica can be restored to its end again; no state is lost");
  stage.held = WITHOUT_SNAPSHOT;
  await stage.kind();
  stage.held = MENDED;
  assertEquals(await stage.kind(), "well");
  const since = "00000000000000aa/0000000000000001:1640";
  assertEquals(
    stage.lines.at(-1),
    `WARN  The replica can be restored to its end again; states before ${since} are lost`,
  );
  assertEquals(stage.look.facts.brokenBecause, undefined);
});

Deno.test("ReplicaLook says which states are lost between, when a replica was brought forward", async () => {
  const stage = new Stage();
  await stage.kind();
  stage.held = CUT_OFF;
  await stage.kind();
  stage.look.notePassedOver(at(0, 2), WRITTEN);
  stage.held = WHOLE;
  await stage.kind();
  assertMatch(stage.lines.at(-1) ?? "", /again; states between \S+\/0{16}:1104 and \S+\/0{15}1:1640 are lost$/);
});

Deno.test("ReplicaLook that cannot look is still due, and knows no more than before", async () => {
  const stage = new Stage();
  stage.missing = new Error("is it mounted?");
  await assertRejects(() => stage.kind(), Error, "is it mounted?");
  assertEquals([stage.look.isDue, stage.look.facts.lookedAtMs, stage.look.facts.lookingMs], [true, undefined, 0]);
});
