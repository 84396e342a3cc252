import { ReplicationError } from "../../lib/base/errors.ts";
import { readGenerationRecord, readReplicaPlaces, StateFolder } from "../../lib/database/state_folder.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileSystem } from "../../lib/platform/file_system.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const real = new DenoFileSystem();

/** A state whose files cannot take their names for as long as `isFull()`. */
function withState(isFull: () => boolean, work: (state: StateFolder) => Promise<void>): Promise<void> {
  return withTemporaryFolder(async (folder) => {
    const files: FileSystem = Object.create(real);
    files.rename = (from, to) => {
      if (isFull()) throw new ReplicationError("no-space", "the disk is full");
      real.rename(from, to);
    };
    Deno.writeTextFileSync(`${folder}/app.db`, "");
    const database = real.status(`${folder}/app.db`);
    assert(database !== undefined);
    const state = await StateFolder.open(files, `${folder}/state`, database, undefined);
    try {
      await work(state);
    } finally {
      state.close();
    }
  });
}

Deno.test("StateFolder does not take for written what could not be, and writes it the next time", async () => {
  let isFull = false;
  await withState(() => isFull, async (state) => {
    const database = real.status(`${state.path}/lock`);
    assert(database !== undefined);
    isFull = true;
    for (const remember of [() => state.rememberReplica("/backup/app"), () => state.rememberDatabase(database)]) {
      await assertRejects(remember, ReplicationError, "the disk is full");
    }
    assertEquals([state.replicas(), state.compareDatabase(database)], [[], "unknown"]);
    isFull = false;
    await state.rememberReplica("/backup/app");
    assertEquals(readReplicaPlaces(real, state.path), ["/backup/app"]);
  });
});

Deno.test("StateFolder.open() that fails behind its lock gives it back", () =>
  withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/app.db`, "");
    const database = real.status(`${folder}/app.db`);
    assert(database !== undefined);
    for (let failing = 0, isOpened = false; !isOpened; failing++) {
      let looks = 0;
      const files: FileSystem = Object.create(real);
      files.linkStatus = (path) => {
        if (looks++ === failing) throw new ReplicationError("unavailable", "the device is away");
        return real.linkStatus(path);
      };
      const opening = StateFolder.open(files, `${folder}/state`, database, undefined);
      const code = await opening.then((state) => state.close(), (error) => error.code);
      assert(code === undefined || code === "unavailable", code); // Never "busy".
      isOpened = code === undefined;
    }
  }));

Deno.test("StateFolder writes a removed file again as it was set last, whoever sets it meanwhile", () =>
  withState(() => false, async (state) => {
    const generation = (i: number) => asGeneration(`${i}`.padStart(16, "0"));
    const record = (i: number) => ({
      generation: generation(i),
      beganAt: "2026-01-01T00:00:00.000Z",
      reason: "a test",
    });
    await state.setCurrent(record(1));
    for (let i = 2; i < 12; i++) {
      Deno.removeSync(`${state.path}/generation`);
      await Promise.all([state.restoreMissing(), state.setCurrent(record(i))]);
      assertEquals(readGenerationRecord(real, state.path)?.generation, generation(i));
    }
  }));
