import { ReplicationError } from "../../lib/base/errors.ts";
import { expectRoom, impossibleClaim } from "../../lib/restore/room.ts";
import { assertEquals, assertMatch, assertRejects, assertThrows } from "../support/assert.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { restoreFrom, restoreTools } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const PAGES_OF_4_TIB = 2 ** 30;

/** A snapshot of two pages, and a commit that says the database has so many. */
async function replicaOf(root: string, databasePages: number): Promise<ReplicaBuilder> {
  const wal = new WalBuilder();
  const end = wal.commit(databasePages, [1, 10]);
  const replica = await new ReplicaBuilder(root).snapshot(0, 0, imageOf(4096, 1, 2));
  return await replica.wal(0, wal.bytes(), { end, databasePages });
}

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name);
}

Deno.test("restore() refuses a size that snapshot and WAL cannot lead to, before it writes anything", () =>
  withTemporaryFolder(async (folder) => {
    const { store } = await replicaOf(`${folder}/replica`, PAGES_OF_4_TIB);
    const files = unsyncedFiles();
    const huge = Object.create(files) as typeof files;
    huge.freeBytes = () => 2 ** 50; // A sparse file has room anywhere.
    const attempt = () => restoreFrom(store, `${folder}/out.db`, { kind: "latest" }, restoreTools({ files: huge }));
    const error = await assertRejects(attempt, ReplicationError);
    assertEquals(error.code, "corrupt");
    assertMatch(error.message, /: it claims a database of 4398046511104 bytes, and snapshot and WAL hold 12288$/);
    assertEquals(namesIn(folder), ["replica"]);
  }));

Deno.test("restore() refuses to begin what has no room", () =>
  withTemporaryFolder(async (folder) => {
    const { store } = await replicaOf(`${folder}/replica`, 2);
    const files = unsyncedFiles();
    const narrow = Object.create(files) as typeof files;
    narrow.freeBytes = (path) => (assertEquals(path, folder), 8_191);
    narrow.open = (path, mode, permissions) => {
      if (mode === "write") throw new Error("nothing is written");
      return files.open(path, mode, permissions);
    };
    const attempt = () => restoreFrom(store, `${folder}/out.db`, { kind: "latest" }, restoreTools({ files: narrow }));
    const error = await assertRejects(attempt, ReplicationError);
    assertEquals([error.code, error.message], [
      "no-space",
      `Cannot restore into ${folder}: 8191 bytes are free (expected 8192)`,
    ]);
    assertEquals(namesIn(folder), ["replica"]);
  }));

Deno.test("expectRoom() lets writing tell where a device says that nothing is free", () => {
  const free = (bytes: number) => Object.assign(unsyncedFiles(), { freeBytes: () => bytes });
  expectRoom(free(0), "/data", 1, "");
  expectRoom(free(1), "/data", 1, "");
  assertThrows(() => expectRoom(free(1), "/data", 2, ""), ReplicationError);
});

Deno.test("impossibleClaim() allows pages that nobody wrote, within bounds", () => {
  for (const [claimed, brought] of [[0, 0], [256 << 20, 0], [16e9, 1e9], [1e9, 1e9]] as const) {
    assertEquals(impossibleClaim(claimed, brought), undefined);
  }
  for (const [claimed, brought] of [[(256 << 20) + 1, 0], [17e9, 1e9]] as const) {
    assertMatch(impossibleClaim(claimed, brought) ?? "", /^it claims a database of \d+ bytes/);
  }
});
