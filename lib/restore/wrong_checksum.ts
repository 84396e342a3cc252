import { equalBytes, hex } from "../base/bytes.ts";
import { ReplicationError } from "../base/errors.ts";
import { nameObject } from "../position/object_names.ts";
import { formatPosition } from "../position/position.ts";
import type { RestorePlan } from "./plan.ts";

/**
 * What the objects make is not the database that was at the source. The WAL is whole by its own sums, and so is an image that
 * has one; an image of the `raw` layout has none, and every page of it counts.
 */
export class WrongChecksum extends ReplicationError {
  constructor(plan: RestorePlan, where: string, found: Uint8Array, expected: Uint8Array) {
    const { generation, end, snapshot, layout, steps } = plan;
    const image = nameObject(plan, snapshot.name, "snapshot");
    const through = steps.length === 0 ? "" : ", since the WAL behind it is whole by its own sums";
    const suspect = layout === "raw" ? `; ${image} is damaged${through}` : `; ${image} and the WAL behind it are whole`;
    super(
      "corrupt",
      `Cannot restore ${
        formatPosition({ generation, ...end })
      } from ${where}: the database there is not the one that was ` +
        `recorded, its checksum is ${hex(found)} (expected ${hex(expected)})${suspect}`,
    );
  }
}

/** `found` is undefined where the plan's end has no checksum. */
export function expectChecksum(plan: RestorePlan, where: string, found: Uint8Array | undefined): void {
  const expected = plan.end.checksum;
  if (found === undefined || expected === undefined || equalBytes(found, expected)) return;
  throw new WrongChecksum(plan, where, found, expected);
}
