/** What hostile replicas take of memory, by the peak of the real process; `deno task bench:bounds` prints it with times. */
import { assertEquals, assertLess } from "../support/assert.ts";
import { manyCommits } from "../support/many_commits.ts";
import { emptyFrames, gzipBomb, type Harmed } from "../support/hostile_inputs.ts";
import { runMeasured } from "../support/peak.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const MEMORY_MAX_BYTES = 150e6;
const CODES = [0, 4];
/** Of 64 bytes each: as many as a tail of 64 MiB holds. */
const RECORDS = 1_048_000;

const INPUTS: Readonly<Record<string, (folder: string, what: Harmed) => Promise<void>>> = {
  "a million empty LZ4 frames": (folder, what) => emptyFrames(folder, what),
  "a gzip file that stands for 600 MB": (folder, what) => gzipBomb(folder, what, 600),
};

for (const [name, make] of Object.entries(INPUTS)) {
  for (const what of ["wal", "snapshot"] as const) {
    Deno.test({
      name: `Commands stay below 150 MB where the only ${what} of a replica is ${name}`,
      timeout: 600_000,
      fn: () =>
        withTemporaryFolder(async (folder) => {
          await make(`${folder}/replica`, what);
          await assertBounded(folder);
        }),
    });
  }
}

Deno.test({
  name: "Commands stay below 150 MB where a tail of 64 MiB is full of records",
  timeout: 600_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      await manyCommits(`${folder}/replica`, "litestream", { commits: 2, idle: RECORDS });
      await assertBounded(folder);
    }),
});

async function assertBounded(folder: string): Promise<void> {
  const url = `file://${folder}/replica`;
  for (const words of [["points"], ["restore", "-o", `${folder}/out.db`], ["verify", "--scratch", folder]]) {
    const result = await runMeasured(folder, [...words, url]);
    assertEquals(CODES.includes(result.code), true, `${words[0]}: ${result.code} ${result.stderr}`);
    assertLess(result.peakBytes, MEMORY_MAX_BYTES, `${words[0]}: ${result.stderr}`);
  }
}
