import { runAway } from "../long/away_histories.ts";
import { assertGreater } from "../support/assert.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

/** Of the hundreds that `deno task test:away` runs; the first two restored what no longer was before decision 0039. */
for (const seed of [2_001, 2_010, 40, 43, 51, 2]) {
  Deno.test(`What happens while nobody watches is in what is restored afterwards: history ${seed}`, () =>
    withTemporaryFolder(async (folder) => {
      await using application = startOtherProcess();
      assertGreater((await runAway(seed, folder, application)).rounds, 2);
    }));
}
