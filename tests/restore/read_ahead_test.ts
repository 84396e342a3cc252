import { readAhead } from "../../lib/restore/read_ahead.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";

async function load(request: number, buffer: Uint8Array): Promise<Uint8Array> {
  await Promise.resolve();
  if (request < 0) throw new Error(`No ${request}`);
  return buffer.fill(request);
}

Deno.test("readAhead() hands out everything in order, each untouched until the next is asked for", async () => {
  for (const requests of [[], [1], [1, 2], [1, 2, 3, 4, 5]]) {
    const seen: number[] = [];
    for await (const bytes of readAhead(requests, load, 4)) {
      await new Promise((resolve) => setTimeout(resolve, 1)); // The next one is loaded meanwhile.
      seen.push(...new Set(bytes));
    }
    assertEquals(seen, requests);
  }
});

Deno.test("readAhead() throws a failed load where it would have been handed out, and loads nothing after it", async () => {
  const seen: number[] = [];
  const asked: number[] = [];
  const noted = (request: number, buffer: Uint8Array) => (asked.push(request), load(request, buffer));
  await assertRejects(async () => {
    for await (const bytes of readAhead([1, 2, -3, 4, 5], noted, 4)) seen.push(bytes[0] ?? 0);
  });
  assertEquals([seen, asked], [[1, 2], [1, 2, -3]]);
});

Deno.test("readAhead() waits for what is being loaded before it lets an early leaver go", async () => {
  let running = 0;
  const slow = async (request: number, buffer: Uint8Array) => {
    running++;
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
    return buffer.fill(request);
  };
  for await (const _ of readAhead([1, 2, 3], slow, 4)) break;
  assertEquals(running, 0);
});
