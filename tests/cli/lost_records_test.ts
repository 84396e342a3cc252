/** Records that are damaged within their file, while the newest one is whole: the points between are told as lost. */
import { asIndex } from "../../lib/position/position.ts";
import { COMMIT_RECORD_SIZE } from "../../lib/store/commit_record.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { runInProcess } from "../support/command_in_process.ts";
import { RecordedDatabase } from "../support/recorded_database.ts";
import { changeByte } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

Deno.test("points tells of records that are damaged in the middle of an index, older and newest", () =>
  withTemporaryFolder(async (folder) => {
    const { replica } = await RecordedDatabase.make(folder, {
      actions: 40,
      restarts: 20,
      snapshots: 5,
      pageSize: 1024,
      hasChecksums: true,
      seed: 3,
    });
    const points = () => runInProcess(["points", `file://${replica.root}`], folder, { TMPDIR: folder });
    assertEquals((await points()).code, 0);
    const { wals } = await replica.store.catalog(replica.generation);
    const rich = wals.filter(({ recordCount }) => recordCount > 3).map(({ index }) => index);
    assert(rich.length > 1, "there are indexes of several records");
    for (const index of [rich[0], rich.at(-1)]) {
      const path = replica.path(index ?? asIndex(0), "commits");
      const before = Deno.readFileSync(path);
      changeByte(path, COMMIT_RECORD_SIZE + 20, (byte) => byte ^ 1);
      const { code, stdout, stderr } = await points();
      assertEquals(code, 4, stdout + stderr);
      assertMatch(stdout + stderr, /\.commits is damaged after 1 records? \(expected all records up to \d+\)/);
      Deno.writeFileSync(path, before);
    }
  }));
