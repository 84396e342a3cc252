import { runAway } from "../long/away_histories.ts";
import { assertGreater } from "../support/assert.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

/** Of the hundreds that `deno task test:away` runs; the first three lost a transaction before decision 0029. */
for (const seed of [40, 43, 51, 2, 3, 4]) {
  Deno.test(`What happens while nobody watches is in what is restored afterwards: history ${seed}`, () =>
    withTemporaryFolder(async (folder) => {
      await using application = startOtherProcess();
      assertGreater((await runAway(seed, folder, application)).rounds, 2);
    }));
}
