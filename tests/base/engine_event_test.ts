import { type EngineEvent, type EventKind, reduceStatus } from "../../lib/base/engine_event.ts";
import { assertEquals } from "../support/assert.ts";

/** Events one second apart: the kind, and of what. */
function history(...all: readonly (readonly [EventKind, replica?: string, act?: string])[]): EngineEvent[] {
  return all.map(([kind, replica, act], i) => ({
    atMs: 1_000 * i,
    kind,
    message: `${kind} ${i}`,
    ...(replica === undefined ? {} : { replica }),
    ...(act === undefined ? {} : { act }),
  }));
}

function troublesOf(events: readonly EngineEvent[]): Record<string, readonly string[]> {
  const { database, replicas } = reduceStatus(events);
  const texts = [...replicas].map(([name, all]) => [name, all.map(({ message }) => message)] as const);
  return { ...(database === undefined ? {} : { "": [database.message] }), ...Object.fromEntries(texts) };
}

Deno.test("reduceStatus() knows nothing of what nobody wrote", () => {
  assertEquals(reduceStatus([]), { database: undefined, replicas: new Map(), lastTurn: undefined });
});

Deno.test("reduceStatus() has a replica in trouble until it recovers, whatever its upkeep does, and the other way round", () => {
  const failed = ["replica-failed", "near"] as const;
  assertEquals(troublesOf(history(failed, ["upkeep-recovered", "near", "retention"])), { near: ["replica-failed 0"] });
  assertEquals(troublesOf(history(failed, ["following"], ["resynced"])), { near: ["replica-failed 0"] });
  assertEquals(troublesOf(history(failed, ["replica-recovered", "far"])), { near: ["replica-failed 0"] });
  assertEquals(troublesOf(history(failed, ["replica-recovered", "near"])), {});
  const upkeep = ["upkeep-failed", "near", "snapshot"] as const;
  assertEquals(troublesOf(history(upkeep, ["replica-recovered", "near"])), { near: ["upkeep-failed 0"] });
  assertEquals(troublesOf(history(upkeep, ["upkeep-recovered", "near", "retention"])), { near: ["upkeep-failed 0"] });
  assertEquals(troublesOf(history(upkeep, failed)), { near: ["replica-failed 1", "upkeep-failed 0"] });
});

Deno.test("reduceStatus() knows since when something is in trouble, and what with by now", () => {
  const { replicas } = reduceStatus(history(["replica-failed", "near"], ["replica-failed", "near"]));
  assertEquals(replicas.get("near"), [{ sinceMs: 0, message: "replica-failed 1" }]);
});

Deno.test("reduceStatus() forgets what was wrong in the life of another process", () => {
  assertEquals(troublesOf(history(["replica-failed", "near"], ["refused"], ["started"])), {});
});

Deno.test("reduceStatus() has a database refused until it is taken up or waited for", () => {
  assertEquals(troublesOf(history(["following"], ["refused"])), { "": ["refused 1"] });
  assertEquals(troublesOf(history(["refused"], ["released"], ["replica-recovered", "near"])), { "": ["refused 0"] });
  for (const kind of ["following", "waiting", "generation-began", "resynced"] as const) {
    assertEquals(troublesOf(history(["refused"], [kind])), {});
  }
});

Deno.test("reduceStatus() has the last turn of the history", () => {
  const events = history(["generation-began"], ["resynced"], ["following"]);
  assertEquals(reduceStatus(events).lastTurn, events[1]);
});
