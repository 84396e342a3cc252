import { limits } from "../../lib/base/limits.ts";
import { parsePosition } from "../../lib/position/position.ts";
import { type AgeFacts, judgeAge } from "../../lib/verify/staleness.ts";
import { assert, assertEquals } from "../support/assert.ts";

const NOW_MS = 1_700_000_000_000;
const POSITION = parsePosition("00000000000000aa/0000000000000003:4152");
const EARLIER = parsePosition("00000000000000aa/0000000000000002:4152");
const LATER = parsePosition("00000000000000aa/0000000000000003:8304");
const JUST_BEGUN = parsePosition("00000000000000aa/0000000000000004:0");
const BEGUN_BEHIND_ANOTHER = parsePosition("00000000000000aa/0000000000000005:0");
const OTHER = parsePosition("00000000000000bb/0000000000000002:4152");
const HOUR_MS = 3_600_000;
const LIMIT_MS = limits.unreplicatedMaxMs;

interface Case {
  readonly newestAgoMs: number;
  readonly changedAgoMs?: number;
  readonly heard?: { readonly position: typeof POSITION; readonly lagMs: number | undefined };
  readonly isSame?: boolean;
  readonly maxAgeMs?: number;
}

function factsOf({ newestAgoMs, changedAgoMs, heard, isSame = false, maxAgeMs }: Case): AgeFacts {
  assert(POSITION !== undefined);
  const newestMs = NOW_MS - newestAgoMs;
  const newest = { position: POSITION, capturedAtMs: newestMs };
  const facts = { nowMs: NOW_MS, newest, newestMs, maxAgeMs };
  if (changedAgoMs === undefined) return facts;
  return { ...facts, source: { changedAtMs: NOW_MS - changedAgoMs, heard, isSame, syncIntervalMs: 1_000 } };
}

Deno.test("judgeAge() calls stale what nobody brings, what is behind, and what is dated in the future", () => {
  const held = { position: POSITION, lagMs: 0 };
  const table: readonly [string, Case, "fresh" | "noted" | "stale"][] = [
    ["of a URL, however old", { newestAgoMs: 1_000 * HOUR_MS }, "fresh"],
    ["of a URL, older than asked for", { newestAgoMs: 2 * HOUR_MS, maxAgeMs: HOUR_MS }, "stale"],
    ["of a URL, from the future", { newestAgoMs: -HOUR_MS }, "noted"],
    ["of a URL, from the future, and asked for", { newestAgoMs: -HOUR_MS, maxAgeMs: HOUR_MS }, "stale"],
    ["clocks that differ by a second", { newestAgoMs: -1_000, maxAgeMs: HOUR_MS }, "fresh"],
    ["a database without writes since", { newestAgoMs: HOUR_MS, changedAgoMs: HOUR_MS + 1 }, "fresh"],
    ["29 s that are missing, just now", { newestAgoMs: 30_000, changedAgoMs: 1_000 }, "noted"],
    ["29 s that are missing since an hour ago", { newestAgoMs: HOUR_MS + 29_000, changedAgoMs: HOUR_MS }, "stale"],
    ["a busy database behind which nobody comes", { newestAgoMs: LIMIT_MS + 1_000, changedAgoMs: 0 }, "stale"],
    ["the same within what was asked for", { newestAgoMs: LIMIT_MS, changedAgoMs: 0, maxAgeMs: HOUR_MS }, "noted"],
    ["the file is the newest state", { newestAgoMs: 2 * HOUR_MS, changedAgoMs: HOUR_MS, isSame: true }, "fresh"],
    ["a daemon says all is there", { newestAgoMs: 2 * HOUR_MS, changedAgoMs: HOUR_MS, heard: held }, "fresh"],
    [
      "a daemon has been behind for long",
      { newestAgoMs: HOUR_MS, changedAgoMs: 0, heard: { position: EARLIER, lagMs: HOUR_MS } },
      "stale",
    ],
    [
      "a daemon says all is there, and it is not",
      { newestAgoMs: HOUR_MS, changedAgoMs: 0, heard: { position: LATER, lagMs: 0 } },
      "stale",
    ],
    [
      "a daemon says all is there, and its index has just begun",
      { newestAgoMs: HOUR_MS, changedAgoMs: 0, heard: { position: JUST_BEGUN, lagMs: 0 } },
      "fresh",
    ],
    [
      "a daemon says all is there, and the index before the one that has just begun is not",
      { newestAgoMs: HOUR_MS, changedAgoMs: 0, heard: { position: BEGUN_BEHIND_ANOTHER, lagMs: 0 } },
      "stale",
    ],
    [
      "a daemon means another generation",
      { newestAgoMs: HOUR_MS, changedAgoMs: 0, heard: { position: OTHER, lagMs: 0 } },
      "stale",
    ],
    [
      "new by its time, and not what a daemon has written",
      { newestAgoMs: 0, changedAgoMs: 1_000, heard: { position: LATER, lagMs: 0 } },
      "stale",
    ],
    [
      "new by its time, and of another history than a daemon has written",
      { newestAgoMs: 0, changedAgoMs: 1_000, heard: { position: OTHER, lagMs: 0 } },
      "stale",
    ],
    [
      "a daemon that does not know yet",
      { newestAgoMs: HOUR_MS, changedAgoMs: 0, heard: { position: POSITION, lagMs: undefined } },
      "stale",
    ],
    ["dated in the future, nobody says more", { newestAgoMs: -HOUR_MS, changedAgoMs: HOUR_MS }, "stale"],
    [
      "dated in the future, a daemon says all is there",
      { newestAgoMs: -HOUR_MS, changedAgoMs: 0, heard: held },
      "noted",
    ],
  ];
  for (const [name, one, expected] of table) {
    const { problem, note } = judgeAge(factsOf(one));
    assertEquals(problem !== undefined ? "stale" : note === undefined ? "fresh" : "noted", expected, name);
  }
});

Deno.test("judgeAge() says to begin what nobody brings, and to ask a daemon why it does not", () => {
  const next = (one: Case) => judgeAge(factsOf(one)).next?.kind;
  assertEquals(next({ newestAgoMs: 2 * HOUR_MS, changedAgoMs: HOUR_MS }), "replicate");
  assertEquals(next({ newestAgoMs: -HOUR_MS, changedAgoMs: 0 }), "replicate");
  const behind = { position: EARLIER, lagMs: HOUR_MS };
  assertEquals(next({ newestAgoMs: HOUR_MS, changedAgoMs: 0, heard: behind }), "status");
  assertEquals(next({ newestAgoMs: HOUR_MS, changedAgoMs: 0, heard: { position: LATER, lagMs: 0 } }), "status");
  assertEquals(next({ newestAgoMs: 2 * HOUR_MS, maxAgeMs: HOUR_MS }), undefined);
});

Deno.test("judgeAge() tells by how much the database is newer", () => {
  assertEquals(judgeAge(factsOf({ newestAgoMs: 30_000, changedAgoMs: 1_000 })).behindMs, 29_000);
  assertEquals(judgeAge(factsOf({ newestAgoMs: HOUR_MS, changedAgoMs: 1_000, isSame: true })).behindMs, 0);
  assertEquals(judgeAge(factsOf({ newestAgoMs: HOUR_MS })).behindMs, undefined);
});
