/** The short form of `deno task test:verify`: of each kind of damage one, of every writer and layout. */
import { judgeDamages } from "../long/verify_run.ts";
import { byLitestream, byTailrace } from "../long/verify_replicas.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const SEED = 15;
const ROUNDS = 2;
const OPTIONS = { seed: SEED, flips: 1, cuts: 1, ofEachKind: 1, isShown: false, say: () => {} };

for (
  const { writers, make } of [{ writers: "Tailrace", make: byTailrace }, { writers: "Litestream", make: byLitestream }]
) {
  Deno.test(`verify() judges every kind of damage rightly: ${writers}'s replicas`, async () => {
    await withTemporaryFolder(async (folder) => {
      const { trials, bad } = await judgeDamages(await make(`${folder}/made`, ROUNDS), folder, OPTIONS);
      assertEquals(bad, [], `seed ${SEED}`);
      assert(trials > 0);
    });
  });
}
