/** A point is listed if and only if a restore can be made of it, whoever wrote the replica, whole or harmed. */
import { KINDS, tryPoints } from "../support/points_trial.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const SEED = 8;

for (const kind of KINDS) {
  Deno.test(`What points lists, restore plans and makes, and verify samples, is the same: ${kind}`, async () => {
    const options = { kind, seed: SEED, harms: 2, restores: 3 };
    await withTemporaryFolder(async (folder) => void await tryPoints(options, folder));
  });
}
