/**
 * `--once` beside a running daemon: asks it, and waits until it says that the replicas hold what was committed when it was
 * asked, and the replicas show it. What the state directory says by itself is not believed: it may be of a life before this one.
 */
import { ReplicationError } from "../base/errors.ts";
import type { DatabaseConfig } from "../config/config.ts";
import { capturedEnd } from "../database/shadow_files.ts";
import type { WalIndexHeader } from "../database/wal_index.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { lockHolder } from "../platform/open_files.ts";
import type { Platform } from "../platform/platform.ts";
import type { Generation } from "../position/generation.ts";
import { formatRawName, parseRawName } from "../position/keys.ts";
import { asIndex, asOffset, comparePositions, type Index, type Position } from "../position/position.ts";
import { brokenBecause } from "../restore/reach.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import type { DaemonAnswer } from "./answer_document.ts";
import { askDaemon } from "./ask.ts";
import { openReplica } from "./open_replica.ts";
import { statePathOf } from "./status.ts";
import { offsetAfter } from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE } from "../wal/header.ts";
import { equalSalts } from "../wal/salt.ts";

const PATIENCE_MS = 30_000;
const LOOK_AGAIN_MS = 20;
const LOOK_AGAIN_MAX_MS = 250;
/** One question; whether somebody is still there is looked at between two. */
const ANSWER_PATIENCE_MS = 1_000;

/** `held`: by every replica. `left`: the process that replicated the database has ended, and this one may take it up. */
export async function awaitDaemonOf(
  platform: Platform,
  config: DatabaseConfig,
  { patienceMs = PATIENCE_MS, signal }: { readonly patienceMs?: number; readonly signal?: AbortSignal } = {},
): Promise<"held" | "left"> {
  const { clock, files } = platform;
  const stores = config.replicas.map((replica) => openReplica(files, replica));
  const statePath = statePathOf(files, config);
  const start = clock.monotonicMs();
  let pauseMs = LOOK_AGAIN_MS;
  let wanted: Position | undefined;
  let problem = "";
  do {
    const asked = await askDaemon(platform, statePath, Math.min(patienceMs, ANSWER_PATIENCE_MS), signal);
    if (asked.kind === "answer") {
      const { answer } = asked;
      // A generation may end: then what is captured by now is wanted, in the new one.
      if (wanted?.generation !== answer.captured?.generation) wanted = answer.captured;
      if (wanted !== undefined && isConfirmed(answer, config, wanted) && await areHeld(stores, wanted)) return "held";
      problem = problemIn(answer, config);
    } else if (asked.kind === "none" && lockHolder(`${statePath}/lock`) === undefined) return "left";
    await clock.sleep(pauseMs, signal);
    if (signal?.aborted === true) {
      const text = "it was interrupted while another process replicates it";
      throw new ReplicationError("cancelled", `Cannot wait for ${config.path}: ${text}`);
    }
    pauseMs = Math.min(2 * pauseMs, LOOK_AGAIN_MAX_MS);
  } while (clock.monotonicMs() - start < patienceMs);
  const seconds = patienceMs / 1_000;
  const text = `the process that replicates it did not finish within ${seconds} s`;
  throw new ReplicationError("busy", `Cannot replicate ${config.path} once: ${text}${problem && ` (${problem})`}`);
}

/** Whether the process that answered has found in its own life that each of these replicas holds that. */
function isConfirmed({ replicas }: DaemonAnswer, config: DatabaseConfig, wanted: Position): boolean {
  return config.replicas.every(({ url }) => {
    const position = replicas.find((replica) => replica.url === url)?.position;
    return position?.generation === wanted.generation && comparePositions(position, wanted) >= 0;
  });
}

function problemIn(answer: DaemonAnswer, config: DatabaseConfig): string {
  const own = answer.replicas.filter(({ url }) => config.replicas.some((replica) => replica.url === url));
  return [answer, ...own].find(({ problem }) => problem !== undefined)?.problem ?? "";
}

/**
 * The position that the running daemon gives to what was committed; undefined until it has captured that. `generation` is
 * the one that the daemon answered with: until then the state is of another life.
 */
export function locate(
  files: FileSystem,
  statePath: string,
  generation: Generation,
  committed: WalIndexHeader,
): Position | undefined {
  const folder = `${statePath}/shadow/${generation}`;
  if (files.status(folder) === undefined) return undefined;
  const indexes = files.list(folder).map((name) => parseRawName(name, "wal")).filter((index) => index !== undefined);
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

/** A generation counts once it has a snapshot, from which all leads to its end; one that was taken there needs no WAL. */
export async function isHeld(store: GenerationStore, wanted: Position): Promise<boolean> {
  const { generation } = wanted;
  const catalog = await store.catalog(generation);
  if (brokenBecause(catalog) !== undefined) return false;
  const snapshot = catalog.snapshots.findLast(({ record }) => record !== undefined);
  if (snapshot?.record === undefined) return false;
  const end = await store.end(generation);
  const reached = [{ generation, index: snapshot.stateIndex ?? snapshot.index, offset: snapshot.record.end }];
  if (end !== undefined) reached.push({ generation, index: end.index, offset: end.offset });
  // Of an index that has just begun, nothing stands on a replica.
  if (end?.closed === true) reached.push({ generation, index: asIndex(end.index + 1), offset: asOffset(0) });
  return reached.some((position) => comparePositions(position, wanted) >= 0);
}
