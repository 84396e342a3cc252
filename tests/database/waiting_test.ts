/** A database that is not there is waited for, and the longer the louder: its path may be a wrong one. */
import { createLogger } from "../../lib/base/log.ts";
import { limits } from "../../lib/base/limits.ts";
import { defaults } from "../../lib/config/defaults.ts";
import { WatchedDatabase } from "../../lib/database/database.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { sleep, until } from "../support/daemon.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { ShiftedClock } from "./watched_stage.ts";

Deno.test("a database that is waited for is said once in passing, after a minute as a warning, and counts the time", () =>
  withTemporaryFolder(async (folder) => {
    const clock = new ShiftedClock();
    const lines: string[] = [];
    const log = createLogger({
      level: "info",
      format: "json",
      now: () => clock.now(),
      writeLine: (line) => lines.push(line),
    });
    const path = `${folder}/app.db`;
    const database = new WatchedDatabase(
      { clock, files: new DenoFileSystem(), random: new SystemRandom(), web: new SystemWeb() },
      createNodeDriver(),
      { ...defaults, path, statePath: `${folder}/state`, monitorIntervalMs: 5, userId: Deno.uid() ?? undefined },
      log,
      () => undefined,
    );
    const said = () => lines.map((line) => JSON.parse(line)).map(({ level, event }) => `${level} ${event}`);
    database.start();
    await database.opened;
    await sleep(30);
    assertEquals(said(), ["info waiting"]);
    assert(database.absentMs < limits.absentWarningMs);

    clock.shiftMs = limits.absentWarningMs;
    await until(() => said().length > 1, "a warning");
    await sleep(30);
    assertEquals(said(), ["info waiting", "warn waiting"]);
    assertMatch(lines[1] ?? "", /"seconds":60.*"advice":"see that the path is the right one"/);
    assert(database.absentMs >= limits.absentWarningMs);

    await using application = startOtherProcess();
    await application.open(path, { create: true });
    await application.runAll(["PRAGMA journal_mode = WAL", "CREATE TABLE entry(body)"]);
    await until(() => said().includes("info following"), "the database to be followed");
    assertEquals(database.absentMs, 0);

    // Refused later on, which those who ask after this process are told by the kind of the event alone.
    await application.close();
    Deno.writeTextFileSync(`${path}.other`, "no database\n".repeat(20));
    Deno.renameSync(`${path}.other`, path);
    await until(() => said().includes("error refused"), "the database to be refused");
    await database.stop();
    await database.release();
  }));
