/** The state folder, or a file of it, is removed by somebody else: at any moment of a start, and while it is in use. */
import type { FileSystem } from "../../lib/platform/file_system.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { assert, assertEquals, assertGreater, assertMatch } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { WatchedStage } from "./watched_stage.ts";

const METHODS = ["open", "status", "linkStatus", "list", "makeFolder", "rename", "readText", "syncFolder", "tryLock"];

/** Removes the folder before the given call that names something in it; counts these calls. */
function vanishing(files: FileSystem, isIn: (path: string) => boolean, beforeCall: number) {
  const count = { calls: 0 };
  const watched: FileSystem = new Proxy(files, {
    get(target, name) {
      const method = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return (...args: unknown[]) => {
        const path = args[0];
        if (METHODS.includes(String(name)) && typeof path === "string" && isIn(path)) {
          if (++count.calls === beforeCall) Deno.removeSync(folderOf(path), { recursive: true });
        }
        return Reflect.apply(method, target, args);
      };
    },
  });
  return { files: watched, count };
}

const folderOf = (path: string) => path.replace(/\/state($|\/.*)/, "/state");

/** The generation that the state names; undefined while it is gone. */
function keptGeneration({ state }: WatchedStage): string | undefined {
  try {
    return Deno.readTextFileSync(`${state}/generation`).split("\n")[0];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A start that has to resync; how many calls it makes in the state folder. */
async function startAgain(beforeCall: number): Promise<number> {
  let calls = 0;
  await WatchedStage.with({}, async (stage) => {
    await stage.restart(1);
    await stage.release();
    await stage.application.run("PRAGMA wal_checkpoint(TRUNCATE)");
    await stage.application.run("INSERT INTO entry VALUES ('while nobody watched')");
    const { files, count } = vanishing(new DenoFileSystem(), (path) => path.startsWith(stage.state), beforeCall);
    const again = stage.again(files);
    again.start();
    try {
      await again.opened; // Rejects where the program would end.
      calls = count.calls;
      await until(() => again.position() !== undefined, "the database to be followed");
      // What vanished with the last call of the start is noticed by the first look after it.
      await until(
        () => keptGeneration(stage) !== undefined && keptGeneration(stage) === again.generation(),
        "the state to be that of what is followed",
      );
      assertEquals((await again.captureNow()).position.generation, again.generation());
    } finally {
      await again.stop();
      await again.release();
    }
  });
  return calls;
}

Deno.test({
  name: "WatchedDatabase takes up anew when its state folder goes at any moment of a start",
  timeout: 120_000,
  fn: async () => {
    const calls = await startAgain(0);
    assertGreater(calls, 30);
    const STEP = 5;
    for (let call = 1; call <= calls; call += STEP) {
      await startAgain(call).catch((error: unknown) => {
        throw new Error(`The state folder went before call ${call} of ${calls}`, { cause: error });
      });
    }
  },
});

Deno.test("WatchedDatabase writes its small files again when they are deleted while it is followed", async () => {
  await WatchedStage.with({}, async (stage) => {
    await stage.database.rememberReplica("somewhere");
    await stage.database.rememberTime(5);
    const names = ["generation", "version", "boot", "replicas", "latest"];
    const before = names.map((name) => Deno.readTextFileSync(`${stage.state}/${name}`));
    for (const name of names) Deno.removeSync(`${stage.state}/${name}`);
    await until(() => stage.text.includes("are written again"), "the files to be written again");
    assertEquals(names.map((name) => Deno.readTextFileSync(`${stage.state}/${name}`)), before);
    assertMatch(stage.text, /WARN .*Files of the state folder were deleted .* files="version generation boot/);
    assert(stage.database.wasReplicatedTo("somewhere"));
    await stage.expectNothingLost();
  });
});

Deno.test("WatchedDatabase takes up anew when a file of its shadow WAL is deleted while it is followed", async () => {
  await WatchedStage.with({}, async (stage) => {
    const { generation } = await stage.restart(2);
    Deno.removeSync(stage.shadowPath(1));
    await until(() => ![undefined, generation].includes(stage.database.generation()), "another generation");
    assertMatch(stage.text, /Cannot go on with .*: files of its shadow WAL were deleted/);
    assertMatch(stage.text, /A new generation begins .*it is missing between two others/);
    await stage.commit();
  });
});
