import { reduceStatus } from "../../lib/base/engine_event.ts";
import { limits } from "../../lib/base/limits.ts";
import type { DaemonAnswer, ReplicaAnswer } from "../../lib/daemon/answer_document.ts";
import { EXIT_CODES, judgeSafety, type ReplicaView, type SafetyFacts } from "../../lib/daemon/safety.ts";
import { parsePosition, type Position } from "../../lib/position/position.ts";
import { type KeptRun, type ProofMemory, rememberRun } from "../../lib/verify/proof_memory.ts";
import { assert, assertEquals } from "../support/assert.ts";

const NOW = 1_700_000_000_000;
const HOUR_MS = 3_600_000;
const POSITION = at("00000000000000aa/0000000000000003:4152");
const PROVEN: KeptRun = {
  atMs: NOW - HOUR_MS,
  outcome: "pass",
  reached: "structure",
  rungs: { restore: "pass", equal: "pass", structure: "pass" },
  isAgainstLive: false,
  values: {},
};
const NOBODY = { heard: { kind: "none" }, daemon: undefined } as const;

function at(text: string): Position | undefined {
  return parsePosition(text);
}

function kept(answer: Partial<ReplicaAnswer> = {}): ReplicaAnswer {
  return {
    name: "near",
    url: "file:///near",
    condition: "well",
    problem: undefined,
    advice: undefined,
    cause: undefined,
    position: POSITION,
    lagMs: 0,
    ...answer,
  };
}

function answered(answer: Partial<DaemonAnswer> = {}, replica: Partial<ReplicaAnswer> = {}): SafetyFacts["status"] {
  return {
    heard: {
      kind: "answer",
      answer: {
        mode: "follow",
        version: "0.1.0",
        startedAtMs: 0,
        captured: POSITION,
        condition: "well",
        problem: undefined,
        advice: undefined,
        replicas: [kept(replica)],
        ...answer,
      },
    },
    daemon: 7,
    path: undefined,
    recorded: reduceStatus([]),
  };
}

function view(own: Partial<ReplicaView> = {}): ReplicaView {
  return {
    name: "near",
    url: "file:///near",
    syncIntervalMs: 0,
    holdsGenerations: true,
    ...(POSITION && { position: POSITION }),
    capturedAtMs: NOW - 1_000,
    lagMs: 0,
    proof: { last: PROVEN, success: PROVEN, failures: [] },
    ...own,
  };
}

/** Exit code, replica and reason of each, the worst first. */
function judged(facts: Partial<SafetyFacts> = {}): (readonly [number, string | undefined, string])[] {
  return judgeAll(facts).map(({ grade, replica, why }) => [EXIT_CODES[grade], replica, why] as const);
}

function judgeAll(facts: Partial<SafetyFacts>) {
  return judgeSafety({
    status: answered(),
    nowMs: NOW,
    provenWithinMs: 48 * HOUR_MS,
    replicas: [view()],
    ...facts,
  });
}

const alone = (own: Partial<SafetyFacts["status"]> = {}) => ({ ...answered(), ...NOBODY, ...own });
const withoutProof = () => {
  const { proof: _, ...rest } = view();
  return rest;
};

Deno.test("judgeSafety(): a daemon that answers, replicas that hold everything, and a fresh proof are safe", () => {
  assertEquals(judged(), []);
});

Deno.test("judgeSafety(): without a daemon that follows nothing is safe", () => {
  assertEquals(judged({ status: alone() }), [[1, undefined, "no daemon follows it"]]);
  assertEquals(judged({ status: alone({ heard: { kind: "silent" }, daemon: 7 }) }), [
    [1, undefined, "its daemon does not answer: it is stopped, or hangs"],
  ]);
  assertEquals(judged({ status: alone({ daemon: 7 }) }), [[
    1,
    undefined,
    "a process has it that does not follow it yet",
  ]]);
  assertEquals(judged({ status: alone({ heard: { kind: "unasked", problem: "denied" } }) }), [
    [1, undefined, "its daemon cannot be asked: denied"],
  ]);
  assertEquals(judged({ status: answered({ mode: "once" }) }), [
    [1, undefined, "only `replicate --once` runs, which will end"],
  ]);
});

Deno.test("judgeSafety(): commits that nobody is bringing are stale, of each replica that misses them", () => {
  const [near, far] = [view({ lagMs: 29_000 }), view({ name: "far", lagMs: 7_200_000 })];
  assertEquals(judged({ status: alone(), replicas: [near, far] }), [
    [5, undefined, "no daemon follows it, no replica has its last 29s"],
    [5, "near", "it misses the last 29s"],
    [5, "far", "it misses the last 2h"],
  ]);
  const { lagMs: _, ...unknown } = view();
  assertEquals(judged({ status: alone(), replicas: [unknown] }), [
    [5, undefined, "no daemon follows it, it is not known what its replicas miss"],
    [5, "near", "its age is not known"],
  ]);
  assertEquals(judged({ status: alone(), replicas: [{ ...unknown, holdsGenerations: false }] }), [
    [5, undefined, "no daemon follows it, no replica has any of it"],
    [5, "near", "it has received nothing yet"],
  ]);
});

Deno.test("judgeSafety(): how much is missed is said in whole amounts, and of less than a second none", () => {
  const missed = (lagMs: number) => judged({ status: alone(), replicas: [view({ lagMs })] });
  for (const lagMs of [1, 999]) {
    const moment = missed(lagMs);
    assertEquals(moment, [[1, undefined, "no daemon follows it"], [5, "near", "it may miss the last change"]]);
  }
  const amounts = [[1_000, "1s"], [59_999, "59s"], [60_000, "1m"], [3_600_000, "1h"], [172_800_000, "2d"]] as const;
  for (const [lagMs, amount] of amounts) {
    assertEquals(missed(lagMs), [
      [5, undefined, `no daemon follows it, no replica has its last ${amount}`],
      [5, "near", `it misses the last ${amount}`],
    ]);
  }
  const proof = { last: PROVEN, success: { ...PROVEN, atMs: NOW - 400 }, failures: [] };
  assertEquals(judged({ provenWithinMs: 300, replicas: [view({ proof })] }), [
    [5, "near", "last proven less than 1s ago"],
  ]);
});

Deno.test("judgeSafety(): a replica that never received anything is not safe, with and without a daemon", () => {
  const empty = view({ holdsGenerations: false });
  const began = answered({}, { position: undefined, lagMs: undefined });
  assertEquals(judged({ status: began, replicas: [empty] }), [[5, "near", "it has received nothing yet"]]);
  assertEquals(judged({ status: alone(), replicas: [empty, view({ name: "far" })] }), [
    [1, undefined, "no daemon follows it"],
    [5, "near", "it has received nothing yet"],
  ]);
});

Deno.test("judgeSafety(): another history in the place of what was written is damage, and so is an end that nothing leads to", () => {
  const position = at("00000000000000bb/0000000000000009:4152");
  assert(position !== undefined);
  const why = "it no longer holds what was written to it";
  assertEquals(judged({ replicas: [view({ position })] }), [[4, "near", why]]);
  const { position: _, ...nowhere } = view();
  assertEquals(judged({ replicas: [nowhere] }), [[4, "near", why]]);
  const began = answered({}, { position: at("00000000000000aa/0000000000000004:0") });
  assertEquals(judged({ status: began }), []);
  const broken = [view({ broken: "index 1 is missing" })];
  assertEquals(judged({ replicas: broken }), [[4, "near", "index 1 is missing"]]);
  assertEquals(judged({ status: alone(), replicas: broken }).at(0), [4, "near", "index 1 is missing"]);
  assertEquals(judged({ replicas: [view({ isBare: true })] }), [[4, "near", "nothing that it holds can be restored"]]);
  assertEquals(judged({ replicas: [{ ...nowhere, holdsGenerations: false }] }), [[4, "near", why]]);
  const looked = answered({}, { condition: "trouble", cause: "look", problem: "it is broken" });
  assertEquals(judged({ status: looked }), [[4, "near", "it is broken"]]);
  assertEquals(judged({ replicas: [{ ...nowhere, isUnread: true }] }), []);
  for (const { help } of judgeAll({ replicas: broken })) assertEquals(help, { kind: "snapshot", replica: "near" });
});

Deno.test("judgeSafety(): a database that the daemon refuses, waits for or only takes up is not safe, and says why", () => {
  const refused = answered({ condition: "trouble", problem: "it is a folder", captured: undefined });
  assertEquals(judged({ status: refused }), [[1, undefined, "it is a folder"]]);
  const waiting = answered({ condition: "waiting", problem: "it does not exist yet", captured: undefined });
  assertEquals(judged({ status: waiting }), [[1, undefined, "it does not exist yet"]]);
  const why = "the daemon is taking it up, and has not captured its last commits yet";
  assertEquals(judged({ status: answered({ condition: "starting", captured: undefined }) }), [[5, undefined, why]]);
  assertEquals(judged({ status: answered({ captured: undefined }) }), [[5, undefined, why]]);
  // And where no daemon says so.
  const folder = { problem: "Cannot replicate /a: it is a folder", advice: "ls" };
  assertEquals(judged({ status: alone({ path: folder }) }), [[1, undefined, "Cannot replicate /a: it is a folder"]]);
  const missing = { problem: "it does not exist yet", advice: undefined };
  assertEquals(judged({ status: alone({ path: missing }) }), [
    [1, undefined, "it does not exist yet"],
  ]);
});

Deno.test("judgeSafety(): a replica that the daemon cannot bring everything to is not safe", () => {
  const replica = (own: Partial<ReplicaAnswer>) => judged({ status: answered({}, own) });
  assertEquals(replica({ condition: "trouble", problem: "no space" }), [[1, "near", "no space"]]);
  assertEquals(replica({ condition: "snapshotting", lagMs: undefined }), [
    [5, "near", "its first snapshot is being made"],
  ]);
  assertEquals(replica({ condition: "starting", lagMs: undefined }), [[
    5,
    "near",
    "it is not known yet how it stands",
  ]]);
  assertEquals(replica({ lagMs: limits.replicaStillMaxMs }), []);
  assertEquals(replica({ lagMs: limits.replicaStillMaxMs + 1 }), [[5, "near", "it is 1m behind"]]);
  assertEquals(judged({ status: answered({ replicas: [] }) }), [
    [5, "near", "the running daemon knows nothing of it, and must be started again"],
  ]);
});

Deno.test("judgeSafety(): what the daemon wrote must stand on the replica", () => {
  const found = (text: string) => judged({ replicas: [view({ position: at(text) as Position })] });
  assertEquals(found("00000000000000aa/0000000000000003:32"), [
    [4, "near", "it no longer holds what was written to it"],
  ]);
  assertEquals(found("00000000000000aa/0000000000000004:32"), []);
  const begun = answered({}, { position: at("00000000000000aa/0000000000000004:0") });
  assertEquals(judged({ status: begun }), []);
  const indexLost = answered({}, { position: at("00000000000000aa/0000000000000005:0") });
  assertEquals(judged({ status: indexLost }), [[4, "near", "it no longer holds what was written to it"]]);
});

Deno.test("judgeSafety(): a replica that cannot be looked at is not safe, and damage wins", () => {
  const broken = (isDamage: boolean): ReplicaView => ({
    name: "near",
    url: "file:///near",
    syncIntervalMs: 0,
    holdsGenerations: false,
    error: { message: "Cannot read it", advice: undefined, isDamage },
  });
  assertEquals(judged({ replicas: [broken(false)] }), [[1, "near", "Cannot read it"]]);
  assertEquals(
    judged({ status: alone(), replicas: [view({ name: "far", lagMs: 1_000 }), broken(true)] }).map(([code]) => code),
    [
      4,
      5,
      5,
    ],
  );
});

Deno.test("judgeSafety(): without a daemon, what failed last is remembered", () => {
  const recorded = reduceStatus([{ atMs: 0, kind: "replica-failed", message: "no space", replica: "near" }]);
  assertEquals(judged({ status: alone({ recorded }) }), [
    [1, undefined, "no daemon follows it"],
    [1, "near", "it failed when it was last written: no space"],
  ]);
  // A daemon that runs knows better.
  assertEquals(judged({ status: { ...answered(), recorded } }), []);
  // Another config may give another replica the same name.
  const failure = { atMs: 0, kind: "replica-failed", message: "no space", replica: "near" } as const;
  const of = (url: string) => judged({ status: alone({ recorded: reduceStatus([{ ...failure, url }]) }) }).length;
  assertEquals([of("file:///near"), of("file:///elsewhere")], [2, 1]);
});

Deno.test("judgeSafety(): only a run that restored and compared is a proof, and not for ever", () => {
  const after = (...runs: readonly KeptRun[]) => {
    const proof = runs.reduce<ProofMemory | undefined>((memory, run) => rememberRun(memory, run), undefined);
    return judged({ replicas: [{ ...withoutProof(), ...(proof && { proof }) }] });
  };
  assertEquals(judged({ replicas: [withoutProof()] }), [[5, "near", "never verified"]]);
  const shallow: KeptRun = { ...PROVEN, reached: "reach", rungs: { reach: "pass" } };
  assertEquals(after(shallow), [[5, "near", "never restored and compared"]]);
  assertEquals(after(PROVEN, shallow), []);
  const failed: KeptRun = { ...PROVEN, outcome: "fail", rungs: { restore: "pass", equal: "fail" }, problem: "a bit" };
  const unsafe = [4, "near", "a verification failed: a bit"] as const;
  assertEquals(after(PROVEN, failed), [unsafe]);
  assertEquals(after(PROVEN, failed, shallow), [unsafe]);
  assertEquals(after(failed, PROVEN), []);
  for (const [exitCode, code] of [[4, 4], [5, 5], [3, 1], [1, 1], [75, 4], [undefined, 4]] as const) {
    assertEquals(after({ ...failed, ...(exitCode && { exitCode }) }).map(([code]) => code), [code], String(exitCode));
  }
  // What is less deep does not cover what is worse.
  const late: KeptRun = { ...shallow, outcome: "fail", rungs: { reach: "fail" }, problem: "too old", exitCode: 5 };
  assertEquals(after(failed, late), [unsafe]);
  const old: KeptRun = { ...PROVEN, atMs: NOW - 49 * HOUR_MS };
  assertEquals(after(old), [[5, "near", "last proven 2d ago"]]);
  const proof = { last: old, success: old, failures: [] };
  assertEquals(judged({ provenWithinMs: 0, replicas: [view({ proof })] }), []);
  assertEquals(after({ ...PROVEN, atMs: NOW + HOUR_MS }), [[5, "near", "its last proof is dated in the future"]]);
  // That the daemon holds a failed proof against the replica is said once.
  const status = answered({}, { condition: "trouble", cause: "proof", problem: "a verification failed: a bit" });
  const failing = { last: failed, success: PROVEN, failures: [failed] };
  assertEquals(judged({ status, replicas: [view({ proof: failing })] }), [unsafe]);
});

/** `advice` stands for any sentence that was not handed in. */
function helpOf(facts: Partial<SafetyFacts>): string {
  const [worst] = judgeAll(facts);
  assert(worst !== undefined);
  const { help } = worst;
  assert(help.kind !== "advice" || help.text.length > 0);
  return help.kind === "advice" && help.text === "as it said" ? help.text : help.kind;
}

Deno.test("judgeSafety(): whatever is not safe, it says what to do", () => {
  const advice = "as it said";
  const answer = (own: Partial<DaemonAnswer>, replica: Partial<ReplicaAnswer> = {}) => ({
    status: answered(own, replica),
  });
  const unread = (isDamage: boolean, text?: string) => {
    const error = { message: "Cannot read it", advice: text, isDamage };
    return { replicas: [{ ...view(), holdsGenerations: false, error }] };
  };
  const empty = { replicas: [view({ holdsGenerations: false })] };
  const table: readonly (readonly [string, Partial<SafetyFacts>])[] = [
    ["replicate", { status: alone() }],
    ["process", { status: alone({ daemon: 7 }) }],
    ["process", { status: alone({ daemon: 7, heard: { kind: "silent" } }) }],
    ["advice", { status: alone({ heard: { kind: "silent" } }) }],
    ["advice", { status: alone({ heard: { kind: "unasked", problem: "denied" } }) }],
    ["advice", { status: alone({ path: { problem: "it does not exist yet", advice: undefined } }) }],
    [advice, { status: alone({ path: { problem: "it is a folder", advice } }) }],
    [advice, answer({ condition: "trouble", advice })],
    ["advice", answer({ condition: "trouble" })],
    ["advice", answer({ condition: "waiting" })],
    ["status", answer({ condition: "starting" })],
    ["replicate", answer({ mode: "once" })],
    ["advice", answer({ replicas: [] })],
    ["snapshot", answer({}, { condition: "trouble", cause: "look" })],
    [advice, answer({}, { condition: "trouble", cause: "replication", advice })],
    ["advice", answer({}, { condition: "trouble", cause: "replication" })],
    ["status", answer({}, { condition: "snapshotting" })],
    ["status", answer({}, { lagMs: 1e9 })],
    ["status", answer({}, { lagMs: undefined })],
    ["status", { ...answer({}, { position: undefined }), ...empty }],
    ["replicate", { status: alone(), ...empty }],
    ["verify", unread(true)],
    ["advice", unread(false)],
    [advice, unread(false, advice)],
    [advice, { ...answer({}, { condition: "trouble", advice }), ...unread(false) }],
    ["advice", { replicas: [view({ capturedAtMs: NOW + 30 * 24 * HOUR_MS })] }],
    ["verify", { replicas: [withoutProof()] }],
  ];
  for (const [wanted, facts] of table) assertEquals(helpOf(facts), wanted, JSON.stringify(facts));
});

Deno.test("judgeSafety(): a state that is dated in the future has no age", () => {
  assertEquals(judged({ replicas: [view({ capturedAtMs: NOW + limits.clockAheadMaxMs })] }), []);
  assertEquals(judged({ replicas: [view({ capturedAtMs: NOW + 30 * 24 * HOUR_MS })] }), [
    [5, "near", "its newest state is dated 30d in the future, so its age is not known"],
  ]);
});
