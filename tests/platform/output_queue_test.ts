import { limits } from "../../lib/base/limits.ts";
import { OutputQueue } from "../../lib/platform/output_queue.ts";
import { assert, assertEquals } from "../support/assert.ts";

const LINE = `${"x".repeat(1023)}\n`;
const ROOM = limits.outputQueueMaxBytes / LINE.length;

/** A reader that takes nothing until it is told to. */
function aReader(failure?: (call: number) => unknown) {
  const reading = Promise.withResolvers<void>();
  let text = "";
  let calls = 0;
  const queue: OutputQueue = new OutputQueue({
    write: async (bytes) => {
      await reading.promise;
      const error = failure?.(++calls);
      if (error !== undefined) throw error;
      const part = bytes.subarray(0, 700);
      text += new TextDecoder().decode(part);
      return part.length;
    },
    hasFailed: (error) => Promise.resolve(error === "lost"),
    lost: (lines) => queue.add(`${lines} lost\n`),
  });
  const all = async () => {
    reading.resolve();
    await queue.drained();
    return text;
  };
  return { queue, all };
}

Deno.test("OutputQueue keeps what fits, in order, and counts what does not where it is missing", async () => {
  const { queue, all } = aReader();
  for (let i = 0; i < ROOM; i++) queue.add(LINE);
  for (let i = 0; i < 5; i++) queue.add(LINE);
  queue.add("two\nlines\n");
  queue.add("short\n"); // It would fit, and would hide what is missing before it.
  const text = await all();
  assertEquals(text.length, limits.outputQueueMaxBytes + "8 lost\n".length);
  assert(text.endsWith("\n8 lost\n"));
  queue.add("again\n");
  assert((await all()).endsWith("8 lost\nagain\n"));
  assertEquals(queue.writtenBytes, (await all()).length);
});

Deno.test("OutputQueue tries again what may still be delivered, and drops the rest of what cannot", async () => {
  const again = aReader((call) => call === 1 ? "full" : undefined);
  again.queue.add("one\n");
  assertEquals(await again.all(), "one\n");
  const gone = aReader((call) => call === 2 ? "lost" : undefined);
  gone.queue.add(LINE);
  gone.queue.add("next\n");
  assertEquals(await gone.all(), `${LINE.slice(0, 700)}next\n`);
});
