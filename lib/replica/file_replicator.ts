/**
 * Keeps one file replica of one database. *Start* first stops what ran before; *stop* cancels and waits until the work has
 * ended. It starts in the snapshotting state, which keeps checkpoints away, and leaves that state once a snapshot is known
 * to exist, on errors too.
 *
 * Invariant: the position moves only when what it claims is durable on the replica.
 */
import { assert } from "../base/assert.ts";
import { isRetryable, messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { DatabaseSource, ShadowClaim, ShadowReader } from "../database/source.ts";
import type { Clock } from "../platform/clock.ts";
import type { Generation } from "../position/generation.ts";
import { asOffset, comparePositions, formatPosition, type Index, type Position } from "../position/position.ts";
import type {
  BringWal,
  GenerationStore,
  ReplicaEnd,
  SnapshotImage,
  WalPieces,
  WrittenSnapshot,
} from "../store/generation_store.ts";
import { Backoff } from "./backoff.ts";
import { Pulse, type PulseFacts } from "./pulse.ts";
import { withTurns } from "./image_turns.ts";
import { catchUp } from "./catch_up.ts";
import { settledOrDue } from "./settled_or_due.ts";
import { decideStart } from "./start_decision.ts";
import { gatherStart, type Start } from "./start_facts.ts";
import { Upkeep, type UpkeepPolicy } from "./upkeep.ts";
import { type JoinedRecords, knownAt, WalTransfer } from "./wal_transfer.ts";

type Damaged = Extract<Start, { readonly kind: "damaged" }>;

/** Offsets from here on need names of more than 8 hex digits. */
const OBJECT_OFFSET_LIMIT = 2 ** 32;

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
  /** Snapshots now and then, and retention; neither when it is absent. */
  readonly upkeep?: UpkeepPolicy;
}

export class FileReplicator {
  readonly name: string;
  readonly type = "file";
  readonly #source: DatabaseSource;
  readonly #store: GenerationStore;
  readonly #place: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #syncIntervalMs: number | undefined;
  readonly #buffer = new Uint8Array(limits.transferBytes);
  #running: AbortController | undefined;
  #finished: Promise<void> = Promise.resolve();
  #claim: ShadowClaim | undefined;
  #resumeCheckpoints: (() => void) | undefined;
  #position: Position | undefined;
  #reader: ShadowReader | undefined;
  #known: WalTransfer["known"];
  #joined: JoinedRecords | undefined;
  #closedAt: Position | undefined;
  #trouble: string | undefined;
  #warnedOfIndex: Index | undefined;
  readonly #upkeep: Upkeep | undefined;
  readonly #pulse: Pulse;

  constructor(options: FileReplicatorOptions) {
    this.name = options.name ?? "file";
    this.#source = options.source;
    this.#store = options.store;
    this.#place = options.place;
    this.#clock = options.clock;
    this.#log = options.log.with({ database: options.source.path, replica: this.name });
    this.#syncIntervalMs = options.syncIntervalMs;
    this.#pulse = new Pulse(options.clock);
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
    return this.#position;
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

  get pulse(): PulseFacts {
    return this.#pulse.facts();
  }

  async start(): Promise<void> {
    await this.stop();
    this.#running = new AbortController();
    this.#pulse.noteMove();
    this.#claim = this.#source.claim();
    this.#resumeCheckpoints = this.#source.pauseCheckpoints();
    this.#upkeep?.start();
    this.#finished = this.#run(this.#running.signal);
  }

  async stop(): Promise<void> {
    this.#running?.abort();
    await this.#finished;
    this.#leaveSnapshotting();
    this.#claim?.release();
    this.#claim = undefined;
    this.#forget();
  }

  /** Stops the loop, then syncs to at least the given position; whether the replica holds it. Throws what keeps it from that. */
  async finish(wanted: Position | undefined): Promise<boolean> {
    this.#running?.abort();
    await this.#finished;
    do {
      const before = this.#position;
      await this.#sync(wanted);
      if (this.#position === before) break;
    } while (wanted !== undefined && !this.#holds(wanted));
    return wanted !== undefined && this.#holds(wanted);
  }

  #holds(wanted: Position): boolean {
    const position = this.#position;
    // A generation that began meanwhile begins with all of it.
    return position !== undefined &&
      (position.generation !== wanted.generation || comparePositions(position, wanted) >= 0);
  }

  async #run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(this.#clock, limits.retryMinMs, limits.retryMaxMs);
    while (!signal.aborted) {
      // Taken before work begins, so that no change is lost; the first pass waits for none.
      const changed = this.#source.changed();
      this.#lookBehind();
      try {
        await this.#sync();
        this.#noteSuccess(backoff);
        this.#lookBehind();
        if (await this.#upkeep?.run(signal) === false) continue; // A sync may have failed in it.
        await settledOrDue(this.#clock, changed, this.#upkeep?.dueInMs() ?? Infinity, signal);
        this.#lookBehind();
        const pauseMs = await this.#pauseMs();
        if (pauseMs > 0) await this.#clock.sleep(pauseMs, signal);
      } catch (error) {
        if (this.#source.generation() === undefined) this.#forget(); // The database has let go, and says why itself.
        else this.#noteFailure(error, backoff);
        if (error instanceof ReplicationError && error.code === "no-space") await this.#upkeep?.makeSpace(signal);
        await this.#clock.sleep(backoff.nextMs(), signal); // And on it goes, without waiting for a change.
      }
    }
  }

  #lookBehind(): void {
    this.#pulse.look(this.#source.position(), this.#position);
  }

  /** Where each sync makes an object of its own, as many a second would be of use to nobody. */
  async #pauseMs(): Promise<number> {
    const generation = this.#position?.generation;
    if (this.#syncIntervalMs !== undefined || generation === undefined) return this.#syncIntervalMs ?? 0;
    return await this.#store.layoutFor(generation) === "raw" ? 0 : limits.objectSyncIntervalMs;
  }

  /** To what is captured now; or not far beyond a position, while an application that never pauses goes on writing. */
  async #sync(until?: Position): Promise<void> {
    const generation = this.#source.generation();
    if (generation === undefined) return; // A state to wait in, not an error.
    if (this.#position?.generation !== generation) await this.#findPosition(generation);
    const reader = this.#reader;
    if (reader !== undefined) await this.#copyCaptured(reader, until);
  }

  async #copyCaptured(reader: ShadowReader, until = this.#source.position()): Promise<void> {
    reader.refresh();
    while (!this.#isBeyond(reader, until) && await this.#copyIndex(reader)) {
      reader.nextIndex();
      // The claim stays: until the next index has frames on the replica, this one tells a restart where to go on.
      this.#position = reader.position();
    }
  }

  #isBeyond(reader: ShadowReader, until: Position | undefined): boolean {
    const position = reader.position();
    return until?.generation === position.generation && position.index > until.index;
  }

  /** Brings one index up to date. True when it is complete and the next one follows. */
  async #copyIndex(reader: ShadowReader): Promise<boolean> {
    const start = reader.position();
    const { offset: end, closed } = reader.end();
    const mustClose = closed &&
      (this.#closedAt === undefined || comparePositions(this.#closedAt, { ...start, offset: end }) < 0);
    if (start.offset < end || mustClose) {
      if (start.offset === 0) await this.#expectReplicaToBeThere(); // A new file must not bring a lost root back.
      await this.#warnBeyondNames(start);
      const joined = start.offset === 0 ? this.#joined : undefined;
      const transfer = new WalTransfer(reader, this.#buffer, this.#known, joined);
      try {
        await this.#store.appendWal(start.generation, start.index, start.offset, this.#noticed(transfer));
      } catch (error) {
        this.#forget(); // What the replica holds now is looked up anew; the last good position is what it says then.
        await this.#expectReplicaToBeThere(); // Says more than that one file of it is gone.
        if (error instanceof ReplicationError && error.code === "corrupt") await this.#beginAnew(error.message);
        throw error;
      }
      this.#known = transfer.known;
      this.#joined = undefined;
      if (closed) this.#closedAt = { ...start, offset: end };
      this.#moveTo(reader.position());
    }
    if (!closed) return false;
    this.#known = undefined;
    return true;
  }

  #noticed(wal: WalPieces): WalPieces {
    const next = async () => {
      const piece = await wal.next();
      this.#pulse.noteMove(piece.length);
      return piece;
    };
    return { next, records: () => wal.records() };
  }

  /** The readers of Litestream 0.3 see names of 8 digits only; ours reads on. A restart of the WAL mends it. */
  async #warnBeyondNames(start: Position): Promise<void> {
    if (start.offset < OBJECT_OFFSET_LIMIT || this.#warnedOfIndex === start.index) return;
    this.#warnedOfIndex = start.index;
    if (await this.#store.layoutFor(start.generation) !== "litestream") return;
    this.#log.warn("The WAL has grown beyond 4 GiB: Litestream 0.3 does not see what is written behind that", {
      position: formatPosition(start),
    });
  }

  #moveTo(position: Position): void {
    this.#position = position;
    this.#claim?.need(position);
    this.#log.debug("Replicated", { position: formatPosition(position) });
  }

  async #findPosition(generation: Generation): Promise<void> {
    this.#forget();
    await this.#expectReplicaToBeThere();
    const catalog = await this.#store.catalog(generation);
    this.#upkeep?.noteHeld(catalog);
    const start = await gatherStart(this.#source, this.#store, this.#place, catalog);
    if (start === undefined) return;
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
        await this.#continueAt(
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

  /** What is damaged at the replica's end is taken back, to be written again. */
  async #cut(generation: Generation, { entry, offset, damage }: Damaged): Promise<void> {
    this.#log.warn("The end of the replica is damaged, and is replaced", {
      from: formatPosition({ generation, index: entry.index, offset }),
      reason: damage,
    });
    await this.#store.cutWal(generation, entry.index, offset);
  }

  /** The pages that changed since the replica's end, then the present index. */
  async #catchUp(generation: Generation, reason: string, start: Start): Promise<void> {
    const { end, behind } = start.kind === "facts" ? start : {};
    assert(end !== undefined && behind !== undefined, "the replica is behind");
    const began = this.#clock.monotonicMs();
    this.#log.info("Catching up by the pages that changed", { reason, pages: behind.changes.pages });
    const { index, joined, pages, bytes } = await catchUp({ store: this.#store, generation, end, ...behind });
    await this.#continueAtIndex(generation, index);
    this.#joined = joined;
    const seconds = Math.round(this.#clock.monotonicMs() - began) / 1_000;
    const position = formatPosition({ generation, index, offset: joined.offset });
    this.#log.info("Caught up", { position, pages, bytes, seconds });
  }

  /** Neither side can be continued from: what is captured from now on stands beside what the replica holds. */
  async #beginAnew(reason: string): Promise<void> {
    this.#log.warn("A new generation is needed", { reason });
    await this.#source.startGeneration(reason);
  }

  async #continueAt(position: Position, end: ReplicaEnd | undefined): Promise<void> {
    const reader = this.#source.openReader(position);
    this.#known = await knownAt(this.#source, reader, position.offset);
    this.#closedAt = end?.closed === true ? position : undefined;
    this.#reader = reader;
    await this.#source.rememberReplica(this.#place);
    this.#moveTo(position);
  }

  /** Made when the generation has none that can be continued from, at the captured index; one that exists is never made again. */
  async #snapshot(generation: Generation, reason: string, end: ReplicaEnd | undefined): Promise<void> {
    this.#resumeCheckpoints ??= this.#source.pauseCheckpoints();
    try {
      const bringWal = (written: WrittenSnapshot) => this.#bringWal(generation, written, end);
      const written = await this.#writeSnapshot(generation, reason, this.#source.image(), bringWal);
      this.#upkeep?.noteWritten(generation, written);
      if (this.#reader === undefined) await this.#continueBehind(generation, end, written.index);
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
    const noticed = withTurns(image, () => Promise.resolve(this.#pulse.noteMove()));
    const written = await this.#store.writeSnapshot(generation, noticed, bringWal);
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
    await this.#expectReplicaToBeThere();
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

  async #turnMs(): Promise<number> {
    return Math.max(await this.#pauseMs(), limits.syncWhileSnapshotMs);
  }

  /** The reader copies on, to at least what is captured now. */
  async #bringCaptured(generation: Generation): Promise<void> {
    const isGoing = this.#position?.generation === generation && this.#source.generation() === generation;
    if (this.#reader === undefined || !isGoing) {
      throw new ReplicationError("unavailable", "Cannot finish the snapshot: its generation is no longer replicated");
    }
    await this.#copyCaptured(this.#reader);
  }

  /** Replicates what a snapshot needs before it may be seen, from the replica's end where that is not too early. */
  async #bringWal(generation: Generation, { index }: WrittenSnapshot, end: ReplicaEnd | undefined): Promise<void> {
    await this.#continueBehind(generation, end, index);
    if (this.#reader !== undefined) await this.#copyCaptured(this.#reader);
  }

  /** Behind an end that agrees: a snapshot is no reason for a gap in the WAL. Else at the beginning of the snapshot's index. */
  async #continueBehind(generation: Generation, end: ReplicaEnd | undefined, index: Index): Promise<void> {
    if (end === undefined) return await this.#continueAtIndex(generation, index);
    await this.#continueAt({ generation, index: end.index, offset: end.offset }, end);
  }

  async #continueAtIndex(generation: Generation, index: Index): Promise<void> {
    await this.#continueAt({ generation, index, offset: asOffset(0) }, undefined);
  }

  /** The replica's root is made on first use only; later on a missing one is an error, never made again in silence. */
  async #expectReplicaToBeThere(): Promise<void> {
    if (!this.#source.wasReplicatedTo(this.#place) || await this.#store.exists()) return;
    throw new ReplicationError(
      "unavailable",
      `Cannot replicate to ${this.#store.description}: nothing is there, though it was written before (is it mounted?)`,
      { advice: `mount it; to begin anew on purpose: mkdir -p ${this.#store.description}/generations` },
    );
  }

  #forget(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#position = undefined;
    this.#known = undefined;
    this.#joined = undefined;
    this.#closedAt = undefined;
  }

  #leaveSnapshotting(): void {
    this.#resumeCheckpoints?.();
    this.#resumeCheckpoints = undefined;
  }

  #noteSuccess(backoff: Backoff): void {
    if (this.#trouble !== undefined) this.#log.info("The replica is well again");
    this.#trouble = undefined;
    backoff.reset();
  }

  /** Said once, then hourly: a log that repeats itself is not read. */
  #noteFailure(error: unknown, backoff: Backoff): void {
    this.#leaveSnapshotting();
    this.#pulse.noteFailure();
    this.#forget();
    const message = messageOf(error);
    if (message !== this.#trouble || backoff.isTimeToRepeat()) {
      backoff.noteSaid();
      const advice = error instanceof ReplicationError ? error.advice : undefined;
      this.#log.error(message, { retried: true, may_pass: isRetryable(error), advice });
    }
    this.#trouble = message;
  }
}
