import type { Clock } from "./clock.ts";
import type { FileSystem } from "./file_system.ts";
import type { Random } from "./random.ts";
import type { Web } from "./web.ts";

/** The outside world, made once in `main.ts` and handed in through the door; the only bag of its kind. */
export interface Platform {
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly random: Random;
  readonly web: Web;
}
