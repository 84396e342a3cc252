/** The database is moved away just before a connection to it is opened anew, as after the application's last close. */
import type { SqliteDriver } from "../../lib/sqlite/driver.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assert, assertMatch } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { WatchedStage } from "./watched_stage.ts";

/** Once `path` is set, moves that database away before the next connection to it is opened. */
function movingDriver(): { readonly driver: SqliteDriver; path: string | undefined; isDone: boolean } {
  const state = { path: undefined as string | undefined, isDone: false };
  const driver = new Proxy(createNodeDriver(), {
    get(target, name) {
      const member = Reflect.get(target, name);
      if (name !== "open") return typeof member === "function" ? member.bind(target) : member;
      return (...args: Parameters<SqliteDriver["open"]>) => {
        if (state.path !== undefined && !state.isDone) {
          state.isDone = true;
          Deno.renameSync(state.path, `${state.path}.aside`);
          for (const suffix of ["-wal", "-shm"]) Deno.removeSync(`${state.path}${suffix}`);
        }
        return target.open(...args);
      };
    },
  });
  return Object.assign(state, { driver });
}

Deno.test("WatchedDatabase says that its database was moved away also where a call failed for it", async () => {
  const moving = movingDriver();
  await WatchedStage.with({ driver: moving.driver }, async (stage) => {
    await stage.commit(3);
    await stage.application.run("PRAGMA wal_checkpoint(FULL)");
    moving.path = stage.path;
    await stage.application.close();
    await until(() => stage.text.includes("Waiting for"), "the database to be let go of");
    assert(moving.isDone);
    assertMatch(stage.text, /WARN .*Letting go of the database .*app\.db was deleted or moved away/);
    // Whoever starts after a kill in this moment must not go on by what it finds.
    assertMatch(Deno.readTextFileSync(`${stage.state}/database`), /^1 unknown /);
    assert(!Deno.readDirSync(stage.folder).some(({ name }) => name === "app.db"), "nothing is made in its place");
  });
});
