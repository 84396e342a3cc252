import { ReplicationError } from "../base/errors.ts";
import { parseGeneration } from "../position/generation.ts";
import { parseIndex, parsePosition } from "../position/position.ts";
import type { RestoreTarget } from "../restore/target.ts";
import type { ParsedArguments } from "./command.ts";
import { parseMoment } from "./moment.ts";

/** From `--at`, `--index`, `--position` and `--generation`; the command's table has refused two that name a state. */
export function targetFrom(arguments_: ParsedArguments, nowMs: number): RestoreTarget {
  const named = parseGeneration(arguments_.text("generation") ?? "");
  const generation = named === undefined ? {} : { generation: named };
  const at = arguments_.text("at");
  const index = parseIndex(arguments_.text("index") ?? "");
  const position = parsePosition(arguments_.text("position") ?? "");
  if (at !== undefined) return { kind: "time", atMs: momentFrom(at, nowMs), ...generation };
  if (index !== undefined) return { kind: "index", index, ...generation };
  return position === undefined
    ? { kind: "latest", ...generation }
    : { kind: "position", position, generation: position.generation };
}

/** Throws `usage` for what is no moment, or is two. */
export function momentFrom(text: string, nowMs: number): number {
  const moment = parseMoment(text, nowMs);
  if (moment?.orElse !== undefined) {
    throw new ReplicationError(
      "usage",
      `Cannot use --at ${JSON.stringify(text)}: clocks showed it twice that day ` +
        `(expected ${moment.understoodAs} or ${moment.orElse})`,
    );
  }
  if (moment !== undefined) return moment.ms;
  const expected =
    `2026-11-30T02:10:00Z or +01:00, "2026-11-30 02:10" in local time, -15m or -1d for so long ago, or now`;
  throw new ReplicationError(
    "usage",
    `Cannot use --at ${JSON.stringify(text)}: it is no such moment (expected ${expected})`,
  );
}
