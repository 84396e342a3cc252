import { DatabaseSync } from "node:sqlite";
import { asIndex } from "../../lib/position/position.ts";
import { assertEquals } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";
import { PeerReplica } from "../support/peer_replica.ts";
import { aStore } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const COMMITS = 16;
const GENERATION = asGeneration("00000000000000bb");
const INDEX = asIndex(0);

for (const form of ["segments", "0.1"] as const) {
  Deno.test(`Reads of one index side by side, a catalog and records among them, give each its bytes: ${form}`, () =>
    withTemporaryFolder(async (folder) => {
      const { image, bytes, ends } = someCommits(folder);
      const replica = new PeerReplica(`${folder}/replica`, form);
      await replica.snapshot(0, image, 1_000_000);
      const cuts = form === "segments" ? ends : ends.slice(-1);
      for (const [slot, end] of cuts.entries()) {
        const start = cuts[slot - 1] ?? 0;
        await replica.wal(0, start, bytes.subarray(start, end), 1_001_000 + slot);
      }
      const store = aStore(replica.root, "litestream");
      const read = async (step: number) => {
        for (let at = bytes.length - 1; at >= 0; at -= step) {
          const into = new Uint8Array(4_000);
          const got = await store.readWal(GENERATION, INDEX, at, into);
          assertEquals(into.subarray(0, got), bytes.subarray(at, at + into.length));
        }
      };
      const records = async () => {
        for (let round = 0; round < 4; round++) {
          const found = await store.records(GENERATION, INDEX);
          assertEquals(found.at(-1)?.end, ends.at(-1));
        }
      };
      const catalogs = async () => {
        for (let round = 0; round < 8; round++) {
          const { wals } = await store.catalog(GENERATION);
          assertEquals(wals.map(({ recordProblem }) => recordProblem), [undefined]);
        }
      };
      await Promise.all([read(6_011), read(9_137), records(), records(), catalogs()]);
    }));
}

/** A database and its WAL, whose pages cannot be compressed: an object of it is more than one read. */
function someCommits(folder: string) {
  const path = `${folder}/app.db`;
  using db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)");
  db.exec("PRAGMA wal_checkpoint(RESTART)");
  const image = Deno.readFileSync(path);
  const ends: number[] = [];
  for (let commit = 0; commit < COMMITS; commit++) {
    db.exec("INSERT INTO t(b) VALUES(randomblob(9000))");
    const [, frames = 0] = Object.values(db.prepare("PRAGMA wal_checkpoint(NOOP)").get() ?? {}).map(Number);
    ends.push(32 + frames * 4_120);
  }
  return { image, bytes: Deno.readFileSync(`${path}-wal`).subarray(0, ends.at(-1)), ends };
}
