import { viewOf } from "../base/bytes.ts";
import type { DatabaseSource } from "../database/source.ts";
import type { Generation } from "../position/generation.ts";
import type { GenerationStore, ReplicaEnd } from "../store/generation_store.ts";
import { equalChecksums } from "../wal/checksum.ts";
import { frameSize, storedChecksum } from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../wal/header.ts";
import { equalSalts } from "../wal/salt.ts";

/**
 * Whether shadow WAL and replica hold the same up to the replica's end, by salts and the chain's sum, which covers every byte
 * before it. Undefined when the shadow WAL does not hold that position.
 */
export async function agreesAtEnd(
  source: Pick<DatabaseSource, "oldestIndex" | "markAt">,
  store: GenerationStore,
  generation: Generation,
  end: ReplicaEnd | undefined,
): Promise<boolean | undefined> {
  if (end === undefined || end.index < source.oldestIndex()) return undefined;
  if (end.offset === 0) return true;
  const own = source.markAt(end.index, end.offset);
  if (own === undefined) return undefined;
  if (end.isRemembered === true) return true; // Nobody here can read it.
  const bytes = new Uint8Array(WAL_HEADER_SIZE);
  const parsed = parseWalHeader(bytes.subarray(0, await store.readWal(generation, end.index, 0, bytes)));
  if (!parsed.ok || !equalSalts(parsed.header.salt, own.salt)) return false;
  const lastFrame = end.offset - frameSize(parsed.header.pageSize);
  await store.readWal(generation, end.index, lastFrame, bytes);
  return equalChecksums(storedChecksum(viewOf(bytes), 0), own.checksum);
}
