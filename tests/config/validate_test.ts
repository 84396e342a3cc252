import { ReplicationError } from "../../lib/base/errors.ts";
import { limits } from "../../lib/base/limits.ts";
import { join } from "../../lib/base/path.ts";
import type { DatabaseConfig } from "../../lib/config/config.ts";
import { databaseConfigFromArguments } from "../../lib/config/from_arguments.ts";
import { isInside, placeOf } from "../../lib/config/place.ts";
import { validateDatabases } from "../../lib/config/validate.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { assert, assertEquals, assertFalse, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { restAnswered, silentBelow } from "../support/silent_place.ts";
import { SimulatedClock } from "../support/simulated_clock.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const files = new DenoFileSystem();

function aDatabase(path: string, replicas: readonly string[], statePath?: string): DatabaseConfig {
  const config = databaseConfigFromArguments(path, replicas.map((replica) => `file://${replica}`), "/");
  return statePath === undefined ? config : { ...config, statePath };
}

function validate(...databases: DatabaseConfig[]): Promise<void> {
  return validateDatabases(databases, { files, clock: new SystemClock() }, () => "config t.yml:1:1");
}

async function problemOf(...databases: DatabaseConfig[]): Promise<string> {
  const start = "Cannot use config t.yml:1:1: ";
  return (await assertRejects(() => validate(...databases), ReplicationError, start)).message;
}

Deno.test("validateDatabases() accepts databases and replicas side by side, whether or not they exist", async () => {
  await withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(join(folder, "a.db"), "");
    Deno.mkdirSync(join(folder, "backup/a"), { recursive: true });
    await validate(
      aDatabase(`${folder}/a.db`, [`${folder}/backup/a`, `${folder}/backup/a-2`]),
      aDatabase(`${folder}/b.db`, [`${folder}/backup/b`]),
      aDatabase(`${folder}/elsewhere/a.db`, ["/nowhere/at/all"]),
    );
  });
});

Deno.test("validateDatabases() refuses two entries for the same file, by path, symbolic or hard link", async () => {
  await withTemporaryFolder(async (folder) => {
    const replicas = [[`${folder}/r1`], [`${folder}/r2`]] as const;
    assertStringIncludes(
      await problemOf(aDatabase(`${folder}/a.db`, replicas[0]), aDatabase(`${folder}/a.db`, replicas[1])),
      "is listed twice",
    );
    Deno.mkdirSync(join(folder, "real"));
    Deno.writeTextFileSync(join(folder, "real/a.db"), "");
    Deno.symlinkSync(join(folder, "real/a.db"), join(folder, "soft.db"));
    Deno.symlinkSync(join(folder, "real"), join(folder, "linked"));
    Deno.linkSync(join(folder, "real/a.db"), join(folder, "hard.db"));
    for (const path of ["soft.db", "linked/a.db", "hard.db"]) {
      assertStringIncludes(
        await problemOf(aDatabase(`${folder}/real/a.db`, replicas[0]), aDatabase(`${folder}/${path}`, replicas[1])),
        `${folder}/${path} is the same file as ${folder}/real/a.db`,
      );
    }
    assertStringIncludes(
      await problemOf(
        aDatabase(`${folder}/real/new.db`, replicas[0]),
        aDatabase(`${folder}/linked/new.db`, replicas[1]),
      ),
      "is the same file as",
    );
  });
});

Deno.test("validateDatabases() refuses replicas at the same or nested places, through links as well", async () => {
  await withTemporaryFolder(async (folder) => {
    const database = (...replicas: string[]) => aDatabase(`${folder}/a.db`, replicas);
    assertStringIncludes(await problemOf(database(`${folder}/r`, `${folder}/r`)), "is the same place as the replica");
    assertStringIncludes(await problemOf(database(`${folder}/r`, `${folder}/r/x/y`)), "lies inside the replica");
    assertStringIncludes(await problemOf(database(`${folder}/r/x/y`, `${folder}/r`)), "lies inside the replica");
    await validate(database(`${folder}/r`, `${folder}/r-2`));

    Deno.mkdirSync(join(folder, "real/r"), { recursive: true });
    Deno.symlinkSync(join(folder, "real"), join(folder, "linked"));
    assertStringIncludes(await problemOf(database(`${folder}/real/r`, `${folder}/linked/r`)), "is the same place as");
    assertStringIncludes(await problemOf(database(`${folder}/real`, `${folder}/linked/r/new`)), "lies inside");
    assertStringIncludes(
      await problemOf(aDatabase(`${folder}/a.db`, [`${folder}/r`]), aDatabase(`${folder}/b.db`, [`${folder}/r`])),
      "is the same place as the replica",
    );
  });
});

Deno.test("validateDatabases() keeps replicas and state folders out of one another", async () => {
  await withTemporaryFolder(async (folder) => {
    assertStringIncludes(
      await problemOf(aDatabase(`${folder}/a.db`, [folder])),
      `the state folder ${folder}/.a.db-tailrace lies inside the replica ${folder}`,
    );
    assertStringIncludes(
      await problemOf(aDatabase(`${folder}/a.db`, [`${folder}/.a.db-tailrace/r`])),
      "lies inside the state folder",
    );
    assertStringIncludes(
      await problemOf(aDatabase(`${folder}/a.db`, [`${folder}/r`]), aDatabase(`${folder}/r/b.db`, [`${folder}/r2`])),
      "lies inside the replica",
    );
    assertStringIncludes(await problemOf(aDatabase(`${folder}/a.db`, ["/"])), "lies inside the replica /");
  });
});

Deno.test("validateDatabases() refuses one state folder for two databases", async () => {
  await withTemporaryFolder(async (folder) => {
    assertStringIncludes(
      await problemOf(
        aDatabase(`${folder}/a.db`, [`${folder}/r1`], `${folder}/state`),
        aDatabase(`${folder}/b.db`, [`${folder}/r2`], `${folder}/state`),
      ),
      "is the same place as the state folder",
    );
  });
});

Deno.test("placeOf() survives links that lead nowhere or in a circle, and takes them by their names", async () => {
  await withTemporaryFolder((folder) => {
    Deno.symlinkSync(join(folder, "circle"), join(folder, "circle"));
    Deno.symlinkSync(join(folder, "nothing"), join(folder, "dangling"));
    assert(isInside(placeOf(files, `${folder}/circle/x`), placeOf(files, `${folder}/circle`)));
    assert(isInside(placeOf(files, `${folder}/dangling`), placeOf(files, folder)));
    assertFalse(isInside(placeOf(files, folder), placeOf(files, `${folder}/dangling`)));
    assertEquals(placeOf(files, "/").key, placeOf(files, "/..").key);
  });
});

class GlancesCounted extends SimulatedClock {
  glances = 0;

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms === limits.deviceGlanceMs) this.glances++;
    return super.sleep(ms, signal);
  }
}

Deno.test("validateDatabases() takes a replica by its names when its device does not answer", async () => {
  await withTemporaryFolder(async (folder) => {
    const silent = `${folder}/mounted`;
    const validate = async (...replicas: readonly string[]) => {
      const clock = new GlancesCounted(0);
      const tools = { files: silentBelow(silent), clock };
      const checked = validateDatabases([aDatabase(`${folder}/a.db`, replicas)], tools, () => "config");
      while (clock.glances < replicas.length) await clock.yield();
      clock.advance(limits.deviceGlanceMs);
      await checked.finally(() => restAnswered(tools.files));
    };
    await validate(`${silent}/r`, `${silent}/r2`);
    await assertRejects(() => validate(`${silent}/r`, `${silent}/r`), ReplicationError, "is the same place as");
    await assertRejects(() => validate(`${silent}/r`, `${silent}/r/x`), ReplicationError, "lies inside the replica");
  });
});
