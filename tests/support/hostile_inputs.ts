/** Replicas that somebody made to take as much memory or time as a few bytes can. */
import { createGzip } from "node:zlib";
import { writeFile } from "./many_commits.ts";
import { PeerReplica } from "./peer_replica.ts";
import { EPOCH_MS, ReplicaBuilder } from "./replica_builder.ts";
import { imageOf, WalBuilder } from "./wal_builder.ts";

const PAGE_SIZE = 512;
/** An LZ4 frame without content: header, end mark, checksum of nothing. */
export const EMPTY_FRAME = Uint8Array.fromHex("04224d186470b900000000055dcc02");
const MIB = 1 << 20;

/** What is made anew: the only WAL there is, or the only snapshot. */
export type Harmed = "wal" | "snapshot";

/** An object of Litestream's that is nothing but so many empty LZ4 frames. */
export async function emptyFrames(folder: string, what: Harmed, count = 1_000_000): Promise<void> {
  const path = (await peerReplica(folder, "segments"))[what];
  const all = new Uint8Array(EMPTY_FRAME.length * count);
  for (let slot = 0; slot < count; slot++) all.set(EMPTY_FRAME, slot * EMPTY_FRAME.length);
  writeFile(path, [all]);
}

/** A few kilobytes that stand for so many zeros: behind a commit of WAL, or behind the pages of the snapshot. */
export async function gzipBomb(folder: string, what: Harmed, megabytes = 2_000): Promise<void> {
  const replica = await peerReplica(folder, "0.1");
  const gzip = createGzip();
  const target = Deno.openSync(replica[what], { write: true, truncate: true }).writable;
  const done = ReadableStream.from(gzip).pipeTo(target);
  const put = (bytes: Uint8Array) => new Promise<void>((resolve) => void gzip.write(bytes, () => resolve()));
  await put(what === "wal" ? replica.walBytes : replica.image);
  const zeros = new Uint8Array(MIB);
  for (let slot = 0; slot < megabytes; slot++) await put(zeros);
  gzip.end();
  await done;
}

/** Segments of a few bytes, all of them behind one that is missing. */
export async function tinySegments(folder: string, count = 100_000): Promise<void> {
  const wal = new WalBuilder({ pageSize: PAGE_SIZE });
  const end = wal.commit(2, [1, 5]);
  const replica = new ReplicaBuilder(folder, { layout: "litestream", pageSize: PAGE_SIZE });
  await replica.snapshot(0, 0, imageOf(PAGE_SIZE, 1, 2));
  await replica.wal(0, wal.bytes(), { end, databasePages: 2 });
  const path = `${folder}/generations/${replica.generation}/wal/00000000_`;
  for (let slot = 1; slot <= count; slot++) {
    Deno.writeFileSync(`${path}${(end + 5_000 + slot).toString(16).padStart(8, "0")}.wal.lz4`, EMPTY_FRAME);
  }
}

/** Of Litestream: a snapshot of two pages, and one commit. */
async function peerReplica(folder: string, form: "segments" | "0.1") {
  const peers = new PeerReplica(folder, form);
  const wal = new WalBuilder({ pageSize: PAGE_SIZE });
  wal.commit(2, [1, 5]);
  const [image, walBytes] = [imageOf(PAGE_SIZE, 1, 2), wal.bytes()];
  // As SQLite's header says it: pages of 512 bytes.
  image.set([0x02, 0x00], 16);
  const snapshot = await peers.snapshot(0, image, EPOCH_MS);
  return { snapshot, wal: await peers.wal(0, 0, walBytes, EPOCH_MS + 1_000), image, walBytes };
}
