import { assertEquals } from "../support/assert.ts";
import { Notifier } from "../../lib/base/notifier.ts";

Deno.test("notify() wakes everybody who took next() before it, and nobody who takes it after", async () => {
  const notifier = new Notifier();
  const woken: string[] = [];
  const before = [notifier.next().then(() => woken.push("a")), notifier.next().then(() => woken.push("b"))];
  notifier.notify();
  const after = notifier.next().then(() => woken.push("later"));
  await Promise.all(before);
  assertEquals(woken, ["a", "b"]);
  notifier.notify();
  await after;
  assertEquals(woken, ["a", "b", "later"]);
});

Deno.test("next() that was taken before a change is not lost, however late it is waited for", async () => {
  const notifier = new Notifier();
  const change = notifier.next();
  notifier.notify();
  notifier.notify();
  assertEquals(await change, undefined);
});
