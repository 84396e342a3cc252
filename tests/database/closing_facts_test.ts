/** Closing is a write: what the end of the last connection, or of its process, does to a database in WAL mode. */
import { assert, assertEquals, assertNotEquals } from "../support/assert.ts";
import { type OtherProcess, startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

function fact(name: string, run: (last: OtherProcess, path: string) => Promise<void>): void {
  Deno.test({
    name: `Closing: ${name}`,
    timeout: 20_000,
    fn: () =>
      withTemporaryFolder(async (folder) => {
        const path = `${folder}/app.db`;
        await using last = startOtherProcess({ isQuiet: true });
        await last.open(path, { create: true });
        await last.runAll(["PRAGMA journal_mode = WAL", "CREATE TABLE entry (body)"]);
        await run(last, path);
      }),
  });
}

/** Whether work leaves all files of the database as they were. Nobody in this process has the database open. */
async function keepsAll(path: string, work: () => Promise<unknown>): Promise<boolean> {
  const before = filesOf(path);
  await work();
  return JSON.stringify(filesOf(path)) === JSON.stringify(before);
}

function filesOf(path: string): Record<string, string> {
  const folder = path.slice(0, path.lastIndexOf("/"));
  const names = [...Deno.readDirSync(folder)].map((entry) => entry.name).filter((name) => !name.endsWith("-shm"));
  return Object.fromEntries(names.sort().map((name) => [name, Deno.readFileSync(`${folder}/${name}`).toBase64()]));
}

fact("the last read-write connection copies the WAL and deletes it", async (last, path) => {
  const before = filesOf(path);
  await last.close();
  const after = filesOf(path);
  assertEquals(Object.keys(after), ["app.db"]);
  assertNotEquals(after["app.db"], before["app.db"]);
});

fact("a read-only connection that is closed last keeps everything", async (last, path) => {
  await last.open(path, { readOnly: true }, "read-only");
  await last.run("SELECT * FROM entry", "read-only");
  const closeBoth = async () => {
    await last.close("main");
    await last.close("read-only");
  };
  assert(await keepsAll(path, closeBoth));
  assert(await keepsAll(path, () => last.return()));
});

fact("a read-only connection that never read does not keep the WAL", async (last, path) => {
  await last.open(path, { readOnly: true }, "read-only");
  await last.close("main");
  assertEquals(Object.keys(filesOf(path)), ["app.db"]);
});

fact("Deno.exit keeps everything", async (last, path) => {
  assert(await keepsAll(path, () => last.exit()));
});

fact("SIGKILL keeps everything", async (last, path) => {
  assert(await keepsAll(path, () => last.kill()));
});

fact("the natural end of the process copies the WAL and deletes it", async (last, path) => {
  assertEquals((await last.return()).code, 0);
  assertEquals(Object.keys(filesOf(path)), ["app.db"]);
});

fact("an uncaught error copies the WAL and deletes it", async (last, path) => {
  await last.call(import.meta.resolve("./lock_actions.ts"), "throwLater");
  assertEquals((await last.status).code, 1);
  assertEquals(Object.keys(filesOf(path)), ["app.db"]);
});
