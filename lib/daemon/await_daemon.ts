/**
 * `--once` beside a running daemon: waits until the replicas hold what is committed now. This process opens no SQLite
 * connection of its own, so reading the wal-index disturbs nobody's locks.
 */
import { ReplicationError } from "../base/errors.ts";
import type { DatabaseConfig } from "../config/config.ts";
import { capturedEnd } from "../database/shadow_files.ts";
import { readGenerationRecord, realStatePath } from "../database/state_folder.ts";
import { WalIndex, type WalIndexHeader } from "../database/wal_index.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Platform } from "../platform/platform.ts";
import { formatRawName, parseRawName } from "../position/keys.ts";
import { asIndex, comparePositions, type Index, type Position } from "../position/position.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import { openReplica } from "./open_replica.ts";
import { offsetAfter } from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../wal/header.ts";
import { equalSalts } from "../wal/salt.ts";

const PATIENCE_MS = 30_000;
const LOOK_AGAIN_MS = 20;

export async function awaitDaemonOf(
  { clock, files }: Platform,
  config: DatabaseConfig,
  patienceMs: number = PATIENCE_MS,
): Promise<void> {
  const stores = config.replicas.map((replica) => openReplica(files, replica));
  const real = files.realPath(config.path);
  const statePath = realStatePath(config.statePath, config.path, real);
  const start = clock.monotonicMs();
  let wanted: Position | undefined;
  do {
    // A life of the WAL may be over, replicated and forgotten between two looks: then what is committed by now is wanted.
    if (wanted?.generation !== readGenerationRecord(files, statePath)?.generation) wanted = undefined;
    wanted ??= locate(files, statePath, readCommitted(files, real));
    if (wanted !== undefined && await areHeld(stores, wanted)) return;
    await clock.sleep(LOOK_AGAIN_MS);
  } while (clock.monotonicMs() - start < patienceMs);
  throw new ReplicationError(
    "busy",
    `Cannot replicate ${config.path} once: the process that replicates it did not finish within ${
      patienceMs / 1_000
    } s`,
  );
}

/** Undefined while nobody has the database open, or its wal-index is being written. */
function readCommitted(files: FileSystem, path: string): WalIndexHeader | undefined {
  if (files.status(`${path}-shm`) === undefined) return undefined;
  const index = WalIndex.open(files, `${path}-shm`);
  try {
    return index.read();
  } finally {
    index.close();
  }
}

/** The position that the running daemon gives to what was committed; undefined until it has captured that. */
export function locate(
  files: FileSystem,
  statePath: string,
  committed: WalIndexHeader | undefined,
): Position | undefined {
  const generation = readGenerationRecord(files, statePath)?.generation;
  const folder = `${statePath}/shadow/${generation}`;
  if (generation === undefined || committed === undefined || files.status(folder) === undefined) return undefined;
  const indexes = files.list(folder).map((name) => parseRawName(name, "wal")).filter((index) => index !== undefined);
  // An empty WAL: everything that was ever committed stands before the end of the newest index.
  if (committed.mxFrame === 0) {
    const newest = indexes.at(-1) ?? asIndex(0);
    return { generation, index: newest, offset: capturedEnd(files, folder, newest) };
  }
  const wanted = offsetAfter(committed.mxFrame, committed.pageSize);
  const index = indexes.toReversed().find((index) =>
    carriesSalt(files, folder, index, committed) && capturedEnd(files, folder, index) >= wanted
  );
  return index === undefined ? undefined : { generation, index, offset: wanted };
}

function carriesSalt(files: FileSystem, folder: string, index: Index, { salt }: WalIndexHeader): boolean {
  const path = `${folder}/${formatRawName(index, "wal")}`;
  if (files.status(path) === undefined) return false;
  const handle = files.open(path, "read");
  try {
    const bytes = new Uint8Array(WAL_HEADER_SIZE);
    const parsed = parseWalHeader(bytes.subarray(0, handle.readAt(bytes, 0)));
    return parsed.ok && equalSalts(parsed.header.salt, salt);
  } finally {
    handle.close();
  }
}

async function areHeld(stores: readonly GenerationStore[], wanted: Position): Promise<boolean> {
  return (await Promise.all(stores.map((store) => isHeld(store, wanted)))).every(Boolean);
}

/** A generation counts once it has a snapshot; one that was taken there needs no WAL. */
export async function isHeld(store: GenerationStore, wanted: Position): Promise<boolean> {
  const { generation } = wanted;
  const { snapshots } = await store.catalog(generation);
  const snapshot = snapshots.findLast(({ record }) => record !== undefined);
  if (snapshot?.record === undefined) return false;
  const end = await store.end(generation);
  const reached = [{ generation, index: snapshot.stateIndex ?? snapshot.index, offset: snapshot.record.end }];
  if (end !== undefined) reached.push({ generation, index: end.index, offset: end.offset });
  return reached.some((position) => comparePositions(position, wanted) >= 0);
}
