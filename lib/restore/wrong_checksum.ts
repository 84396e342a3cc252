import { equalBytes, hex } from "../base/bytes.ts";
import { ReplicationError } from "../base/errors.ts";
import { product } from "../base/product.ts";
import { formatPosition } from "../position/position.ts";
import type { RestorePlan } from "./plan.ts";

/** Every object is as its own sums say, and what they make is not the database that was at the source. */
export class WrongChecksum extends ReplicationError {
  constructor(where: string, position: string, found: Uint8Array, expected: Uint8Array) {
    super(
      "corrupt",
      `Cannot restore ${position} from ${where}: the database there is not the one that was recorded, its checksum is ` +
        `${hex(found)} (expected ${hex(expected)})`,
      { advice: `${product.name} restore --at TIME for an earlier state; a new snapshot mends what comes after it` },
    );
  }
}

/** `found` is undefined where the plan's end has no checksum. */
export function expectChecksum({ generation, end }: RestorePlan, where: string, found: Uint8Array | undefined): void {
  const expected = end.checksum;
  if (found === undefined || expected === undefined || equalBytes(found, expected)) return;
  throw new WrongChecksum(where, formatPosition({ generation, ...end }), found, expected);
}
