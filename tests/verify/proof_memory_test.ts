import { SystemClock } from "../../lib/platform/clock.ts";
import { limits } from "../../lib/base/limits.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { formatPosition } from "../../lib/position/position.ts";
import {
  type KeptRun,
  keptRunOf,
  newestSuccess,
  pointsToTryAgain,
  type ProofMemory,
  recallProof,
  rememberProof,
  rememberRun,
  standingFailure,
} from "../../lib/verify/proof_memory.ts";
import { type Finding, type ReplicaReport, type Rung, type RungOutcome, RUNGS } from "../../lib/verify/report.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const files = new DenoFileSystem();
const POINT = "00000000000000aa/0000000000000001:4152";

/** A run up to the level, in which all but the given rungs pass. */
function aRun(level: Rung, odd: Partial<Record<Rung, RungOutcome>> = {}, more: Partial<KeptRun> = {}): KeptRun {
  const rungs: Partial<Record<Rung, RungOutcome>> = {};
  for (const rung of RUNGS.slice(0, RUNGS.indexOf(level) + 1)) rungs[rung] = odd[rung] ?? "pass";
  const outcomes = Object.values(rungs);
  const outcome = outcomes.includes("fail") ? "fail" : outcomes.includes("inconclusive") ? "inconclusive" : "pass";
  return { atMs: 1_000, outcome, rungs, isAgainstLive: false, values: {}, ...more };
}

const FULL = aRun("checks", {}, { schema: "0123456789abcdef", values: { rows: 3 } });
const DAMAGED = aRun("checks", { intact: "fail", restore: "fail", equal: "not-run", structure: "not-run" });
const UNEQUAL = aRun("checks", { equal: "fail" });
const IN_PART = aRun("checks", { intact: "fail" }, { slice: "2/7" });
const NOT_LIVE = aRun("checks", { equal: "fail" }, { isAgainstLive: true });

function remember(statePath: string, place: string, run: KeptRun, known?: readonly KeptRun[]): Promise<void> {
  const standing = known ?? recallProof(files, statePath, place)?.failures ?? [];
  return rememberProof({ files, clock: new SystemClock() }, { statePath, place, userId: undefined }, run, standing);
}

function after(...runs: readonly KeptRun[]): ProofMemory | undefined {
  return runs.reduce<ProofMemory | undefined>((memory, run) => rememberRun(memory, run), undefined);
}

Deno.test("rememberRun() lets a failure stand until a run that is as deep passes", () => {
  const table: readonly [string, KeptRun, KeptRun, boolean][] = [
    ["an hourly reach after a damaged replica", DAMAGED, aRun("reach"), true],
    ["nothing but its bytes", DAMAGED, aRun("intact"), true],
    ["a restore, not compared", DAMAGED, aRun("restore"), true],
    ["as far as structure, and it left no more open", DAMAGED, aRun("structure"), false],
    ["all of it", DAMAGED, FULL, false],
    ["a run in which nothing could be told", DAMAGED, aRun("checks", { intact: "inconclusive" }), true],
    ["a part of the objects", DAMAGED, { ...FULL, slice: "2/7" }, true],
    ["another part than the one that failed", IN_PART, { ...FULL, slice: "3/7" }, true],
    ["the same part", IN_PART, { ...FULL, slice: "2/7" }, false],
    ["all objects after a part of them", IN_PART, FULL, false],
    ["an equal database", UNEQUAL, aRun("equal"), false],
    ["one without anything to compare with", UNEQUAL, aRun("checks", { equal: "not-available" }), true],
    [
      "nothing to compare with, where that was not what failed",
      DAMAGED,
      aRun("checks", { equal: "not-available" }),
      false,
    ],
    ["no look at the live database, which was not the same", NOT_LIVE, FULL, true],
    ["a look at the live database", NOT_LIVE, { ...FULL, isAgainstLive: true }, false],
    ["a replica that is no longer behind", aRun("checks", { reach: "fail" }), aRun("reach"), false],
    [
      "a check that is no longer there",
      aRun("checks", { checks: "fail" }),
      aRun("checks", { checks: "not-available" }),
      false,
    ],
    ["no check, since it went less far", aRun("checks", { checks: "fail" }), aRun("structure"), true],
    ["a failure that no rung tells", aRun("equal", {}, { outcome: "fail" }), aRun("intact"), true],
  ];
  for (const [name, failure, run, stands] of table) {
    assertEquals(standingFailure(after(FULL, failure, run)) !== undefined, stands, name);
  }
});

Deno.test("rememberRun() keeps one failure of a kind, and all that differ in what would disprove them", () => {
  const later = { ...DAMAGED, atMs: 2_000 };
  assertEquals(after(DAMAGED, later)?.failures, [later]);
  const shallow = aRun("chain", { chain: "fail" });
  assertEquals(after(DAMAGED, shallow)?.failures, [DAMAGED, shallow]);
  assertEquals(after(IN_PART, { ...IN_PART, slice: "3/7" })?.failures.length, 2);
  assertEquals(after(DAMAGED, shallow, aRun("chain"))?.failures, [DAMAGED]);
  assertEquals(after(IN_PART, shallow, FULL)?.failures, []);
});

Deno.test("newestSuccess() is the last run that restored and compared", () => {
  const table: readonly [string, KeptRun, boolean][] = [
    ["reach", aRun("reach"), false],
    ["intact", aRun("intact"), false],
    ["restored and not compared", aRun("restore"), false],
    ["compared", aRun("equal"), true],
    ["of a writer that keeps no checksum", aRun("checks", { equal: "not-available" }), true],
    ["a failure", UNEQUAL, false],
    ["inconclusive", aRun("checks", { structure: "inconclusive" }), false],
  ];
  for (const [name, run, isSuccess] of table) {
    const later = { ...run, atMs: 2_000 };
    assertEquals(newestSuccess(after(FULL, later)), isSuccess ? later : FULL, name);
    assertEquals(newestSuccess(after(later)), isSuccess ? later : undefined, name);
  }
  assertEquals(newestSuccess(undefined), undefined);
  assertEquals(standingFailure(undefined), undefined);
});

Deno.test("rememberRun() keeps what was found inside a database beyond runs that did not look there", () => {
  assertEquals(after(FULL, aRun("equal"), aRun("reach"), UNEQUAL)?.inside, FULL);
});

Deno.test("pointsToTryAgain() names the past points that failed, until a run has tried them", () => {
  const failed = aRun("equal", { restore: "fail" }, { failedPoints: [POINT] });
  assertEquals(pointsToTryAgain(after(failed)).map(formatPosition), [POINT]);
  const noRoom = aRun("equal", { chain: "fail", restore: "inconclusive", equal: "not-run" });
  assertEquals(pointsToTryAgain(after(failed, noRoom)).map(formatPosition), [POINT]);
  assertEquals(pointsToTryAgain(after(failed, noRoom, aRun("equal"))), []);
});

function aReport(report: Partial<ReplicaReport>): ReplicaReport {
  const rungs = RUNGS.map((rung) => ({ rung, outcome: "pass" as const, says: "", durationMs: 1 }));
  const constant = { replica: "near", url: "file:///backup", suspicions: [], proofs: [], values: {}, durationMs: 1 };
  return { ...constant, rungs, findings: [], outcome: "pass", about: "newest state", isAgainstLive: false, ...report };
}

Deno.test("keptRunOf() keeps what says something of the replica, and nothing else", () => {
  const finding = (code: Finding["code"]): Finding => ({ rung: "restore", code, problem: code });
  const table: readonly [string, Partial<ReplicaReport>, string | undefined][] = [
    ["all is well", {}, "pass"],
    ["damage", { outcome: "fail", findings: [finding("corrupt")] }, "fail"],
    ["a state that somebody chose, and found", { about: "chosen state" }, undefined],
    ["one with a typo", { about: "chosen state", outcome: "fail", findings: [finding("not-found")] }, undefined],
    ["an unmounted replica", { outcome: "inconclusive", findings: [finding("unavailable")] }, undefined],
    ["a comparison that cannot be made", { outcome: "fail", findings: [finding("no-checksum")] }, undefined],
  ];
  for (const [name, report, outcome] of table) assertEquals(keptRunOf(aReport(report), 5)?.outcome, outcome, name);
  const both = aReport({ outcome: "fail", findings: [finding("unavailable"), finding("gap")] });
  assertEquals([keptRunOf(both, 5)?.problem, keptRunOf(both, 5)?.exitCode], ["gap", 4]);
  const codes: readonly [Finding["code"], number][] = [["stale", 5], ["not-found", 3], ["check", 4], ["foreign", 4]];
  for (const [code, exitCode] of codes) {
    const report = aReport({ outcome: "fail", findings: [finding(code), finding("unavailable")] });
    assertEquals(keptRunOf(report, 5)?.exitCode, exitCode, code);
  }
  assertEquals(keptRunOf(aReport({}), 5)?.exitCode, undefined);
});

Deno.test("rememberProof() keeps a memory for each replica, and a run that told nothing changes none", () =>
  withTemporaryFolder(async (folder) => {
    await remember(folder, "/backup/near", FULL);
    assertEquals(recallProof(files, folder, "/backup/near"), after(FULL));
    await remember(folder, "/backup/near", DAMAGED);
    assertEquals(recallProof(files, folder, "/backup/near"), after(FULL, DAMAGED));
    const inconclusive = aRun("reach", { reach: "inconclusive" });
    await remember(folder, "/backup/near", inconclusive);
    assertEquals(recallProof(files, folder, "/backup/near"), after(FULL, DAMAGED));
    await remember(folder, "/backup/far", inconclusive);
    assertEquals(recallProof(files, folder, "/backup/far"), undefined);
  }));

Deno.test("rememberProof() makes no state folder, and recallProof() takes nothing that is none of ours", () =>
  withTemporaryFolder(async (folder) => {
    await remember(`${folder}/none`, "/backup", FULL);
    assertEquals([...Deno.readDirSync(folder)], []);
    await remember(folder, "/backup", FULL);
    const name = [...Deno.readDirSync(folder)].map((entry) => entry.name).find((name) => name.startsWith("proof-"));
    const text = Deno.readTextFileSync(`${folder}/${name}`);
    const wrong = [
      "",
      "null",
      "{",
      `{"place":"/backup"}`,
      `{"place":"/backup","last":{"atMs":1,"outcome":"pass","values":{}}}`, // Of an earlier version, which kept less.
      text.replace('"version":2', '"version":3'),
      text.replace('"failures":[]', '"failures":[{}]'),
      text.replace('"outcome":"pass"', '"outcome":"fine"'),
      text.replaceAll('"atMs":1000', '"atMs":1e300'),
      text.replaceAll('"equal":"pass"', '"equal":"not-run"'), // A success that never was one.
      text.replace('"values":{"rows":3}', '"values":{"rows":"3"}'),
      text.replace('"schema":', '"proven":null,"schema":'),
      text.replace('"schema":', '"proven":{"position":5,"capturedAtMs":1},"schema":'),
      text.replace('"schema":', '"problem":{},"schema":'),
      text.replace('"failures":[]', `"failures":[${JSON.stringify(FULL)}]`),
      `${text}${" ".repeat(limits.proofMaxBytes)}`,
    ];
    for (const one of wrong) {
      assert(one !== text);
      Deno.writeTextFileSync(`${folder}/${name}`, one);
      assertEquals(recallProof(files, folder, "/backup"), undefined, one);
    }
  }));

Deno.test("recallProof() waits for nothing that is no file", () =>
  withTemporaryFolder(async (folder) => {
    await remember(folder, "/backup", FULL);
    const name = [...Deno.readDirSync(folder)].map((entry) => entry.name).find((name) => name.startsWith("proof-"));
    Deno.removeSync(`${folder}/${name}`);
    Deno.symlinkSync("/dev/zero", `${folder}/${name}`);
    assertEquals(recallProof(files, folder, "/backup"), undefined);
    await remember(folder, "/backup", FULL);
    assertEquals(recallProof(files, folder, "/backup"), after(FULL));
  }));

Deno.test("rememberRun() has a run disprove only what stood when it began", () => {
  const slow = aRun("checks", {}, { atMs: 500 });
  assertEquals(standingFailure(rememberRun(after(DAMAGED), slow, [])), DAMAGED);
  assertEquals(newestSuccess(rememberRun(after(DAMAGED), slow, [])), slow);
  assertEquals(standingFailure(rememberRun(after(DAMAGED), slow, [DAMAGED])), undefined);
  const later = { ...DAMAGED, atMs: 3_000 };
  assertEquals(rememberRun(after(later), slow, [DAMAGED])?.failures, [later]);
  assertEquals(rememberRun(after(DAMAGED), later, [])?.failures, [DAMAGED, later]);
});

Deno.test("rememberProof() loses none of many runs that end at the same time", () =>
  withTemporaryFolder(async (folder) => {
    const failures = RUNGS.map((rung) => aRun(rung, { [rung]: "fail" }));
    await Promise.all([...failures, FULL, FULL].map((run) => remember(folder, "/backup", run, [])));
    const kept = recallProof(files, folder, "/backup");
    const problemsOf = (runs: readonly KeptRun[] | undefined) => runs?.map((run) => JSON.stringify(run)).toSorted();
    assertEquals([problemsOf(kept?.failures), kept?.success], [problemsOf(failures), FULL]);
  }));
