/**
 * Litestream copies the database file while the application may be checkpointing: that writes the pages in their order, the
 * first one with the new size among them, so the copy may be shorter than it says. What it lacks stands in the WAL.
 */
import { DatabaseSync } from "node:sqlite";
import { viewOf } from "../../lib/base/bytes.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { asIndex, asOffset, formatPosition, type Position } from "../../lib/position/position.ts";
import { COMMIT_SIZE_AT, frameSize } from "../../lib/wal/frame.ts";
import { WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { asGeneration } from "../support/catalog_builder.ts";
import { PeerReplica } from "../support/peer_replica.ts";
import { anyStore, atPosition, expectAgreement, restored, verified } from "../support/points_agreement.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const PAGE_SIZE = 1_024;
const START_MS = Date.UTC(2026, 1, 1);
const COMMITS = 4;

interface History {
  /** Of the file after the checkpoint of all of it. */
  readonly image: Uint8Array;
  /** Pages before it. */
  readonly pagesBefore: number;
  readonly wal: Uint8Array;
  /** Where each commit ends, and the database there. */
  readonly commits: readonly { readonly end: number; readonly image: Uint8Array }[];
}

/** A database that grows with each commit, each of which rewrites its first page. */
function grow(folder: string): History {
  const path = `${folder}/app.db`;
  using db = new DatabaseSync(path);
  db.exec(`PRAGMA page_size = ${PAGE_SIZE}; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0`);
  db.exec("CREATE TABLE t(b); INSERT INTO t VALUES(randomblob(5000)); PRAGMA wal_checkpoint(TRUNCATE)");
  const pagesBefore = Deno.statSync(path).size / PAGE_SIZE;
  const commits: { end: number; image: Uint8Array }[] = [];
  for (let commit = 0; commit < COMMITS; commit++) {
    db.exec("INSERT INTO t VALUES(randomblob(3000))");
    commits.push({ end: Deno.statSync(`${path}-wal`).size, image: imageOf(path) });
  }
  const wal = Deno.readFileSync(`${path}-wal`);
  db.exec("PRAGMA wal_checkpoint(PASSIVE)");
  return { image: Deno.readFileSync(path), pagesBefore, wal, commits };
}

/** The file with all frames of its WAL copied into it. */
function imageOf(path: string): Uint8Array {
  const [file, wal] = [Deno.readFileSync(path), Deno.readFileSync(`${path}-wal`)];
  const size = frameSize(PAGE_SIZE);
  let pages = 0;
  const changed = new Map<number, Uint8Array>();
  for (let at = WAL_HEADER_SIZE; at + size <= wal.length; at += size) {
    const view = viewOf(wal.subarray(at));
    changed.set(view.getUint32(0), wal.subarray(at + size - PAGE_SIZE, at + size));
    pages = view.getUint32(COMMIT_SIZE_AT) || pages;
  }
  const image = new Uint8Array(pages * PAGE_SIZE);
  image.set(file.subarray(0, image.length));
  for (const [page, bytes] of changed) image.set(bytes, (page - 1) * PAGE_SIZE);
  return image;
}

async function replicaOf(folder: string, { wal, commits }: History, image: Uint8Array): Promise<PeerReplica> {
  const replica = new PeerReplica(`${folder}/replica`);
  await replica.snapshot(0, image, START_MS);
  let from = 0;
  for (const [slot, { end }] of commits.entries()) {
    await replica.wal(0, from, wal.subarray(from, end), START_MS + (slot + 1) * 1_000);
    from = end;
  }
  return replica;
}

function positionOf(replica: PeerReplica, offset: number): Position {
  return { generation: asGeneration(replica.generation), index: asIndex(0), offset: asOffset(offset) };
}

for (const lacking of ["its last page", "all that came"] as const) {
  Deno.test(`restore() takes a snapshot of Litestream's that lacks ${lacking}, which its WAL brings`, () =>
    withTemporaryFolder(async (folder) => {
      const history = grow(folder);
      const pages = lacking === "its last page" ? history.image.length / PAGE_SIZE - 1 : history.pagesBefore;
      const replica = await replicaOf(folder, history, history.image.subarray(0, pages * PAGE_SIZE));
      const output = `${folder}/restored.db`;
      await restoreFrom(anyStore(replica.root), output);
      assertEquals(Deno.readFileSync(output), history.image);

      const scratch = Deno.makeTempDirSync({ dir: folder });
      const proof = await verified(anyStore(replica.root), scratch, 2, 1);
      assertEquals([proof.outcome, proof.says], ["pass", ""]);

      const places = history.commits.map(({ end }) => positionOf(replica, end));
      const listed = await expectAgreement(anyStore(replica.root), places, false);
      assert(listed.length > 0);
      for (const { position } of listed) {
        const commit = history.commits.find(({ end }) => end === position.offset);
        if (commit === undefined) continue;
        const bytes = await restored(anyStore(replica.root), `${folder}/point.db`, atPosition(position));
        assertEquals(bytes, commit.image, formatPosition(position));
      }
    }));
}

Deno.test("restore() refuses a snapshot of Litestream's that lacks pages which no WAL brings", () =>
  withTemporaryFolder(async (folder) => {
    const history = grow(folder);
    const cut = history.image.subarray(0, (history.pagesBefore - 1) * PAGE_SIZE);
    const replica = await replicaOf(folder, history, cut);
    const output = `${folder}/restored.db`;
    const error = await assertRejects(() => restoreFrom(anyStore(replica.root), output), ReplicationError);
    assertStringIncludes(error.message, `holds ${history.pagesBefore - 1} pages (expected `);
    assertEquals(error.code, "corrupt");
  }));
