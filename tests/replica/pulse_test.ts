import { parseGeneration } from "../../lib/position/generation.ts";
import { asIndex, asOffset, type Position } from "../../lib/position/position.ts";
import { Pulse } from "../../lib/replica/pulse.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { SimulatedClock } from "../support/simulated_clock.ts";

const [FIRST, SECOND] = ["00000000000000aa", "00000000000000bb"].map(parseGeneration);

function at(index: number, offset: number, generation = FIRST): Position {
  assert(generation !== undefined);
  return { generation, index: asIndex(index), offset: asOffset(offset) };
}

Deno.test("Pulse counts the lag from the first look that finds something the replica does not hold", () => {
  const clock = new SimulatedClock(5_000);
  const pulse = new Pulse(clock);
  assertEquals(pulse.facts().behindMs, undefined);
  pulse.look(undefined, undefined);
  assertEquals(pulse.facts().behindMs, undefined);
  pulse.look(at(0, 100), undefined);
  clock.advance(30);
  assertEquals([pulse.facts().behindMs, pulse.facts().currentAtMs], [30, undefined]);
  pulse.look(at(0, 100), at(0, 100));
  clock.advance(1_000);
  assertEquals([pulse.facts().behindMs, pulse.facts().currentAtMs], [0, 6_030]);
  pulse.look(at(0, 200), at(0, 100));
  clock.advance(7);
  assertEquals(pulse.facts().currentAtMs, 6_030);
  pulse.look(at(1, 50), at(0, 200));
  clock.advance(7);
  assertEquals(pulse.facts().behindMs, 14);
  pulse.look(at(1, 50), at(2, 0));
  assertEquals([pulse.facts().behindMs, pulse.facts().currentAtMs], [0, 6_044]);
});

Deno.test("Pulse: an error after which nothing is known of the replica is no lag, until more is captured", () => {
  const clock = new SimulatedClock(0);
  const pulse = new Pulse(clock);
  pulse.look(at(3, 100), at(3, 100));
  pulse.noteFailure();
  pulse.look(at(3, 100), undefined);
  clock.advance(50);
  assertEquals([pulse.facts().behindMs, pulse.facts().currentAtMs, pulse.facts().failures], [0, 0, 1]);
  pulse.look(at(3, 101), undefined);
  clock.advance(50);
  assertEquals(pulse.facts().behindMs, 50);
});

Deno.test("Pulse: of another generation nothing is held, whatever the position", () => {
  const clock = new SimulatedClock(0);
  const pulse = new Pulse(clock);
  pulse.look(at(3, 100), at(3, 100));
  pulse.look(at(0, 0, SECOND), at(3, 100));
  clock.advance(20);
  assertEquals(pulse.facts().behindMs, 20);
});

Deno.test("Pulse tells for how long nothing has moved, and how much WAL did", () => {
  const clock = new SimulatedClock(0);
  const pulse = new Pulse(clock);
  clock.advance(40);
  assertEquals([pulse.facts().stillMs, pulse.facts().walBytes], [40, 0]);
  pulse.noteMove(4_152);
  pulse.noteMove(4_120);
  clock.advance(5);
  assertEquals([pulse.facts().stillMs, pulse.facts().walBytes], [5, 8_272]);
});
