/**
 * What a replica needs besides its WAL: a snapshot now and then, and retention. The replicator's own loop does it between
 * two syncs, so that nothing races with its appends, and goes on syncing meanwhile. None of it makes a sync fail: an error
 * is logged and tried again at the next interval.
 */
import { adviceIn, messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { DatabaseSource } from "../database/source.ts";
import type { Clock } from "../platform/clock.ts";
import type { Generation } from "../position/generation.ts";
import { asOffset, type Index, type Offset } from "../position/position.ts";
import type { GenerationCatalog, GenerationStore, WrittenSnapshot } from "../store/generation_store.ts";
import { snapshotState } from "../store/snapshot_state.ts";
import { applyRetention, type DeletionOutcome, lookAtRetention, type RetentionTools } from "./retention.ts";
import { decideSnapshot } from "./snapshot_schedule.ts";

export interface UpkeepPolicy {
  /** 0: nothing is ever removed. */
  readonly retentionMs: number;
  readonly retentionCheckIntervalMs: number;
  /** 0: no snapshot because of age. */
  readonly snapshotIntervalMs: number;
}

export interface UpkeepOptions {
  readonly policy: UpkeepPolicy;
  readonly store: GenerationStore;
  readonly source: Pick<DatabaseSource, "generation" | "position">;
  readonly clock: Clock;
  readonly log: Logger;
  /** Makes one of the present generation; throws `cancelled` when the signal says so. */
  readonly snapshot: (generation: Generation, reason: string, signal: AbortSignal) => Promise<WrittenSnapshot>;
  /** Replicates what was captured meanwhile. */
  readonly sync: () => Promise<void>;
}

/** The snapshots that the replica holds of one generation. */
interface Held {
  readonly generation: Generation;
  readonly newest:
    | { readonly index: Index; readonly offset: Offset; readonly capturedAtMs: number; readonly knownSinceMs: number }
    | undefined;
  /** The newest name that may not be used again. */
  readonly takenName: Index | undefined;
}

type Act = "retention" | "snapshot";

/** Said of what had failed before. */
const SUCCEEDED: Readonly<Record<Act, string>> = {
  retention: "Retention succeeded again",
  snapshot: "A snapshot succeeded again",
};

export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #checksRetention: boolean;
  #nextCheckMs = Infinity;
  /** After a snapshot that failed. */
  #noSnapshotBeforeMs = -Infinity;
  #held: Held | undefined;
  #wish: string | undefined;
  #saidPostponed: string | undefined;
  readonly #troubles = new Map<Act, unknown>();

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#checksRetention = options.policy.retentionMs > 0;
  }

  /** What went wrong last, and was not done since. */
  get trouble(): string | undefined {
    return this.#troubles.size === 0 ? undefined : messageOf(this.#lastTrouble);
  }

  get advice(): string | undefined {
    return adviceIn(this.#lastTrouble);
  }

  get #lastTrouble(): unknown {
    return [...this.#troubles.values()].at(-1);
  }

  /** The first retention check follows one interval after this. */
  start(): void {
    this.#nextCheckMs = this.#checksRetention ? this.#inOneInterval() : Infinity;
    this.#noSnapshotBeforeMs = -Infinity;
  }

  noteHeld(catalog: GenerationCatalog): void {
    const { generation, snapshots } = catalog;
    if (this.#held?.generation !== generation) this.#wish = undefined;
    const newest = snapshots.findLast((entry) =>
      entry.isUnread === true || snapshotState(catalog, entry).kind === "whole"
    );
    const taken = snapshots.findLast(({ recordMissing }) => recordMissing !== true);
    this.#held = {
      generation,
      newest: newest &&
        this.#known(
          newest.stateIndex ?? newest.index,
          newest.record?.end ?? asOffset(0),
          newest.record?.capturedAtMs ?? newest.createdAtMs,
        ),
      takenName: taken?.index,
    };
  }

  noteWritten(generation: Generation, { index, stateIndex, record }: WrittenSnapshot): void {
    this.#held = { generation, newest: this.#known(stateIndex, record.end, record.capturedAtMs), takenName: index };
    this.#wish = undefined;
    this.#noteDone("snapshot");
  }

  /** Until something may be due that no change of the database announces. */
  dueInMs(): number {
    const nowMs = this.#options.clock.monotonicMs();
    const snapshotInMs = this.#noSnapshotBeforeMs > nowMs ? this.#noSnapshotBeforeMs - nowMs : this.#snapshotInMs();
    return Math.max(0, Math.min(this.#nextCheckMs - nowMs, snapshotInMs));
  }

  /** Whether all went well; if not, what was between the syncs may have been a failed sync. */
  async run(signal: AbortSignal): Promise<boolean> {
    return await this.#retainIfDue(signal, () => this.#options.sync()) && await this.#snapshotIfDue(signal);
  }

  /** For a replica without space: only what makes some, if it is time for that. */
  async makeSpace(signal: AbortSignal): Promise<void> {
    await this.#retainIfDue(signal, () => Promise.resolve());
  }

  async #retainIfDue(signal: AbortSignal, between: () => Promise<void>): Promise<boolean> {
    const { clock, source } = this.#options;
    if (signal.aborted || clock.monotonicMs() < this.#nextCheckMs || source.generation() === undefined) return true;
    this.#nextCheckMs = this.#inOneInterval();
    return await this.#attempt("retention", signal, () => this.#retain(signal, between));
  }

  async #retain(signal: AbortSignal, between: () => Promise<void>): Promise<void> {
    const { store, policy, source, clock, log } = this.#options;
    const done = new RetentionLog(log);
    const tools: RetentionTools = {
      store,
      policy,
      nowMs: () => clock.now().getTime(),
      own: () => source.generation(),
      signal,
      note: (outcome) => {
        done.note(outcome);
        return between();
      },
    };
    const plan = await lookAtRetention(tools);
    this.#wish = plan.snapshotDue?.reason;
    try {
      await applyRetention(plan, tools);
    } finally {
      done.close();
    }
  }

  async #snapshotIfDue(signal: AbortSignal): Promise<boolean> {
    const { clock, source, policy, snapshot } = this.#options;
    const generation = source.generation();
    const captured = source.position();
    const held = this.#held;
    if (signal.aborted || clock.monotonicMs() < this.#noSnapshotBeforeMs) return true;
    if (captured === undefined || held === undefined || held.generation !== generation) return true;
    const decision = decideSnapshot({
      newest: held.newest && { ...held.newest, knownForMs: clock.monotonicMs() - held.newest.knownSinceMs },
      captured,
      capturedIndexIsTaken: held.takenName !== undefined && held.takenName >= captured.index,
      nowMs: clock.now().getTime(),
      snapshotIntervalMs: policy.snapshotIntervalMs,
      wish: this.#wish,
    });
    if (decision.kind === "postponed") this.#sayPostponed(decision.reason);
    if (decision.kind !== "snapshot") return true;
    this.#noSnapshotBeforeMs = this.#inOneInterval();
    const isMade = await this.#attempt("snapshot", signal, async () => {
      this.noteWritten(generation, await snapshot(generation, decision.reason, signal));
    });
    if (isMade) this.#noSnapshotBeforeMs = -Infinity;
    return isMade;
  }

  async #attempt(act: Act, signal: AbortSignal, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.#noteDone(act);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const seconds = Math.round(this.#options.policy.retentionCheckIntervalMs / 1_000);
      this.#troubles.set(act, error);
      const fields = { act, tried_again_in_seconds: seconds, advice: adviceIn(error) };
      this.#options.log.error(messageOf(error), fields, "upkeep-failed");
      return false;
    }
  }

  #noteDone(act: Act): void {
    if (this.#troubles.delete(act)) this.#options.log.info(SUCCEEDED[act], { act }, "upkeep-recovered");
  }

  #sayPostponed(reason: string): void {
    if (this.#saidPostponed !== reason) this.#options.log.debug("A snapshot is due, and postponed", { reason });
    this.#saidPostponed = reason;
  }

  /** Infinity when it is overdue as well: then a change is what it waits for. */
  #snapshotInMs(): number {
    const { clock, policy } = this.#options;
    const newest = this.#held?.newest;
    if (policy.snapshotIntervalMs <= 0 || newest === undefined) return Infinity;
    const ageMs = Math.max(
      clock.now().getTime() - newest.capturedAtMs,
      clock.monotonicMs() - newest.knownSinceMs,
    );
    return ageMs < policy.snapshotIntervalMs ? policy.snapshotIntervalMs - ageMs : Infinity;
  }

  #known(index: Index, offset: Offset, capturedAtMs: number): Held["newest"] {
    const before = this.#held?.newest;
    const isKnown = before?.index === index && before.offset === offset && before.capturedAtMs === capturedAtMs;
    return isKnown ? before : { index, offset, capturedAtMs, knownSinceMs: this.#options.clock.monotonicMs() };
  }

  #inOneInterval(): number {
    return this.#options.clock.monotonicMs() + this.#options.policy.retentionCheckIntervalMs;
  }
}

/** One line for all objects of our generation, one for each other generation. */
class RetentionLog {
  readonly #log: Logger;
  #snapshots = 0;
  #wals = 0;
  #bytes = 0;
  #reason: string | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  note(outcome: DeletionOutcome): void {
    const { kind, generation, sizeBytes, reason } = outcome.deletion;
    if (outcome.kind === "skipped") {
      this.#log.info("Retention let it stay", { kind, generation, reason: outcome.reason });
    } else if (kind === "generation") {
      this.#log.info("Retention removed a generation", { generation, bytes: sizeBytes, reason });
    } else {
      if (kind === "snapshot") this.#snapshots++;
      else this.#wals++;
      this.#bytes += sizeBytes;
      this.#reason = reason;
    }
  }

  close(): void {
    if (this.#reason === undefined) return;
    this.#log.info("Retention removed what is too old", {
      snapshots: this.#snapshots,
      wal_indexes: this.#wals,
      bytes: this.#bytes,
      reason: this.#reason,
    });
  }
}
