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

/** Where a trial writes, and `keep` leaves what it wrote. */
export function restoredPath(folder: string): string {
  return `${folder}/restored.db`;
}

export class Trials {
  readonly #replica: RestoreReplica;
  readonly #tools: TrialTools;
  readonly #path: string;
  /** To give a large file back takes the system a while, in which other work goes on. */
  #removal: Promise<void> = Promise.resolve();

  constructor(replica: RestoreReplica, tools: TrialTools) {
    this.#replica = replica;
    this.#tools = tools;
    this.#path = restoredPath(tools.folder);
  }

  /** `look` is shown what was restored, before it is removed. */
  async run(
    target: RestoreTarget,
    look?: (path: string) => Promise<void>,
    observe?: TrialTools["observe"],
  ): Promise<Trial> {
    const startedMs = this.#tools.clock.monotonicMs();
    await this.settle();
    await this.#remove();
    try {
      const request = { replicas: [this.#replica], target, output: this.#path, force: false };
      const { plan, checksum, durationMs } = await restore(request, { ...this.#tools, observe });
      await look?.(this.#path);
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
        return { kind: "unequal", error, durationMs: this.#tools.clock.monotonicMs() - startedMs };
      }
      return { kind: "refused", error };
    } finally {
      if (!this.#tools.keep) this.#removal = this.#remove();
      this.#removal.catch(() => {}); // Whoever waits for it hears of it.
    }
  }

  /** Resolves when what was restored last is gone. */
  settle(): Promise<void> {
    return this.#removal;
  }

  async #remove(): Promise<void> {
    const { files } = this.#tools;
    if (files.linkStatus(this.#path) !== undefined) await files.removeLater(this.#path);
  }
}
