import { KINDS, runHistory } from "../long/page_history.ts";
import { assert } from "../support/assert.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

/** Of the thousands that `deno task test:pages` runs, one of each kind; `seed` names the databases and the steps. */
for (const [slot, kind] of KINDS.entries()) {
  Deno.test(`A random history goes on in its generation, with the right checksum: ${kind}`, () =>
    withTemporaryFolder(async (folder) => {
      await using application = startOtherProcess();
      const { comparisons, readers, healedBy } = await runHistory(100 + slot, kind, folder, application);
      assert(comparisons > 0);
      assert(readers > 0);
      assert(healedBy !== "new generation");
    }));
}
