import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { RateLimit, withRateLimit } from "../../lib/platform/limited_files.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

Deno.test("withRateLimit() reads the same bytes, no faster than the limit, over all files together", () =>
  withTemporaryFolder(async (folder) => {
    const slept: number[] = [];
    const clock = Object.assign(new SystemClock(), {
      monotonicMs: () => slept.reduce((sum, ms) => sum + ms, 0),
      sleep: (ms: number) => Promise.resolve(void slept.push(ms)),
    });
    const files = withRateLimit(new DenoFileSystem(), new RateLimit(clock, 1_000_000));
    for (const name of ["a", "b"]) {
      Deno.writeFileSync(`${folder}/${name}`, new Uint8Array(300_000).fill(name.charCodeAt(0)));
      const file = await files.openLater(`${folder}/${name}`, "read");
      const into = new Uint8Array(200_000);
      assertEquals(await file.readAtLater(into, 0), 200_000);
      assertEquals(await file.readAtLater(into, 200_000), 100_000);
      assert(into.subarray(0, 100_000).every((byte) => byte === name.charCodeAt(0)));
      await file.closeLater();
    }
    assertEquals(clock.monotonicMs(), 600);
    assertEquals(files.readText(`${folder}/none`), undefined);
  }));
