/**
 * Keeps one file replica of one database. *Start* first stops what ran before; *stop* cancels and waits until the work has
 * ended. It starts in the snapshotting state, which keeps checkpoints away, and leaves that state once a snapshot is known
 * to exist, on errors too.
 */
import { assert } from "../base/assert.ts";
import { adviceIn, isRetryable, messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { DatabaseSource, ShadowClaim } from "../database/source.ts";
import type { Clock } from "../platform/clock.ts";
import { isSameTrouble } from "../platform/file_error.ts";
import type { Generation } from "../position/generation.ts";
import { comparePositions, formatPosition, type Position } from "../position/position.ts";
import type {
  BringWal,
  GenerationStore,
  ReplicaEnd,
  SnapshotImage,
  WrittenSnapshot,
} from "../store/generation_store.ts";
import { AskedSnapshots } from "./asked_snapshots.ts";
import { Backoff } from "./backoff.ts";
import { expectReplica } from "./presence.ts";
import { newestInCatalogMs } from "../store/newest.ts";
import { Pulse, type PulseFacts } from "./pulse.ts";
import { withTurns } from "./image_turns.ts";
import { catchUp } from "./catch_up.ts";
import { settledOrDue } from "./settled_or_due.ts";
import { type LookFacts, ReplicaLook } from "./replica_look.ts";
import { decideStart } from "./start_decision.ts";
import { gatherStart, type Start } from "./start_facts.ts";
import { Upkeep, type UpkeepPolicy } from "./upkeep.ts";
import { WalCopier } from "./wal_copier.ts";

type Damaged = Extract<Start, { readonly kind: "damaged" }>;

export interface FileReplicatorOptions {
  /** The type when none is set. */
  readonly name?: string;
  readonly source: DatabaseSource;
  readonly store: GenerationStore;
  /** Where the replica is: one string for one place, remembered in the state. */
  readonly place: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Pause between two syncs; 0: as soon as a commit is seen; undefined: as the replica's layout has it. */
  readonly syncIntervalMs: number | undefined;
  /** Between two looks at what it holds; undefined: the default. */
  readonly checkIntervalMs?: number;
  /** Snapshots now and then, and retention; neither when it is absent. */
  readonly upkeep?: UpkeepPolicy;
  /** What is being written is broken off when it is aborted, and nothing is written any more. */
  readonly cancelled?: AbortSignal;
}

/** What becomes of a last sync that has failed. */
export interface LastTries {
  /** Aborted when no time is left. */
  readonly signal: AbortSignal;
  /** Whether it shall be tried again, after a pause. The error, if there was one, is why it must be. */
  again(error: unknown): Promise<boolean>;
}

const ONE_TRY: LastTries = { signal: AbortSignal.abort(), again: () => Promise.resolve(false) };

export class FileReplicator {
  readonly name: string;
  readonly type = "file";
  readonly #source: DatabaseSource;
  readonly #store: GenerationStore;
  readonly #place: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #syncIntervalMs: number | undefined;
  #running: AbortController | undefined;
  #finished: Promise<void> = Promise.resolve();
  #claim: ShadowClaim | undefined;
  #resumeCheckpoints: (() => void) | undefined;
  #trouble: string | undefined;
  #advice: string | undefined;
  readonly #asked = new AskedSnapshots();
  #snapshotsMade = 0;
  readonly #upkeep: Upkeep | undefined;
  readonly #pulse: Pulse;
  readonly #copier: WalCopier;
  readonly #look: ReplicaLook;
  readonly #cancelled: AbortSignal | undefined;

  constructor(options: FileReplicatorOptions) {
    this.name = options.name ?? "file";
    this.#source = options.source;
    this.#store = options.store;
    this.#place = options.place;
    this.#clock = options.clock;
    this.#log = options.log.with({ database: options.source.path, replica: this.name });
    this.#syncIntervalMs = options.syncIntervalMs;
    this.#pulse = new Pulse(options.clock);
    this.#cancelled = options.cancelled;
    this.#copier = new WalCopier({
      ...options,
      log: this.#log,
      pulse: this.#pulse,
      turn: () => this.#refuseCancelled(),
      moved: (position) => this.#claim?.need(position),
      beginAnew: (reason) => this.#beginAnew(reason),
    });
    this.#look = new ReplicaLook({
      ...options,
      log: this.#log,
      intervalMs: options.checkIntervalMs ?? limits.replicaCheckMs,
      expectReplica: () => expectReplica(options.source, options.store, options.place),
    });
    this.#upkeep = options.upkeep && new Upkeep({
      policy: options.upkeep,
      store: options.store,
      source: options.source,
      clock: options.clock,
      log: this.#log,
      snapshot: (generation, reason, signal) => this.#snapshotAgain(generation, reason, signal),
      sync: () => this.#sync(),
    });
  }

  /** The end of what is durable on the replica. */
  get position(): Position | undefined {
    return this.#copier.position;
  }

  get isSnapshotting(): boolean {
    return this.#resumeCheckpoints !== undefined;
  }

  /** What keeps it from what was captured; undefined while all is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** What of its upkeep failed, and was not done since. */
  get upkeepTrouble(): string | undefined {
    return this.#upkeep?.trouble;
  }

  /** What to do about its trouble, or that of its upkeep. */
  get advice(): string | undefined {
    return this.#trouble === undefined ? this.#upkeep?.advice : this.#advice;
  }

  /** What was found when it was looked at. */
  get look(): LookFacts {
    return this.#look.facts;
  }

  get pulse(): PulseFacts {
    return this.#pulse.facts();
  }

  /** How many snapshots it has made, of any reason. */
  get snapshotsMade(): number {
    return this.#snapshotsMade;
  }

  /** One that was made after so many, where it is on the replica by then; else one more is made. */
  makeSnapshot(madeBefore: number): Promise<Position> {
    if (this.#cancelled?.aborted === true) return Promise.reject(cancelled());
    return this.#asked.ask(madeBefore);
  }

  /** Whether the present index has one, or a later: a snapshot is never replaced, whatever state it is in. */
  async isSnapshotNameTaken(): Promise<boolean> {
    const captured = this.#source.position();
    if (captured === undefined) throw notFollowed();
    const { snapshots } = await this.#store.catalog(captured.generation);
    return snapshots.some(({ index, recordMissing }) => index >= captured.index && recordMissing !== true);
  }

  async start(): Promise<void> {
    await this.stop();
    this.#running = new AbortController();
    this.#asked.open();
    this.#pulse.noteMove();
    this.#claim = this.#source.claim();
    this.#resumeCheckpoints = this.#source.pauseCheckpoints();
    this.#upkeep?.start();
    this.#finished = this.#run(this.#running.signal);
  }

  async stop(): Promise<void> {
    this.#running?.abort();
    await this.#finished;
    this.#asked.close(stopped());
    await this.#rest();
    this.#leaveSnapshotting();
    this.#claim?.release();
    this.#claim = undefined;
    this.#copier.forget();
  }

  /**
   * Stops the loop, then syncs to at least the given position, as often as the tries allow; whether the replica holds it.
   * Throws what keeps it from that.
   */
  async finish(wanted: Position | undefined, tries: LastTries = ONE_TRY): Promise<boolean> {
    this.#running?.abort();
    await this.#finished;
    this.#asked.close(stopped());
    for (;;) {
      let failure: unknown;
      try {
        while (await this.#reach(wanted)) if (await this.#isHeldAtLast()) return true;
      } catch (error) {
        failure = error;
        this.#copier.forget(); // What the replica holds now is looked up anew.
        await this.#rest();
        if (error instanceof ReplicationError && error.code === "no-space") await this.#upkeep?.makeSpace(tries.signal);
      }
      if (wanted !== undefined && await tries.again(failure)) continue;
      if (failure !== undefined) throw failure;
      return false;
    }
  }

  async #reach(wanted: Position | undefined): Promise<boolean> {
    do {
      const before = this.position;
      await this.#sync(wanted);
      if (this.position === before) break;
    } while (wanted !== undefined && !this.#holds(wanted));
    return wanted !== undefined && this.#holds(wanted);
  }

  #holds(wanted: Position): boolean {
    const position = this.position;
    // A generation that began meanwhile begins with all of it.
    return position !== undefined &&
      (position.generation !== wanted.generation || comparePositions(position, wanted) >= 0);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(this.#clock, limits.retryMinMs, limits.retryMaxMs);
    while (!signal.aborted) {
      // Taken before work begins, so that no change is lost; the first pass waits for none.
      const changed = this.#source.changed();
      const generation = this.#source.generation();
      this.#lookBehind();
      try {
        await this.#sync();
        this.#lookBehind();
        if (!await this.#isHeld()) continue;
        this.#noteSuccess(backoff);
        this.#asked.noteSuccess();
        await this.#makeAsked(signal);
        if (await this.#upkeep?.run(signal) === false) continue; // A sync may have failed in it.
        await this.#changedOrDue(this.#asked.orAsked(changed), signal);
        this.#lookBehind();
        const pauseMs = await this.#pauseMs();
        if (pauseMs > 0) await this.#clock.sleep(pauseMs, signal);
      } catch (error) {
        if (this.#cancelled?.aborted === true) break;
        const present = this.#source.generation();
        // What began under a sync takes the shadow WAL of the one before it away, and is brought next.
        if (present !== undefined && present !== generation && isRetryable(error)) {
          this.#copier.forget();
          continue;
        }
        if (present === undefined) this.#copier.forget(); // The database has let go, and says why itself.
        else this.#noteFailure(error, backoff);
        if (error instanceof ReplicationError) this.#asked.noteFailure(error);
        await this.#rest();
        if (error instanceof ReplicationError && error.code === "no-space") await this.#upkeep?.makeSpace(signal);
        await this.#clock.sleep(backoff.nextMs(), signal); // And on it goes, without waiting for a change.
      }
    }
    if (this.#cancelled?.aborted === true) this.#asked.close(cancelled());
  }

  /** A replica at rest keeps no file open. */
  async #changedOrDue(changed: Promise<void>, signal: AbortSignal): Promise<void> {
    const dueMs = () =>
      Math.min(this.#upkeep?.dueInMs() ?? Infinity, this.#isFollowed ? this.#look.dueInMs() : Infinity);
    const isChanged = await settledOrDue(this.#clock, changed, Math.min(dueMs(), limits.replicaRestsAfterMs), signal);
    if (isChanged || signal.aborted) return;
    await this.#rest();
    await settledOrDue(this.#clock, changed, dueMs(), signal);
  }

  get #isFollowed(): boolean {
    const written = this.#copier.written;
    return written !== undefined && written.generation === this.#source.generation();
  }

  /** Between two syncs: whether it holds what was written. If not, the next sync finds where it stands, and mends it. */
  async #isHeld(): Promise<boolean> {
    const written = this.#copier.written;
    if (written === undefined || !this.#isFollowed || (!this.#look.isDue && this.#asked.isEmpty)) return true;
    const outcome = await this.#look.look(written);
    switch (outcome.kind) {
      case "well":
      case "given-up":
        return true;
      case "beyond-repair":
        await this.#beginAnew(outcome.reason);
        break;
      case "harmed":
        break;
    }
    this.#copier.forget();
    return false;
  }

  /** What was harmed since the last look is mended once more. Where nobody can look, what was written counts. */
  async #isHeldAtLast(): Promise<boolean> {
    try {
      this.#look.hasten();
      if (!await this.#isHeld()) return false;
    } catch (error) {
      if (!isRetryable(error)) throw error;
    }
    const { brokenBecause } = this.#look.facts;
    if (brokenBecause === undefined) return true;
    const what = `Cannot rely on ${this.#store.description}: it can no longer be restored to its end`;
    throw new ReplicationError("gap", `${what}: ${brokenBecause}`);
  }

  async #rest(): Promise<void> {
    try {
      await this.#store.rest?.();
    } catch (error) {
      this.#log.warn("A file of the replica cannot be closed", { reason: messageOf(error) }); // It is synced.
    }
  }

  #lookBehind(): void {
    this.#pulse.look(this.#source.position(), this.position);
  }

  /** Where each sync makes an object of its own, as many a second would be of use to nobody. */
  async #pauseMs(): Promise<number> {
    const generation = this.position?.generation;
    if (this.#syncIntervalMs !== undefined || generation === undefined) return this.#syncIntervalMs ?? 0;
    return await this.#store.layoutFor(generation) === "raw" ? 0 : limits.objectSyncIntervalMs;
  }

  /** To what is captured now; or not far beyond a position, while an application that never pauses goes on writing. */
  async #sync(until?: Position): Promise<void> {
    this.#refuseCancelled();
    const generation = this.#source.generation();
    if (generation === undefined) return; // A state to wait in, not an error.
    try {
      if (this.position?.generation !== generation) await this.#findPosition(generation);
      await this.#copier.copyCaptured(until);
    } catch (error) {
      if (!(error instanceof ReplicationError) || error.code !== "contested") throw error;
      // Two copies of one state, as of a cloned machine: what each of them captures stands by itself.
      this.#copier.forget();
      await this.#rest();
      await this.#beginAnew(error.message);
      await this.#sync(until);
    }
  }

  async #findPosition(generation: Generation): Promise<void> {
    this.#copier.forget();
    await expectReplica(this.#source, this.#store, this.#place);
    const catalog = await this.#look.catalogAnew(generation);
    if (catalog.snapshots.length + catalog.wals.length === 0 && await this.#beginLater(generation)) {
      return await this.#findPosition(this.#source.generation() ?? generation);
    }
    this.#upkeep?.noteHeld(catalog);
    const start = await gatherStart(this.#source, this.#store, this.#place, catalog);
    if (start === undefined) return;
    if (start.kind === "facts" && start.facts.brokenBecause !== undefined) {
      this.#look.noteBroken(start.facts.brokenBecause, catalog);
    }
    if (start.kind === "damaged") {
      await this.#cut(generation, start);
      return await this.#findPosition(generation);
    }
    const end = start.kind === "facts" ? start.end : undefined;
    const decision = start.kind === "facts"
      ? decideStart(start.facts)
      : { kind: "new-generation", reason: start.reason } as const;
    switch (decision.kind) {
      case "continue": {
        const isAtEnd = decision.index === end?.index;
        await this.#copier.continueAt(
          { generation, index: decision.index, offset: decision.offset },
          isAtEnd ? end : undefined,
        );
        break;
      }
      case "catch-up":
        await this.#catchUp(generation, decision.reason, start);
        break;
      case "snapshot": {
        const agrees = start.kind === "facts" && start.facts.agrees === true;
        await this.#snapshot(generation, decision.reason, agrees ? end : undefined);
        break;
      }
      case "new-generation":
        await this.#beginAnew(decision.reason);
        return await this.#findPosition(this.#source.generation() ?? generation);
    }
    this.#leaveSnapshotting();
  }

  /**
   * A restore goes by the newest time. What stands there of another generation and ends in the future, as of a clock that was
   * ahead then or is behind now, would be the newest for as long; unless what is written from now on is later still.
   */
  async #beginLater(generation: Generation): Promise<boolean> {
    const nowMs = this.#clock.now().getTime();
    let latestMs = -Infinity;
    for (const other of await this.#store.generations()) {
      if (other !== generation) latestMs = Math.max(latestMs, await this.#newestMs(other));
    }
    if (latestMs <= nowMs || latestMs <= this.#source.notBeforeMs()) return false;
    await this.#source.rememberTime(latestMs);
    await this.#beginAnew(
      `the replica holds a generation that ends in the future, at ${new Date(latestMs).toISOString()}`,
    );
    return true;
  }

  /** -Infinity of one that cannot be read, which no restore takes either. */
  async #newestMs(generation: Generation): Promise<number> {
    try {
      return newestInCatalogMs(await this.#store.catalog(generation));
    } catch (error) {
      if (!(error instanceof ReplicationError) || isRetryable(error)) throw error;
      return -Infinity;
    }
  }

  /** What is damaged at the replica's end is taken back, to be written again. */
  async #cut(generation: Generation, { entry, offset, damage }: Damaged): Promise<void> {
    this.#log.warn("The end of the replica is damaged, and is replaced", {
      from: formatPosition({ generation, index: entry.index, offset }),
      reason: damage,
    });
    await this.#store.cutWal(generation, entry.index, offset);
    this.#look.noteCut();
  }

  /** The pages that changed since the replica's end, then the present index. */
  async #catchUp(generation: Generation, reason: string, start: Start): Promise<void> {
    const { end, behind } = start.kind === "facts" ? start : {};
    assert(end !== undefined && behind !== undefined, "the replica is behind");
    const began = this.#clock.monotonicMs();
    const turn = () => this.#refuseCancelled();
    this.#log.info("Catching up by the pages that changed", { reason, pages: behind.changes.pages });
    const { index, joined, pages, bytes } = await catchUp({ store: this.#store, generation, end, ...behind, turn });
    await this.#copier.continueAtIndex(generation, index);
    this.#copier.join(joined);
    this.#look.notePassedOver({ generation, index: end.index, offset: end.offset }, {
      generation,
      index,
      offset: joined.offset,
    });
    const seconds = Math.round(this.#clock.monotonicMs() - began) / 1_000;
    const position = formatPosition({ generation, index, offset: joined.offset });
    this.#log.info("Caught up", { position, pages, bytes, seconds });
  }

  /** Neither side can be continued from: what is captured from now on stands beside what the replica holds. */
  async #beginAnew(reason: string): Promise<void> {
    this.#log.warn("A new generation is needed", { reason });
    await this.#source.startGeneration(reason);
  }

  /** Made when the generation has none that can be continued from, at the captured index; one that exists is never made again. */
  async #snapshot(generation: Generation, reason: string, end: ReplicaEnd | undefined): Promise<void> {
    this.#resumeCheckpoints ??= this.#source.pauseCheckpoints();
    try {
      const bringWal = (written: WrittenSnapshot) => this.#bringWal(generation, written, end);
      const written = await this.#writeSnapshot(generation, reason, this.#source.image(), bringWal);
      this.#upkeep?.noteWritten(generation, written);
      if (this.position === undefined) await this.#copier.continueBehind(generation, end, written.index);
    } finally {
      this.#leaveSnapshotting();
    }
  }

  async #writeSnapshot(
    generation: Generation,
    reason: string,
    image: SnapshotImage,
    bringWal: BringWal,
  ): Promise<WrittenSnapshot> {
    const began = this.#clock.monotonicMs();
    this.#log.info("Making a snapshot", { reason });
    const noticed = withTurns(image, () =>
      Promise.try(() => {
        this.#refuseCancelled();
        this.#pulse.noteMove();
      }));
    const written = await this.#store.writeSnapshot(generation, noticed, bringWal);
    this.#snapshotsMade++;
    await this.#source.rememberReplica(this.#place);
    await this.#source.rememberTime(written.record.capturedAtMs);
    const seconds = Math.round(this.#clock.monotonicMs() - began) / 1_000;
    const position = formatPosition({ generation, index: written.stateIndex, offset: written.record.end });
    this.#log.info("Snapshot done", { position, bytes: written.sizeBytes, seconds });
    return written;
  }

  /**
   * One more of a generation that is replicated already, which goes on meanwhile: between two pieces of the image. Checkpoints
   * go on too, and the shadow WAL stays from where the image began.
   */
  async #snapshotAgain(generation: Generation, reason: string, signal: AbortSignal): Promise<WrittenSnapshot> {
    await expectReplica(this.#source, this.#store, this.#place);
    const claim = this.#source.claim();
    const captured = this.#source.position();
    if (captured !== undefined) claim.need(captured);
    let syncedMs = this.#clock.monotonicMs();
    const image = withTurns(this.#source.image(), async () => {
      if (signal.aborted) throw new ReplicationError("cancelled", "Cannot finish the snapshot: replication is stopped");
      if (this.#clock.monotonicMs() - syncedMs < await this.#turnMs()) return;
      await this.#bringCaptured(generation);
      syncedMs = this.#clock.monotonicMs();
    });
    try {
      return await this.#writeSnapshot(generation, reason, image, () => this.#bringCaptured(generation));
    } finally {
      claim.release();
    }
  }

  /** Between two syncs, as upkeep is. What fails is for who asked to know. */
  async #makeAsked(signal: AbortSignal): Promise<void> {
    for (let one = this.#asked.take(); one !== undefined; one = this.#asked.take()) {
      try {
        one.resolve(await this.#newestAfter(one.madeBefore, signal));
      } catch (error) {
        one.reject(error);
        if (!(error instanceof ReplicationError)) throw error;
      }
    }
  }

  async #newestAfter(madeBefore: number, signal: AbortSignal): Promise<Position> {
    const generation = this.#source.generation();
    if (this.position?.generation !== generation) await this.#sync(); // It began while the sync before was under way.
    if (generation === undefined || this.position?.generation !== generation) throw notFollowed();
    if (this.#snapshotsMade > madeBefore) return this.position;
    const written = await this.#snapshotAgain(generation, "it was asked for", signal);
    this.#upkeep?.noteWritten(generation, written);
    return { generation, index: written.stateIndex, offset: written.record.end };
  }

  async #turnMs(): Promise<number> {
    return Math.max(await this.#pauseMs(), limits.syncWhileSnapshotMs);
  }

  /** The reader copies on, to at least what is captured now. */
  async #bringCaptured(generation: Generation): Promise<void> {
    const isGoing = this.position?.generation === generation && this.#source.generation() === generation;
    if (!isGoing) {
      throw new ReplicationError("unavailable", "Cannot finish the snapshot: its generation is no longer replicated");
    }
    await this.#copier.copyCaptured();
  }

  /** Replicates what a snapshot needs before it may be seen, from the replica's end where that is not too early. */
  async #bringWal(generation: Generation, { index }: WrittenSnapshot, end: ReplicaEnd | undefined): Promise<void> {
    await this.#copier.continueBehind(generation, end, index);
    await this.#copier.copyCaptured();
  }

  #leaveSnapshotting(): void {
    this.#resumeCheckpoints?.();
    this.#resumeCheckpoints = undefined;
  }

  #refuseCancelled(): void {
    if (this.#cancelled?.aborted === true) throw cancelled();
  }

  #noteSuccess(backoff: Backoff): void {
    if (this.#trouble !== undefined) this.#log.info("The replica is well again", {}, "replica-recovered");
    this.#trouble = undefined;
    backoff.reset();
  }

  /** Said once, then hourly: a log that repeats itself is not read. */
  #noteFailure(error: unknown, backoff: Backoff): void {
    this.#leaveSnapshotting();
    this.#pulse.noteFailure();
    this.#copier.forget();
    const message = messageOf(error);
    if (!isSameTrouble(message, this.#trouble) || backoff.isTimeToRepeat()) {
      backoff.noteSaid();
      const fields = { retried: true, may_pass: isRetryable(error), advice: adviceIn(error) };
      this.#log.error(message, fields, "replica-failed");
    }
    this.#trouble = message;
    this.#advice = adviceIn(error);
  }
}

function notFollowed(): ReplicationError {
  return new ReplicationError("unavailable", "Cannot make a snapshot: the database is not followed now");
}

function cancelled(): ReplicationError {
  return new ReplicationError("cancelled", "Cannot go on: it was interrupted");
}

function stopped(): ReplicationError {
  return new ReplicationError("unavailable", "Cannot make a snapshot: replication is being stopped");
}
