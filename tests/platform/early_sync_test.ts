import { limits } from "../../lib/base/limits.ts";
import { EarlySync } from "../../lib/platform/early_sync.ts";
import type { FileHandle } from "../../lib/platform/file_system.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";

interface Asked {
  readonly kind: "sync" | "forget";
  readonly answer: PromiseWithResolvers<void>;
}

/** A device that answers when it is told to. */
function slowDevice() {
  const asked: Asked[] = [];
  const ask = (kind: Asked["kind"]) => () => {
    const answer = Promise.withResolvers<void>();
    asked.push({ kind, answer });
    return answer.promise;
  };
  return { asked, handle: { sync: ask("sync"), forget: ask("forget") } as unknown as FileHandle };
}

/** Lets everything run that need not wait for the device. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("EarlySync asks the device to begin when much is written, and waits only once it is that far behind", async () => {
  const { asked, handle } = slowDevice();
  const early = new EarlySync(handle, true);
  await early.wrote(limits.earlySyncBytes - 1);
  assertEquals(asked.length, 0);
  await early.wrote(1);
  assertEquals(asked.length, 1);
  await early.wrote(limits.earlySyncMaxBytes - 1); // One at a time.
  let isDone = false;
  const second = early.wrote(1).then(() => isDone = true);
  await settled();
  assertEquals([asked.length, isDone], [1, false]);
  asked[0]?.answer.resolve();
  await second;
  assertEquals(asked.map(({ kind }) => kind), ["sync", "sync"]);
  asked[1]?.answer.resolve();
  await early.settle();
});

Deno.test("EarlySync.finish() is done when everything is on stable storage, what came after the last sync too", async () => {
  const { asked, handle } = slowDevice();
  const early = new EarlySync(handle, true);
  await early.wrote(limits.earlySyncBytes);
  let isDone = false;
  const finished = early.finish().then(() => isDone = true);
  await settled();
  assertEquals(asked.length, 1);
  asked[0]?.answer.resolve();
  await settled();
  assertEquals([asked.length, isDone], [2, false]);
  asked[1]?.answer.resolve();
  await finished;
});

Deno.test("EarlySync never forgets that a sync has failed, though the device would say so only once", async () => {
  const { asked, handle } = slowDevice();
  const early = new EarlySync(handle, true);
  await early.wrote(limits.earlySyncBytes);
  asked[0]?.answer.reject(new Error("the device lost it"));
  await settled();
  await assertRejects(() => early.wrote(limits.earlySyncBytes), Error, "the device lost it");
  await assertRejects(() => early.settle(), Error, "the device lost it");
  await assertRejects(() => early.finish(), Error, "the device lost it");
  assertEquals(asked.length, 1);
});

Deno.test("EarlySync lets go of what nobody reads soon, once it is on stable storage", async () => {
  const { asked, handle } = slowDevice();
  const early = new EarlySync(handle, false);
  await early.wrote(limits.earlySyncBytes);
  asked[0]?.answer.resolve();
  await settled();
  assertEquals(asked.map(({ kind }) => kind), ["sync", "forget"]);
  asked[1]?.answer.resolve();
  await early.settle();
});
