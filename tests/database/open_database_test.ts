import { ReplicationError } from "../../lib/base/errors.ts";
import { openDatabase } from "../../lib/database/open_database.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileSystem } from "../../lib/platform/file_system.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { openBelow } from "../support/open_below.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

Deno.test("openDatabase() that fails at any look at the files leaves nothing open", () =>
  withTemporaryFolder(async (folder) => {
    const driver = createNodeDriver();
    const path = `${folder}/app.db`;
    const connection = driver.open(path, { create: true });
    connection.values("PRAGMA journal_mode = WAL");
    connection.close();
    for (let failing = 0, isOpened = false; !isOpened; failing++) {
      let looks = 0;
      const real = new DenoFileSystem();
      const files: FileSystem = Object.create(real);
      files.linkStatus = (path) => {
        if (looks++ === failing) throw new ReplicationError("unavailable", "the device is away");
        return real.linkStatus(path);
      };
      const opening = openDatabase(files, driver, path, {
        enableWal: false,
        mayBeEncrypted: false,
        hasReplaced: false,
      });
      isOpened = await opening.then(() => looks <= failing, () => false);
      if (isOpened) break;
      await assertRejects(() => opening, ReplicationError, "the device is away");
      assertEquals(openBelow(folder), [], `look ${failing}`);
    }
  }));
