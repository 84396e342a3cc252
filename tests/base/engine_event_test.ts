import { type EngineEvent, type EventKind, reduceStatus, troublesOf } from "../../lib/base/engine_event.ts";
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

function troublesIn(events: readonly EngineEvent[]): Record<string, readonly string[]> {
  const { database, replicas } = reduceStatus(events);
  const texts = [...replicas].map(([name, all]) => [name, all.map(({ message }) => message)] as const);
  return { ...(database === undefined ? {} : { "": [database.message] }), ...Object.fromEntries(texts) };
}

Deno.test("reduceStatus() knows nothing of what nobody wrote", () => {
  assertEquals(reduceStatus([]), { database: undefined, replicas: new Map(), lastTurn: undefined });
});

Deno.test("reduceStatus() has a replica in trouble until it recovers, whatever its upkeep does, and the other way round", () => {
  const failed = ["replica-failed", "near"] as const;
  assertEquals(troublesIn(history(failed, ["upkeep-recovered", "near", "retention"])), { near: ["replica-failed 0"] });
  assertEquals(troublesIn(history(failed, ["following"], ["resynced"])), { near: ["replica-failed 0"] });
  assertEquals(troublesIn(history(failed, ["replica-recovered", "far"])), { near: ["replica-failed 0"] });
  assertEquals(troublesIn(history(failed, ["replica-recovered", "near"])), {});
  const upkeep = ["upkeep-failed", "near", "snapshot"] as const;
  assertEquals(troublesIn(history(upkeep, ["replica-recovered", "near"])), { near: ["upkeep-failed 0"] });
  assertEquals(troublesIn(history(upkeep, ["upkeep-recovered", "near", "retention"])), { near: ["upkeep-failed 0"] });
  assertEquals(troublesIn(history(upkeep, failed)), { near: ["replica-failed 1", "upkeep-failed 0"] });
});

Deno.test("troublesOf() tells replicas of one name apart by their URLs, and by the name where none was written", () => {
  const failed = { kind: "replica-failed", replica: "near", atMs: 0 } as const;
  const status = reduceStatus([
    { ...failed, message: "a", url: "file:///a" },
    { ...failed, message: "b", url: "file:///b" },
    { ...failed, kind: "replica-recovered", message: "", url: "file:///b" },
  ]);
  const of = (url: string, from = status) => troublesOf(from, { name: "near", url }).map(({ message }) => message);
  assertEquals([of("file:///a"), of("file:///b")], [["a"], []]);
  assertEquals(of("file:///b", reduceStatus([{ ...failed, message: "old" }])), ["old"]);
});

Deno.test("reduceStatus() has a replica as broken until a look finds it mended, whatever replication does", () => {
  const broken = ["replica-broken", "near"] as const;
  const [failed, recovered] = [["replica-failed", "near"], ["replica-recovered", "near"]] as const;
  assertEquals(troublesIn(history(broken, failed, recovered)), { near: ["replica-broken 0"] });
  assertEquals(troublesIn(history(broken, failed, ["replica-mended", "near"])), { near: ["replica-failed 1"] });
});

Deno.test("reduceStatus() knows since when something is in trouble, and what with by now", () => {
  const { replicas } = reduceStatus(history(["replica-failed", "near"], ["replica-failed", "near"]));
  assertEquals(replicas.get("near"), [{ sinceMs: 0, message: "replica-failed 1" }]);
});

Deno.test("reduceStatus() forgets what was wrong in the life of another process", () => {
  assertEquals(troublesIn(history(["replica-failed", "near"], ["refused"], ["started"])), {});
});

Deno.test("reduceStatus() has a database refused until it is taken up or waited for", () => {
  assertEquals(troublesIn(history(["following"], ["refused"])), { "": ["refused 1"] });
  assertEquals(troublesIn(history(["refused"], ["released"], ["replica-recovered", "near"])), { "": ["refused 0"] });
  for (const kind of ["following", "waiting", "generation-began", "resynced"] as const) {
    assertEquals(troublesIn(history(["refused"], [kind])), {});
  }
});

Deno.test("reduceStatus() has the last turn of the history", () => {
  const events = history(["generation-began"], ["resynced"], ["following"]);
  assertEquals(reduceStatus(events).lastTurn, events[1]);
});
