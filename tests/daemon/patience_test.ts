import { ReplicationError } from "../../lib/base/errors.ts";
import { createLogger } from "../../lib/base/log.ts";
import { Patience } from "../../lib/daemon/patience.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { SimulatedClock } from "../support/simulated_clock.ts";

class Stage {
  readonly clock = new SimulatedClock(0);
  readonly lines: string[] = [];
  gained = "";
  stillMs = Infinity;

  patience(timeoutMs: number): Patience {
    const log = createLogger({
      level: "info",
      format: "text",
      now: () => this.clock.now(),
      writeLine: (line) => void this.lines.push(line.replace(/^\S+ +INFO +/, "")),
    });
    const { clock } = this;
    const [gained, stillMs] = [() => this.gained, () => this.stillMs];
    return new Patience({ clock, log, timeoutMs, subject: "replica file of app.db", gained, stillMs });
  }

  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 100) {
      await this.clock.yield();
      this.clock.advance(100);
    }
    await this.clock.yield();
  }
}

const FULL = new ReplicationError("no-space", "Cannot write it: no space left on the device");

Deno.test("Patience has work tried again until it succeeds, and says what it waits for", async () => {
  const stage = new Stage();
  let tries = 0;
  const done = stage.patience(30_000).during(async (last) => {
    while (tries < 6 && await last.again(FULL)) tries++;
    return tries;
  });
  await stage.pass(7_000);
  assertEquals(await done, 6);
  const reason = `reason="${FULL.message}"`;
  assertEquals(stage.lines, [`Stopping: waiting for the last sync ${reason} waited_s=0 left_s=30`]);
});

Deno.test("Patience that is over ends the tries, and its error is the last one", async () => {
  const stage = new Stage();
  const done = stage.patience(12_000).during(async (last) => {
    while (await last.again(FULL));
    throw FULL;
  });
  const rejected = assertRejects(() => done, ReplicationError, FULL.message);
  await stage.pass(13_000);
  await rejected;
  assertEquals(stage.lines.map((line) => / waited_s=(\d+) left_s=(\d+)/.exec(line)?.slice(1)), [
    ["0", "12"],
    ["5", "7"],
    ["10", "2"],
  ]);
});

Deno.test("Patience does not wait for work that never answers, as of a device that hangs", async () => {
  const stage = new Stage();
  const done = stage.patience(30_000).during(() => new Promise<never>(() => {}));
  const rejected = assertRejects(
    () => done,
    ReplicationError,
    "Cannot finish replica file of app.db: nothing has moved for 30 s",
  );
  await stage.pass(32_000);
  await rejected;
});

Deno.test("Patience does not cut off what moves, and after a failure only what is gained counts", async () => {
  const stage = new Stage();
  stage.stillMs = 0;
  let isOver = false;
  const hanging = Promise.withResolvers<void>();
  const done = stage.patience(1_000).during(async (last) => {
    await hanging.promise;
    while (await last.again(FULL));
    isOver = true;
  });
  await stage.pass(60_000);
  hanging.resolve();
  for (const position of ["a", "b", "c"]) {
    stage.gained = position;
    await stage.pass(900);
  }
  assertEquals(isOver, false);
  await stage.pass(2_000);
  await done;
  assertEquals(isOver, true);
});

Deno.test("Patience gives no second try to what only a person can mend, nor any where there is none", async () => {
  const stage = new Stage();
  for (const code of ["config-invalid", "unsupported", "usage"] as const) {
    assertEquals(await stage.patience(30_000).again(new ReplicationError(code, "Cannot")), false);
  }
  const once = stage.patience(0);
  assertEquals(await once.during((last) => last.again(FULL)), false);
  assertEquals(stage.lines, []);
});

Deno.test("Patience that tries once gives up a device that hangs, and nothing that moves", async () => {
  const stage = new Stage();
  stage.stillMs = 0;
  const slow = Promise.withResolvers<number>();
  const moving = stage.patience(0).during(() => slow.promise);
  await stage.pass(200_000);
  slow.resolve(1);
  assertEquals(await moving, 1);
  const hanging = assertRejects(
    () => stage.patience(0).during(() => new Promise(() => {})),
    ReplicationError,
    "Cannot finish replica file of app.db: nothing has moved for 60 s",
  );
  stage.stillMs = 70_000; // Nothing was to be done before.
  await stage.pass(59_000);
  assertEquals(stage.clock.sleeping, 1);
  await stage.pass(1_100);
  assertEquals([(await hanging).code, stage.clock.sleeping], ["unavailable", 0]);
});
