/** The state says of which database file it is only while what is captured stands for that file: a kill may come at any moment. */
import type { FileSystem } from "../../lib/platform/file_system.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { DatabaseSync } from "node:sqlite";
import { assertEquals } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { WatchedStage } from "./watched_stage.ts";

/** Calls back before whatever is asked of the file system. */
function watched(files: FileSystem, look: () => void): FileSystem {
  return new Proxy(files, {
    get(target, name) {
      const method = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => {
        look();
        return Reflect.apply(method, target, args);
      };
    },
  });
}

Deno.test("The state knows of no database file while a history is taken up beside another one", async () => {
  await WatchedStage.with({}, async (stage) => {
    await stage.restart(1);
    await stage.release();
    await stage.application.close();
    Deno.copyFileSync(stage.path, `${stage.path}.other`);
    const other = new DatabaseSync(`${stage.path}.other`);
    other.exec("INSERT INTO entry VALUES ('of another file')");
    other.close();
    Deno.renameSync(`${stage.path}.other`, stage.path);
    const said = () => Deno.readTextFileSync(`${stage.state}/database`);
    const isCaptured = () => /Resynced|A new generation begins/.test(stage.lines.slice(before).join());
    const [before, old] = [stage.lines.length, said()];
    const seen: string[] = [];
    const look = () => {
      const now = `${isCaptured() ? "captured" : "not captured"}: ${said()}`;
      if (seen.at(-1) !== now) seen.push(now);
    };
    const again = stage.again(watched(new DenoFileSystem(), look));
    again.start();
    await again.opened;
    await until(() => again.position() !== undefined, "the database to be followed");
    await again.stop();
    await again.release();
    const unknown = old.replace("1", "1 unknown");
    assertEquals(seen, [
      `not captured: ${old}`,
      `not captured: ${unknown}`,
      `captured: ${unknown}`,
      `captured: ${said()}`,
    ]);
    assertEquals([old, unknown].includes(said()), false);
  });
});
