import { ReplicationError } from "../base/errors.ts";
import type { Generation } from "../position/generation.ts";

/** A place holds objects of Litestream 0.5 that are newer than all that can be read here, or nothing else. */
export class ForeignContent extends ReplicationError {
  /** `generations`: those that are there beside them, and may be chosen on purpose. */
  constructor(message: string, readonly generations: readonly Generation[]) {
    super("foreign", message, {
      advice: "use Litestream 0.5 for what it wrote there, or move that away; give each program a folder of its own",
    });
  }
}
