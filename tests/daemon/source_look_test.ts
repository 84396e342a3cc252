import { sourceLook } from "../../lib/daemon/source_look.ts";
import { databaseConfigFromArguments } from "../../lib/config/from_arguments.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf } from "../support/wal_builder.ts";
import { databaseChecksum } from "../support/xxh64.ts";

Deno.test("sourceLook() has the checksum of a database that is its file alone, and of no other", () =>
  withTemporaryFolder(async (folder) => {
    const platform = {
      clock: new SystemClock(),
      files: new DenoFileSystem(),
      random: new SystemRandom(),
      web: new SystemWeb(),
    };
    const path = `${folder}/app.db`;
    const config = databaseConfigFromArguments(path, [`file://${folder}/replica`], folder);
    const [replica] = config.replicas;
    assert(replica !== undefined);
    const look = sourceLook(platform, config, replica);
    const image = imageOf(4096, 1, 2, 3);
    Deno.writeFileSync(path, image);
    const wanted = databaseChecksum(image, 4096);
    assertEquals(await look.checksum(3), wanted);
    assertEquals(await look.checksum(5), undefined, "another number of pages");
    for (const suffix of ["-wal", "-journal"]) {
      Deno.writeTextFileSync(path + suffix, "");
      assertEquals(await look.checksum(3), wanted, `an empty ${suffix}`);
      Deno.writeTextFileSync(path + suffix, "x");
      assertEquals(await look.checksum(3), undefined, `a ${suffix} that holds something`);
      Deno.removeSync(path + suffix);
    }
    // Between two reads of it somebody commits.
    const writing = { ...platform, clock: Object.assign(new SystemClock(), { yield: () => touch(path) }) };
    assertEquals(await sourceLook(writing, config, replica).checksum(3), undefined);
  }));

function touch(path: string): Promise<void> {
  const now = new Date(Date.now() + 60_000);
  return Deno.utime(path, now, now);
}
