import { answerDocument, type AnswerFacts, parseAnswer } from "../../lib/daemon/answer_document.ts";
import type { Answers } from "../../lib/daemon/answers.ts";
import { askDaemon } from "../../lib/daemon/ask.ts";
import type { DatabaseFacts } from "../../lib/daemon/health.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { startAnswers } from "../support/answers.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { databaseFacts, POSITION, replicaFacts } from "../support/health_facts.ts";
import { removeInUse } from "../support/remove_in_use.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const platform = { clock: new SystemClock(), files: new DenoFileSystem(), random: new SystemRandom() };

function factsOf(facts: Partial<DatabaseFacts> = {}): AnswerFacts {
  const replicas = [replicaFacts({ upkeepTrouble: "Cannot delete: denied", advice: "allow it" })];
  const database = databaseFacts({ replicas, ...facts });
  return { mode: "follow", startedAtMs: 1_700_000_000_000, captured: POSITION, facts: database };
}

async function withAnswers(
  work: (state: string, answers: Answers, asked: () => number) => Promise<void>,
): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const state = `${folder}/state`;
    let asked = 0;
    const answer = () => Promise.resolve(answerDocument({ ...factsOf(), startedAtMs: ++asked }));
    const answers = startAnswers(state, { answer });
    try {
      await work(state, answers, () => asked);
    } finally {
      await answers.stop();
    }
  });
}

/** Once the place is taken. */
async function served(state: string, answers: Answers): Promise<void> {
  Deno.mkdirSync(state, { recursive: true });
  answers.look();
  await until(async () => (await askDaemon(platform, state, 2_000)).kind === "answer", "an answer");
}

Deno.test("an answer that is written and parsed again says the same", () => {
  const answer = parseAnswer(JSON.stringify(answerDocument(factsOf())));
  assertEquals(answer?.captured, POSITION);
  assertEquals([answer?.mode, answer?.startedAtMs, answer?.condition], ["follow", 1_700_000_000_000, "well"]);
  assertEquals(answer?.replicas, [{
    name: "near",
    url: "file:///backup/near",
    condition: "trouble",
    problem: "Cannot delete: denied",
    advice: "allow it",
    cause: "replication",
    position: POSITION,
    lagMs: 0,
  }]);
  const refused = parseAnswer(JSON.stringify(answerDocument(factsOf({ trouble: "it is a folder" }))));
  assertEquals([refused?.condition, refused?.problem], ["trouble", "it is a folder"]);
});

Deno.test("what is no answer is none", () => {
  const document = answerDocument(factsOf());
  for (
    const broken of [{ schema_version: 2 }, { mode: "?" }, { started_at: "?" }, { condition: "?" }, { replicas: 1 }]
  ) {
    assertEquals(parseAnswer(JSON.stringify({ ...document, ...broken })), undefined);
  }
  for (const text of ["", "{", "null", "[]"]) assertEquals(parseAnswer(text), undefined);
});

Deno.test("askDaemon() believes only an answer to its own question, given by a process that lives", () =>
  withAnswers(async (state, answers, asked) => {
    assertEquals(await askDaemon(platform, state, 2_000), { kind: "none" });
    await served(state, answers);
    const before = asked();
    const both = await Promise.all([askDaemon(platform, state, 2_000), askDaemon(platform, state, 2_000)]);
    for (const one of both) assert(one.kind === "answer" && one.answer.startedAtMs > before);
    assertEquals([...Deno.readDirSync(`${state}/asks`)].map(({ name }) => name), ["served"]);
    await answers.stop();
    // What that process left behind says nothing any more.
    Deno.writeTextFileSync(`${state}/asks/00000000000000aa.answer`, JSON.stringify(answerDocument(factsOf())));
    assertEquals(await askDaemon(platform, state, 2_000), { kind: "none" });
  }));

Deno.test("askDaemon() is answered beside what is no question, or cannot be answered", () =>
  withAnswers(async (state, answers, asked) => {
    await served(state, answers);
    Deno.mkdirSync(`${state}/asks/00000000000000aa`);
    Deno.symlinkSync("/nowhere", `${state}/asks/00000000000000bb`);
    Deno.symlinkSync("/nowhere", `${state}/asks/00000000000000cc.tmp`);
    Deno.writeTextFileSync(`${state}/asks/00000000000000cc`, "");
    const before = asked();
    for (let i = 0; i < 2; i++) assertEquals((await askDaemon(platform, state, 10_000)).kind, "answer");
    assert(asked() > before);
  }));

Deno.test("askDaemon() of a process that holds the place and says nothing is silent", () =>
  withTemporaryFolder(async (state) => {
    Deno.mkdirSync(`${state}/asks`);
    const lock = platform.files.tryLock(`${state}/asks/served`);
    assertEquals(await askDaemon(platform, state, 50), { kind: "silent" });
    assertEquals([...Deno.readDirSync(`${state}/asks`)].map(({ name }) => name), ["served"]);
    lock?.release();
  }));

Deno.test("askDaemon() does not wait for a process that ends", () =>
  withTemporaryFolder(async (state) => {
    Deno.mkdirSync(`${state}/asks`);
    const lock = platform.files.tryLock(`${state}/asks/served`);
    const asked = askDaemon(platform, state, 60_000);
    lock?.release();
    assertEquals(await asked, { kind: "none" });
  }));

Deno.test("Answers writes nothing while nobody asks, and removes what was left behind", () =>
  withAnswers(async (state, answers) => {
    Deno.mkdirSync(`${state}/asks`, { recursive: true });
    for (const [name, atMs] of [["old", 0], ["new", Date.now()]] as const) {
      Deno.writeTextFileSync(`${state}/asks/${name}.answer`, "");
      Deno.utimeSync(`${state}/asks/${name}.answer`, new Date(atMs), new Date(atMs));
    }
    await served(state, answers);
    const names = () => [...Deno.readDirSync(`${state}/asks`)].map(({ name }) => name).sort();
    assertEquals(names(), ["new.answer", "served"]);
    const at = () => [state, `${state}/asks`].map((path) => Deno.statSync(path).mtime?.getTime());
    const before = at();
    answers.look();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assertEquals(at(), before);
  }));

Deno.test("Answers goes on when the state directory is made anew", () =>
  withAnswers(async (state, answers) => {
    await served(state, answers);
    removeInUse(state);
    await served(state, answers);
  }));

Deno.test("Answers takes its place again after it failed behind its lock", () =>
  withTemporaryFolder(async (state) => {
    let failures = 1;
    const watchFolder = () => {
      if (failures-- > 0) throw new Error("too many watches");
      return undefined;
    };
    const answer = () => Promise.resolve(answerDocument(factsOf()));
    const answers = startAnswers(state, { watchFolder, answer });
    await served(state, answers);
    await answers.stop();
  }));

Deno.test("Answers of a second process says nothing while the first does", () =>
  withAnswers(async (state, answers) => {
    await served(state, answers);
    const second = startAnswers(state, {});
    for (let i = 0; i < 5; i++) assertEquals((await askDaemon(platform, state, 2_000)).kind, "answer");
    await second.stop();
  }));
