/** Restores one point into the scratch folder, compares it with the source's checksum, and removes it again. */
import { ReplicationError } from "../base/errors.ts";
import type { Place } from "../pages/page_table_header.ts";
import type { RestoreReplica } from "../restore/choose.ts";
import { restore, type RestoreTools } from "../restore/restore.ts";
import type { RestoreTarget } from "../restore/target.ts";
import { WrongChecksum } from "../restore/wrong_checksum.ts";
import type { InspectionOrder, InspectionResult } from "../sqlite/inspection.ts";
import type { ReportedPoint } from "./report.ts";

export interface TrialTools extends RestoreTools {
  /** Where databases are written, and removed again. */
  readonly folder: string;
  /** Whether the last one stays there. */
  readonly keep: boolean;
  /** Looks inside a database that was restored; absent where nobody can. */
  readonly inspect?: (order: InspectionOrder, signal: AbortSignal) => Promise<InspectionResult>;
  /** Aborted when there is no more time; `signal` is then too. */
  readonly deadline?: AbortSignal;
}

export interface Restored {
  readonly kind: "restored";
  readonly point: ReportedPoint;
  readonly bytes: number;
  readonly durationMs: number;
  readonly isCompared: boolean;
  readonly confirmedAt?: Place;
}

export type Trial =
  | Restored
  /** Everything that was read is as its own sums say, and what it makes is not the source's database. */
  | { readonly kind: "unequal"; readonly error: WrongChecksum; readonly durationMs: number }
  | { readonly kind: "refused"; readonly error: ReplicationError };

/** `look` is shown what was restored, before it is removed. */
export async function tryRestore(
  replica: RestoreReplica,
  target: RestoreTarget,
  tools: TrialTools,
  look?: (path: string) => Promise<void>,
): Promise<Trial> {
  const startedMs = tools.clock.monotonicMs();
  const path = `${tools.folder}/restored.db`;
  removeIfThere(tools, path);
  try {
    const request = { replicas: [replica], target, output: path, force: false };
    const { plan, checksum, durationMs } = await restore(request, tools);
    await look?.(path);
    const { generation, end, databaseBytes } = plan;
    const { index, offset, capturedAtMs, confirmedAt } = end;
    return {
      kind: "restored",
      point: { position: { generation, index, offset }, capturedAtMs },
      bytes: databaseBytes,
      durationMs,
      isCompared: checksum === "equal",
      ...(confirmedAt === undefined ? {} : { confirmedAt }),
    };
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.code === "cancelled") throw error;
    if (error instanceof WrongChecksum) {
      return { kind: "unequal", error, durationMs: tools.clock.monotonicMs() - startedMs };
    }
    return { kind: "refused", error };
  } finally {
    if (!tools.keep) removeIfThere(tools, path);
  }
}

function removeIfThere({ files }: TrialTools, path: string): void {
  if (files.linkStatus(path) !== undefined) files.remove(path);
}
