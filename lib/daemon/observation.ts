/** How a database and its replicas are at this moment, as their parts say it. Opens no file of the database. */
import { limits } from "../base/limits.ts";
import type { DatabaseConfig } from "../config/config.ts";
import type { WatchedDatabase } from "../database/database.ts";
import { realStatePath } from "../database/state_folder.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { FileReplicator } from "../replica/file_replicator.ts";
import { recallProof } from "../verify/proof_memory.ts";
import type { DatabaseFacts } from "./health.ts";
import { realPathOf } from "./status.ts";

/** `replicators` are those of the config's replicas, in its order. */
export function factsOf(
  files: FileSystem,
  config: DatabaseConfig,
  database: WatchedDatabase,
  replicators: readonly FileReplicator[],
): DatabaseFacts {
  const real = realPathOf(files, config.path);
  const statePath = realStatePath(config.statePath, config.path, real);
  const { isOpening, trouble, absence, absentMs, unseenMs } = database;
  return {
    path: config.path,
    isOpening,
    trouble,
    advice: database.refusal?.advice,
    absence,
    absentMs,
    absentAfterMs: config.absentAfterMs,
    unseenMs,
    monitorIntervalMs: config.monitorIntervalMs,
    position: database.position(),
    databaseBytes: files.status(real)?.size,
    walBytes: files.status(`${real}-wal`)?.size,
    replicas: config.replicas.flatMap(({ name, url, path, syncIntervalMs = limits.objectSyncIntervalMs }, slot) => {
      const replicator = replicators[slot];
      if (replicator === undefined) return [];
      const { position, isSnapshotting, pulse, look, trouble, upkeepTrouble, advice } = replicator;
      const proof = recallProof(files, statePath, path);
      const troubles = { trouble, upkeepTrouble, advice };
      return [{ name, url, position, isSnapshotting, pulse, look, ...troubles, syncIntervalMs, proof }];
    }),
  };
}
