import { inBatches } from "../../lib/base/batches.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";

Deno.test("inBatches() keeps the order, and has no more than so many under way", async () => {
  let [now, most] = [0, 0];
  const doubled = await inBatches([5, 1, 4, 2, 3], 2, async (number) => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, number));
    now--;
    return number * 2;
  });
  assertEquals([doubled, most], [[10, 2, 8, 4, 6], 2]);
});

Deno.test("inBatches() lets what is under way end before an error goes on, and begins nothing more", async () => {
  const ended: number[] = [];
  const look = async (number: number) => {
    if (number === 1) throw new Error("the first");
    await new Promise((resolve) => setTimeout(resolve, 5));
    ended.push(number);
  };
  await assertRejects(() => inBatches([1, 2, 3, 4], 3, look), Error, "the first");
  assertEquals(ended, [2, 3]);
});
