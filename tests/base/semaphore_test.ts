import { Semaphore } from "../../lib/base/semaphore.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";

Deno.test("run() lets so many work at once, and the rest in the order they came", async () => {
  const semaphore = new Semaphore(2);
  const started: number[] = [];
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const runs = ends.map(({ promise }, i) =>
    semaphore.run(async () => {
      started.push(i);
      await promise;
      return i;
    })
  );
  assertEquals(started, [0, 1]);
  ends[1]?.resolve();
  assertEquals(await runs[1], 1);
  assertEquals(started, [0, 1, 2]);
  for (const end of ends) end.resolve();
  assertEquals(await Promise.all(runs), [0, 1, 2, 3, 4]);
});

Deno.test("run() passes an error on and lets the next one work", async () => {
  const semaphore = new Semaphore(1);
  const failing = semaphore.run(() => Promise.reject(new Error("no")));
  const next = semaphore.run(() => Promise.resolve("yes"));
  await assertRejects(() => failing, Error, "no");
  assertEquals(await next, "yes");
});
