import { equalBytes } from "../../lib/base/bytes.ts";
import { type ErrorCode, ReplicationError } from "../../lib/base/errors.ts";
import { limits } from "../../lib/base/limits.ts";
import { openPageWriter } from "../../lib/platform/page_writer.ts";
import { restore } from "../../lib/restore/restore.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { blindStore } from "../support/blind_store.ts";
import { aStore, changeByte, EPOCH_MS, ReplicaBuilder } from "../support/replica_builder.ts";
import { restoreFrom, restoreTools } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, pageOf, WalBuilder } from "../support/wal_builder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";

/** A snapshot and one transaction, which fills page 1. */
async function aReplica(root: string, fill: number, startMs = EPOCH_MS): Promise<ReplicaBuilder> {
  const wal = new WalBuilder();
  const end = wal.commit(2, [1, fill]);
  const replica = await new ReplicaBuilder(root, { startMs }).snapshot(0, 0, imageOf(4096, 1, 2));
  return await replica.wal(0, wal.bytes(), { end, databasePages: 2 });
}

/** A store that cannot be reached. */
function unreachable(): GenerationStore {
  const store = Object.create(aStore("/nowhere")) as GenerationStore;
  store.generations = () => Promise.reject(new ReplicationError("unavailable", "Cannot list /nowhere: it is away"));
  return store;
}

interface Attempt {
  readonly fill?: number;
  readonly replica?: string;
  readonly code?: ErrorCode;
  readonly message?: string;
  readonly notices: readonly string[];
}

/** Restores from several replicas, named a, b, c; tells whose page 1 came back, or why none. */
async function restoreOf(folder: string, ...stores: readonly GenerationStore[]): Promise<Attempt> {
  const tools = restoreTools();
  const replicas = stores.map((store, i) => ({ name: "abc"[i] ?? "", store }));
  const output = `${folder}/out.db`;
  try {
    const { replica } = await restore({ replicas, target: { kind: "latest" }, output, force: false }, tools);
    const fill = Deno.readFileSync(output)[0] ?? -1;
    Deno.removeSync(output);
    return { fill, replica: replica.name, notices: tools.notices };
  } catch (error) {
    if (!(error instanceof ReplicationError)) throw error;
    return { code: error.code, message: error.message, notices: tools.notices };
  } finally {
    assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name.startsWith("out.db")), []);
  }
}

Deno.test("restore() takes the replica with the newest point, of equal ones the first", () =>
  withTemporaryFolder(async (folder) => {
    const { store: older } = await aReplica(`${folder}/older`, 10);
    const { store: newer } = await aReplica(`${folder}/newer`, 20, EPOCH_MS + 1);
    const { store: equal } = await aReplica(`${folder}/equal`, 30);
    assertEquals(await restoreOf(folder, older, newer), { fill: 20, replica: "b", notices: [] });
    assertEquals(await restoreOf(folder, newer, older), { fill: 20, replica: "a", notices: [] });
    assertEquals(await restoreOf(folder, older, equal), { fill: 10, replica: "a", notices: [] });
    assertEquals(await restoreOf(folder, equal, older), { fill: 30, replica: "a", notices: [] });
  }));

Deno.test("restore() names replicas that cannot serve, and fails only when none can", () =>
  withTemporaryFolder(async (folder) => {
    const good = await aReplica(`${folder}/good`, 10);
    const gap = await aReplica(`${folder}/gap`, 20, EPOCH_MS + 1);
    Deno.truncateSync(gap.path(0, "wal"), 100);
    const empty = aStore(`${folder}/empty`);
    const served = await restoreOf(folder, unreachable(), gap.store, good.store);
    assertEquals([served.fill, served.replica], [10, "c"]);
    assertEquals(served.notices.length, 2);
    assertEquals(served.notices[0], "replica a cannot serve: Cannot list /nowhere: it is away");
    assertStringIncludes(served.notices[1] ?? "", "0000000000000000.wal has 100 bytes");
    assertEquals((await restoreOf(folder, empty)).code, "not-found");
    assertEquals((await restoreOf(folder, unreachable())).code, "unavailable");
    assertEquals((await restoreOf(folder, empty, unreachable())).code, "unavailable");
    assertEquals((await restoreOf(folder, empty, unreachable(), gap.store)).code, "corrupt");
  }));

Deno.test("restore() goes to the next replica when damage shows only while it reads", () =>
  withTemporaryFolder(async (folder) => {
    const good = await aReplica(`${folder}/good`, 10);
    const damaged = await aReplica(`${folder}/damaged`, 20, EPOCH_MS + 1);
    changeByte(damaged.path(0, "wal"), 500, (byte) => byte ^ 1);
    const served = await restoreOf(folder, damaged.store, good.store);
    assertEquals([served.fill, served.replica], [10, "b"]);
    assertMatch(
      served.notices.join(),
      /^replica a cannot serve: Cannot restore the newest point from .*0000\.wal is damaged/,
    );
    const alone = await restoreOf(folder, damaged.store);
    assertEquals([alone.code, alone.notices], ["corrupt", []]);
    assertEquals((await restoreOf(folder, damaged.store, unreachable())).code, "corrupt");
  }));

Deno.test("restore() leaves no draft when the disk is full, and asks no other replica then", () =>
  withTemporaryFolder(async (folder) => {
    const { store } = await aReplica(`${folder}/replica`, 10);
    const files = unsyncedFiles();
    const full = Object.create(files) as typeof files;
    full.open = (path, mode, permissions) => {
      const handle = files.open(path, mode, permissions);
      const refuse = () => {
        throw new ReplicationError("no-space", `Cannot write ${path}: no space left on the device`);
      };
      return mode === "write" ? Object.assign(handle, { writeAt: refuse }) : handle;
    };
    const tools = restoreTools({ files: full });
    const replicas = [{ name: "a", store }, { name: "b", store: unreachable() }];
    const attempt = () =>
      restore({ replicas, target: { kind: "latest" }, output: `${folder}/out.db`, force: false }, tools);
    assertEquals((await assertRejects(attempt, ReplicationError)).code, "no-space");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["replica"]);
  }));

Deno.test("restore() refuses an output that appeared while it was working", () =>
  withTemporaryFolder(async (folder) => {
    const { store } = await aReplica(`${folder}/replica`, 10);
    const late = Object.create(store) as GenerationStore;
    for (const name of ["generations", "catalog", "records", "readWal"] as const) {
      Object.assign(late, { [name]: store[name].bind(store) });
    }
    late.openSnapshot = (...parameters) => {
      Deno.writeTextFileSync(`${folder}/out.db`, "somebody else's");
      return store.openSnapshot(...parameters);
    };
    const error = await assertRejects(() => restoreFrom(late, `${folder}/out.db`), ReplicationError);
    assertStringIncludes(error.message, "it exists already");
    assertEquals(Deno.readTextFileSync(`${folder}/out.db`), "somebody else's");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["out.db", "replica"]);
  }));

Deno.test("restore() writes below a folder that is not there yet, but makes none for a backup that is not there", () =>
  withTemporaryFolder(async (folder) => {
    const { store } = await aReplica(`${folder}/replica`, 10);
    await assertRejects(() => restoreFrom(aStore(`${folder}/none`), `${folder}/new/deep/out.db`), ReplicationError);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["replica"]);
    await restoreFrom(store, `${folder}/new/deep/out.db`);
    assertEquals(Deno.readFileSync(`${folder}/new/deep/out.db`)[0], 10);
  }));

Deno.test("restore() takes the name only after the bytes are on disk, and syncs the folder after that", () =>
  withTemporaryFolder(async (folder) => {
    const { store } = await aReplica(`${folder}/replica`, 10);
    const files = unsyncedFiles();
    const events: string[] = [];
    const noted = Object.create(files) as typeof files;
    noted.open = (path, mode, permissions) => {
      const handle = files.open(path, mode, permissions);
      if (mode !== "write") return handle;
      assertMatch(path, /out\.db\.tailrace-restore\.tmp$/);
      const truncate = handle.truncate.bind(handle);
      return Object.assign(handle, {
        truncate: (size: number) => (events.push("truncate"), truncate(size)),
        sync: () => Promise.resolve(void events.push("sync")),
      });
    };
    noted.rename = (from, to) => (events.push("rename"), files.rename(from, to));
    noted.syncFolder = () => events.push("sync folder");
    await restoreFrom(store, `${folder}/out.db`, { kind: "latest" }, restoreTools({ files: noted }));
    assertEquals(events, ["truncate", "sync", "sync folder", "rename", "sync folder"]);
    assert(Deno.statSync(`${folder}/out.db`).isFile);
  }));

Deno.test("restore() of a large database has another thread write its pages, and is the same", () =>
  withTemporaryFolder(async (folder) => {
    const pages = limits.pageWriterMinBytes / 4096 + 50;
    const image = new Uint8Array(pages * 4096);
    for (let page = 0; page < pages; page += 7) image[page * 4096] = page;
    const wal = new WalBuilder();
    const changed = Array.from({ length: 3_000 }, (_, slot) => [(slot * 2_741) % pages + 1, slot] as const);
    const end = wal.commit(pages, ...changed);
    const replica = await new ReplicaBuilder(`${folder}/replica`).snapshot(0, 0, image);
    await replica.wal(0, wal.bytes(), { end, databasePages: pages });
    for (const [page, fill] of changed) image.set(pageOf(4096, fill), (page - 1) * 4096);
    const opened: string[] = [];
    const openCounted = (path: string) => {
      opened.push(path);
      return openPageWriter(path);
    };
    await restoreFrom(replica.store, `${folder}/plain.db`);
    const tools = restoreTools({ openPageWriter: openCounted });
    await restoreFrom(replica.store, `${folder}/threaded.db`, { kind: "latest" }, tools);
    assertEquals(opened.length, 1);
    const [plain, threaded] = [Deno.readFileSync(`${folder}/plain.db`), Deno.readFileSync(`${folder}/threaded.db`)];
    assert(equalBytes(plain, image) && equalBytes(threaded, image), "both are the database");
  }));

Deno.test("restore() says of a replica that only another host can decrypt that it is encrypted, and takes the next", () =>
  withTemporaryFolder(async (folder) => {
    await aReplica(`${folder}/a`, 10);
    await aReplica(`${folder}/b`, 20);
    const blind = () => blindStore(aStore(`${folder}/a`));
    const alone = await restoreOf(folder, blind());
    assertEquals(alone.code, "denied");
    assertMatch(alone.message ?? "", /a: it is encrypted, and no identity is configured$/);
    assertEquals((await restoreOf(folder, blind(), aStore(`${folder}/b`))).fill, 20);
  }));
