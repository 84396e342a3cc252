import { DatabaseSync } from "node:sqlite";
import { ReplicationError } from "../../lib/base/errors.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileSystem } from "../../lib/platform/file_system.ts";
import { inspectOutput } from "../../lib/restore/output.ts";
import { putInPlace } from "../../lib/restore/put_in_place.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../support/assert.ts";
import { newDatabase, oldDatabaseWithJournal, oldDatabaseWithWal } from "../support/old_database.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";

const FAMILY = ["", "-wal", "-journal"] as const;

/** What SQLite finds at the path, looked at on a copy of the files that it would look at. */
function rowsAt(path: string, scratch: string): string | undefined {
  if (!exists(path)) return undefined;
  const copy = `${scratch}/copy.db`;
  for (const suffix of [...FAMILY, "-shm"]) {
    if (exists(`${copy}${suffix}`)) Deno.removeSync(`${copy}${suffix}`);
    if (exists(`${path}${suffix}`)) Deno.writeFileSync(`${copy}${suffix}`, Deno.readFileSync(`${path}${suffix}`));
  }
  const database = new DatabaseSync(copy);
  const rows = database.prepare("SELECT x FROM t ORDER BY x").all().map((row) => String(row["x"]));
  database.close();
  return rows.join();
}

function exists(path: string): boolean {
  return new DenoFileSystem().linkStatus(path) !== undefined;
}

class PowerCut extends Error {}

/** Fails at the given call that changes a name or begins a file, and at all after it. */
function filesUntil(stop: number): { files: FileSystem; calls: () => number } {
  const real = unsyncedFiles();
  const files: FileSystem = Object.create(real);
  let calls = 0;
  const count = () => {
    if (calls++ >= stop) throw new PowerCut();
  };
  files.rename = (from, to) => (count(), real.rename(from, to));
  files.remove = (path) => (count(), real.remove(path));
  files.open = (path, mode, permissions) => (mode === "read" || count(), real.open(path, mode, permissions));
  files.syncFolder = () => count();
  files.setMode = (path, mode) => (count(), real.setMode(path, mode));
  return { files, calls: () => calls };
}

for (
  const [what, makeOld] of [["-wal", oldDatabaseWithWal], ["hot -journal", oldDatabaseWithJournal]] as const
) {
  Deno.test(`putInPlace() loses no committed row of a database with a ${what}, wherever it is cut short`, () =>
    withTemporaryFolder(async (folder) => {
      const scratch = `${folder}/scratch`;
      Deno.mkdirSync(scratch);
      for (let stop = 0, total = Infinity; stop < total; stop++) {
        const place = `${folder}/${stop}`;
        const path = `${place}/app.db`;
        Deno.mkdirSync(place);
        makeOld(path);
        Deno.writeTextFileSync(`${path}-shm`, "of the old one");
        newDatabase(`${place}/draft`);
        assertEquals(rowsAt(path, scratch), "old 1,old 2");
        const { files, calls } = filesUntil(stop);
        const facts = inspectOutput(files, () => [], path);
        const done = await putInPlace({ files, clock: new SystemClock() }, `${place}/draft`, facts, true).catch(
          (error) => {
            if (!(error instanceof PowerCut)) throw error;
          },
        );
        if (done !== undefined) total = calls();
        const kept = [...Deno.readDirSync(place)].map(({ name }) => name).find((name) =>
          /^app\.db\.before.*Z$/.test(name)
        );
        const atPath = rowsAt(path, scratch);
        const aside = kept === undefined ? undefined : rowsAt(`${place}/${kept}`, scratch);
        assert([undefined, "old 1,old 2", "new"].includes(atPath), `stopped at ${stop}: ${atPath} at the path`);
        assert(atPath === "old 1,old 2" || aside === "old 1,old 2", `stopped at ${stop}: ${atPath}, aside ${aside}`);
      }
    }));
}

Deno.test("putInPlace() says where the old database is when the new one cannot take its place", () =>
  withTemporaryFolder(async (folder) => {
    const path = `${folder}/app.db`;
    oldDatabaseWithWal(path);
    newDatabase(`${folder}/draft`);
    const real = unsyncedFiles();
    const files: FileSystem = Object.create(real);
    files.remove = (name) => {
      throw new ReplicationError("denied", `Cannot remove ${name}: it is not permitted`);
    };
    const facts = inspectOutput(files, () => [], path);
    const error = await assertRejects(
      () => putInPlace({ files, clock: new SystemClock() }, `${folder}/draft`, facts, true),
      ReplicationError,
    );
    const kept = error.message.split("is whole, as ")[1] ?? "";
    Deno.mkdirSync(`${folder}/scratch`);
    assertEquals([error.code, rowsAt(kept, `${folder}/scratch`)], ["denied", "old 1,old 2"]);
  }));

Deno.test("putInPlace() keeps the old files under one name that SQLite takes for one database", () =>
  withTemporaryFolder(async (folder) => {
    const path = `${folder}/app.db`;
    const files = unsyncedFiles();
    const clock = Object.assign(Object.create(new SystemClock()), { now: () => new Date("2025-06-01T12:34:56.789Z") });
    for (const round of [1, 2]) {
      oldDatabaseWithWal(path);
      Deno.chmodSync(path, 0o640);
      Deno.chmodSync(`${path}-wal`, 0o640);
      newDatabase(`${folder}/draft`);
      const placed = await putInPlace({ files, clock }, `${folder}/draft`, inspectOutput(files, () => [], path), true);
      const suffix = round === 1 ? "" : "-2";
      const { keptAs = "" } = placed;
      assertEquals(keptAs, `${path}.before-restore-20250601T123456Z${suffix}`);
      const modes = [path, keptAs, `${keptAs}-wal`].map((name) => (Deno.statSync(name).mode ?? 0) & 0o777);
      assertEquals(modes, [0o640, 0o640, 0o640]);
      const database = new DatabaseSync(keptAs);
      assertEquals(database.prepare("SELECT count(*) AS n FROM t").get()?.["n"], 2);
      database.close();
      for (const beside of ["-wal", "-shm", "-journal"]) assertEquals(exists(`${path}${beside}`), false);
    }
  }));

Deno.test("putInPlace() gives a new file 0600 and removes an empty -wal and a -shm that were left", () =>
  withTemporaryFolder(async (folder) => {
    const path = `${folder}/app.db`;
    const files = unsyncedFiles();
    newDatabase(`${folder}/draft`);
    Deno.writeTextFileSync(`${path}-wal`, "");
    Deno.writeTextFileSync(`${path}-shm`, "left");
    const facts = inspectOutput(files, () => [], path);
    assertEquals(await putInPlace({ files, clock: new SystemClock() }, `${folder}/draft`, facts, false), {});
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["app.db"]);
  }));

/** The real files, as if this process were the user: who owns what is made up. */
function filesAs(user: number, owners: Map<string, readonly [number, number]>): FileSystem {
  const real = unsyncedFiles();
  const files: FileSystem = Object.create(real);
  files.status = (path) => {
    const found = real.status(path);
    const [owner, group] = owners.get(path) ?? [user, user];
    return found && { ...found, owner, group };
  };
  files.setOwner = (path, owner, group) => void owners.set(path, [owner, group]);
  return files;
}

Deno.test("putInPlace() as root gives the file to the owner of what it replaces, else of its folder", () =>
  withTemporaryFolder(async (folder) => {
    const path = `${folder}/app.db`;
    const owners = new Map<string, readonly [number, number]>([[folder, [1234, 1235]]]);
    const files = filesAs(0, owners);
    const put = async (keepAside: boolean) => {
      newDatabase(`${folder}/draft`);
      owners.delete(`${folder}/draft`);
      const facts = inspectOutput(files, () => [], path);
      return await putInPlace({ files, clock: new SystemClock() }, `${folder}/draft`, facts, keepAside);
    };
    await put(false);
    assertEquals(owners.get(`${folder}/draft`), [1234, 1235]);
    oldDatabaseWithWal(path);
    for (const suffix of ["", "-wal"]) owners.set(`${path}${suffix}`, [2222, 2223]);
    const { keptAs, notice } = await put(true);
    assertEquals(notice, undefined);
    assertEquals([owners.get(`${folder}/draft`), owners.get(`${keptAs}-wal`)], [[2222, 2223], [2222, 2223]]);
  }));

Deno.test("putInPlace() as another user says that the owner could not be kept", () =>
  withTemporaryFolder(async (folder) => {
    const path = `${folder}/app.db`;
    oldDatabaseWithWal(path);
    newDatabase(`${folder}/draft`);
    const files = filesAs(1000, new Map([[path, [2222, 2223]]]));
    const facts = inspectOutput(files, () => [], path);
    const { notice } = await putInPlace({ files, clock: new SystemClock() }, `${folder}/draft`, facts, true);
    assertMatch(notice ?? "", /belongs to user 1000, no longer to user 2222: only root can give files away$/);
  }));
