import { ReplicationError } from "../../lib/base/errors.ts";
import type { Answers, AnswersOptions } from "../../lib/daemon/answers.ts";
import { isServed } from "../../lib/daemon/ask.ts";
import {
  formatOrder,
  formatResults,
  isOrder,
  orderSnapshot,
  parseOrder,
  parseResults,
} from "../../lib/daemon/order.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileSystem } from "../../lib/platform/file_system.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { parsePosition } from "../../lib/position/position.ts";
import { NOBODY } from "../support/another_user.ts";
import { startAnswers } from "../support/answers.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const platform = { clock: new SystemClock(), files: new DenoFileSystem(), random: new SystemRandom() };
const DONE = formatResults([{ replica: "a", problem: "it was tried" }]);
const never = new AbortController().signal;

/** A process that answers in that state directory. */
async function withAnswers(
  options: Partial<AnswersOptions>,
  work: (state: string, answers: Answers) => Promise<void>,
): Promise<void> {
  await withTemporaryFolder(async (state) => {
    const userId = Deno.uid() ?? undefined;
    const answer = () => Promise.resolve({});
    const answers = startAnswers(state, { userId, answer, carryOut: () => Promise.resolve(DONE), ...options });
    try {
      await until(() => isServed(platform.files, `${state}/asks`), "the place to be taken");
      await work(state, answers);
    } finally {
      await answers.stop();
    }
  });
}

function give(state: string, answers: Answers) {
  const ordered = orderSnapshot(platform, state, { replicas: undefined }, never, Deno.uid() ?? undefined);
  answers.look();
  return ordered;
}

Deno.test("an order is carried out once, and answered as soon as it can be", async () => {
  let [carriedOut, refusals] = [0, 2];
  const files: FileSystem = Object.create(platform.files);
  files.open = (path, mode, permissions) => {
    if (path.endsWith(".order.tmp") && refusals-- > 0) throw new ReplicationError("no-space", "the disk is full");
    return platform.files.open(path, mode, permissions);
  };
  const carryOut = () => Promise.resolve((carriedOut++, DONE));
  await withAnswers({ files, carryOut }, async (state, answers) => {
    const ordered = give(state, answers);
    await until(() => (answers.look(), refusals <= 0), "the disk to be full twice");
    assertEquals(await ordered, { kind: "done", results: [{ replica: "a", problem: "it was tried", mayPass: false }] });
    assertEquals(carriedOut, 1);
  });
});

Deno.test("an order whose carrying out meets a fault, or that cannot be read, is answered", async () => {
  const carryOut = () => Promise.reject(new TypeError("a fault"));
  await withAnswers({ carryOut }, async (state, answers) => {
    const ordered = await give(state, answers);
    assertEquals(ordered.kind === "done" && ordered.results.map(({ problem }) => problem), ["a fault"]);
  });
  const files: FileSystem = Object.create(platform.files);
  files.readText = () => {
    throw new ReplicationError("denied", "permission denied");
  };
  await withAnswers({ files }, async (state, answers) => {
    const ordered = await give(state, answers);
    assertEquals(ordered.kind === "done" && ordered.results.map(({ problem }) => problem), ["permission denied"]);
  });
});

Deno.test("orderSnapshot() waits no longer for an order that is gone, nor for an answer that it does not understand", async () => {
  const hanging = Promise.withResolvers<typeof DONE>();
  let carriedOut = 0;
  const carryOut = () => (carriedOut++, hanging.promise);
  await withAnswers({ carryOut }, async (state, answers) => {
    const ordered = give(state, answers);
    await until(() => (answers.look(), carriedOut === 1), "the order to be taken");
    const [name = ""] = platform.files.list(`${state}/asks`).filter(isOrder);
    Deno.removeSync(`${state}/asks/${name}`);
    assertEquals(await ordered, { kind: "none" });
    hanging.resolve(DONE);
  });
  await withAnswers({ carryOut: () => Promise.resolve({ outcome: 1 }) }, async (state, answers) => {
    const ordered = await give(state, answers);
    assertMatch(ordered.kind === "done" ? ordered.results[0]?.problem ?? "" : "", /is not understood/);
  });
});

Deno.test("Answers ends also while a device hangs under an order", async () => {
  let carriedOut = 0;
  const carryOut = () => (carriedOut++, new Promise<typeof DONE>(() => {}));
  await withAnswers({ carryOut }, async (state, answers) => {
    const ordered = give(state, answers);
    await until(() => (answers.look(), carriedOut === 1), "the order to be taken");
    await answers.stop();
    assertEquals(await ordered, { kind: "none" });
  });
});

Deno.test("an answer that nobody takes away is removed, also while questions are answered", () =>
  withAnswers({}, async (state, answers) => {
    const path = `${state}/asks/0123456789abcdef.answer`;
    Deno.writeTextFileSync(path, "");
    Deno.utimeSync(path, new Date(0), new Date(0));
    await until(() => (answers.look(), platform.files.linkStatus(path) === undefined), "it to be removed");
  }));

Deno.test({
  name: "an order that root gives belongs to whoever carries it out",
  ignore: Deno.uid() !== 0,
  fn: async () => {
    let owner: number | undefined;
    await withTemporaryFolder(async (state) => {
      Deno.mkdirSync(`${state}/asks`);
      for (const path of [state, `${state}/asks`]) Deno.chownSync(path, NOBODY, NOBODY);
      const lock = platform.files.tryLock(`${state}/asks/served`);
      const ordered = orderSnapshot(platform, state, { replicas: undefined }, never, 0);
      await until(() => {
        const [name] = platform.files.list(`${state}/asks`).filter(isOrder);
        owner = name === undefined ? undefined : Deno.lstatSync(`${state}/asks/${name}`).uid ?? undefined;
        return owner !== undefined;
      }, "the order");
      lock?.release();
      assertEquals([owner, await ordered], [NOBODY, { kind: "none" }]);
    });
  },
});

Deno.test("parseOrder() reads what formatOrder() wrote, and nothing else", () => {
  const replicas = [{ name: "a", url: "file:///a" }, { name: "b c", url: "file:///b" }];
  for (const order of [{ replicas: undefined }, { replicas }, { replicas: [{ name: "a" }] }]) {
    assertEquals(parseOrder(formatOrder(order)), order);
  }
  for (
    const text of [
      undefined,
      "",
      "{",
      "null",
      '{"order":"halt"}',
      '{"order":"snapshot","replicas":[1]}',
      '{"order":"snapshot","replicas":["a"],"urls":[]}',
    ]
  ) {
    assertEquals(parseOrder(text), undefined, text);
  }
});

Deno.test("parseResults() reads what formatResults() wrote; a result without a position has a problem", () => {
  const position = parsePosition("59c6b84cb3f732e9/0000000000000003:4152");
  if (position === undefined) throw new Error("it is a position");
  const results = [{ replica: "a", position, mayPass: false }, { replica: "b", problem: "it is full", mayPass: true }];
  assertEquals(parseResults(JSON.stringify(formatResults(results))), results);
  assertEquals(parseResults('{"results":[{"replica":"a","position":"x"}]}')?.[0]?.position, undefined);
  assertEquals(parseResults("torn"), undefined);
});

Deno.test("isOrder() takes no draft, no answer and no question for an order", () => {
  assertEquals(
    ["0123456789abcdef.order", "0123456789abcdef.order.tmp", "0123456789abcdef.order.answer", "0123456789abcdef"]
      .map(isOrder),
    [true, false, false, false],
  );
});
