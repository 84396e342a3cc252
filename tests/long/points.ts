/**
 * What is said of the points of a replica, and what can be done, over many random histories (`tests/support/points_trial.ts`).
 *
 *     deno task test:points [--seeds N] [--seed N] [--only KIND]
 */
import { option } from "../../scripts/project.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { KINDS, tryPoints } from "../support/points_trial.ts";

const first = Number(option("seed") ?? 1);
const seeds = Number(option("seeds") ?? 20);
const kinds = KINDS.filter((kind) => kind === (option("only") ?? kind));
let [restores, failures] = [0, 0];
for (const kind of kinds) {
  for (let seed = first; seed < first + seeds; seed++) {
    await withTemporaryFolder(async (folder) => {
      restores += await tryPoints({ kind, seed, harms: 20, restores: 5 }, folder);
    }).catch((error) => {
      failures++;
      console.error(error instanceof Error ? error.message : error);
    });
  }
}
console.log(`${kinds.length * seeds} histories, ${restores} restores: ${failures} disagreements`);
Deno.exit(failures === 0 && kinds.length > 0 ? 0 : 1);
