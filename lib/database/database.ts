/**
 * The watched database: waits for it, opens it and opens it again, keeps looking, begins generations with a reason, and is
 * the source that replicators read from.
 */
import { limits } from "../base/limits.ts";
import { messageOf, ReplicationError } from "../base/errors.ts";
import type { EventKind } from "../base/engine_event.ts";
import type { Logger } from "../base/log.ts";
import { Notifier } from "../base/notifier.ts";
import { basename, dirname } from "../base/path.ts";
import type { Clock } from "../platform/clock.ts";
import { isSameTrouble } from "../platform/file_error.ts";
import type { Platform } from "../platform/platform.ts";
import type { Generation } from "../position/generation.ts";
import { asIndex, formatIndex, formatPosition, type Index, type Offset, type Position } from "../position/position.ts";
import type { SqliteDriver } from "../sqlite/driver.ts";
import type { SnapshotImage } from "../store/generation_store.ts";
import { judgePath, proveWriteAccess, type Readiness } from "./identity.ts";
import { pageSizeOfFile, translateSqlite } from "./open_database.ts";
import { type DatabaseSettings, type Session, SessionOpener } from "./session.ts";
import { FileShadowReader } from "./shadow_reader.ts";
import type { ShadowWal } from "./shadow_wal.ts";
import { type CapturedMoment, createImage } from "./snapshot_image.ts";
import type { DatabaseSource, PageChanges, ShadowClaim, ShadowReader, WalMark } from "./source.ts";
import { Scrub } from "./scrub.ts";
import { StillFile } from "./still_file.ts";
import { pageChanges } from "./page_changes.ts";
import { pollIntervalMs, WakeUp } from "./wake_up.ts";
import type { TickOutcome } from "./watch.ts";

/** Tells when a file of a folder has changed; undefined where the system offers nothing. Opens nothing itself. */
export type FolderWatcher = (folder: string, listener: (name: string) => void) => { close(): void } | undefined;

/** How often a database that cannot be watched yet is looked at again. */
const WAIT_MS = 1_000;
/** What may pass at any moment is tried again at least this often. */
const RETRY_SOON_MAX_MS = 1_000;
const UNAVAILABLE_MS = 5_000;
const TAKE_UP_MAX_MS = 2_000;
const RETRY_CAPTURE_MS = 20;
const REPEAT_MS = 3_600_000;
const LOOK_AT_PATH_MS = 500;
const LOOK_AT_STATE_MS = 500;

export class WatchedDatabase implements DatabaseSource {
  readonly path: string;
  readonly #platform: Platform;
  readonly #clock: Clock;
  readonly #opener: SessionOpener;
  readonly #settings: DatabaseSettings;
  readonly #log: Logger;
  readonly #watchFolder: FolderWatcher;
  readonly #wakeUp: WakeUp;
  readonly #scrub: Scrub;
  readonly #file: StillFile;
  #brokenBecause: string | undefined;
  readonly #changes = new Notifier();
  readonly #claims = new Set<{ index: Index }>();
  #claimedGeneration: Generation | undefined;
  readonly #fatal = Promise.withResolvers<ReplicationError>();
  #saidMs = -Infinity;
  #refusal: ReplicationError | undefined;
  #pathLookedAtMs = -Infinity;
  #stateLookedAtMs = -Infinity;
  #unavailableSinceMs: number | undefined;
  #checkpointPauses = 0;
  #session: Session | undefined;
  #events: { close(): void } | undefined;
  #serial: Promise<unknown> = Promise.resolve();
  /** Something was captured, or written to the WAL. */
  #lastStirMs = -Infinity;
  /** The end of what was captured when it was last looked for what nobody needs. */
  #trimmedAt: string | undefined;
  #seenMs: number;
  #lastSaid = "";
  #stopped: AbortController = new AbortController();
  #finished: Promise<void> = Promise.resolve();
  #firstOpen = Promise.withResolvers<void>();
  #isFirstOpenKnown = false;
  #wasFollowed = false;
  #awaitedBecause: string | undefined;
  /** Since when it is waited for, whatever for. */
  #awaitedSinceMs: number | undefined;
  #isWaitLoud = false;

  constructor(
    platform: Platform,
    driver: SqliteDriver,
    settings: DatabaseSettings,
    log: Logger,
    watchFolder: FolderWatcher,
  ) {
    this.path = settings.path;
    this.#platform = platform;
    this.#clock = platform.clock;
    this.#seenMs = this.#clock.monotonicMs();
    this.#opener = new SessionOpener(platform, driver, settings, log, {
      captured: () => this.#noteChange(),
      isSnapshotting: () => this.#checkpointPauses > 0,
    });
    this.#settings = settings;
    this.#log = log;
    this.#watchFolder = watchFolder;
    this.#wakeUp = new WakeUp(platform.clock);
    this.#file = new StillFile(platform.files, platform.clock);
    this.#scrub = new Scrub(platform.clock, log, settings.scrubIntervalMs);
    this.#firstOpen.promise.catch(() => {}); // Whoever awaits `opened` hears of it.
  }

  /** Begins to watch; `opened` then settles. */
  start(): void {
    this.#stopped = new AbortController();
    this.#finished = this.#run(this.#stopped.signal);
  }

  /**
   * Resolves once the database is followed or waited for, since it is not there yet; rejects when it is refused as it is now
   * (which is tried again all the same). A refusal is not logged before somebody has heard of it here.
   */
  get opened(): Promise<void> {
    return this.#firstOpen.promise;
  }

  /**
   * The position that everything committed at this moment is captured to. A database that is being taken up anew is waited
   * for a little. Undefined when it was never there.
   */
  async capturedPosition(): Promise<Position | undefined> {
    const start = this.#clock.monotonicMs();
    for (;;) {
      try {
        return (await this.captureNow()).position;
      } catch (error) {
        if (this.absence !== undefined) return undefined;
        if (this.trouble === undefined || this.#clock.monotonicMs() - start > TAKE_UP_MAX_MS) throw error;
        await this.#clock.sleep(RETRY_CAPTURE_MS);
      }
    }
  }

  /** Stops looking. The connections stay as they are, since closing them is a write; a process ends by leaving them. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#wakeUp.wake();
    await this.#finished;
    if (this.#session === undefined) return;
    await this.#session.watch.storePages().catch(() => {}); // The next start then brings it forward instead.
    await this.#opener.noteSeen(this.#session).catch(() => {}); // The next start then reads the database.
  }

  /** After `stop`: gives database and state back without writing to the database. */
  async release(): Promise<void> {
    await this.#end();
  }

  /** Resolves when only a new process can go on. */
  get fatal(): Promise<ReplicationError> {
    return this.#fatal.promise;
  }

  /** Why nothing is being captured at present; undefined while all is well. */
  get trouble(): string | undefined {
    if (this.#session !== undefined) return undefined;
    if (this.#awaitedBecause === undefined) return this.#lastSaid || "it is not open yet";
    return this.#wasFollowed ? "the database is no longer there" : this.#awaitedBecause;
  }

  /** Whether nothing is there to be captured, and everything is well once there is. */
  get isAwaited(): boolean {
    return this.#session === undefined && this.#awaitedBecause !== undefined;
  }

  /** Whether it is not known yet if it can be followed. */
  get isOpening(): boolean {
    return this.#session === undefined && !this.#isFirstOpenKnown;
  }

  /** For so long nobody has come to the end of a look at it. */
  get unseenMs(): number {
    return this.#clock.monotonicMs() - this.#seenMs;
  }

  /** What the database is refused for at present, if that will not pass by itself. */
  get refusal(): ReplicationError | undefined {
    return this.#session === undefined ? this.#refusal : undefined;
  }

  /** Why there was never anything to capture; undefined once there was, and while that cannot be told. */
  get absence(): string | undefined {
    return this.#wasFollowed ? undefined : this.#awaitedBecause;
  }

  /** For so long there was nothing to capture; 0 once there was. */
  get absentMs(): number {
    const sinceMs = this.absence === undefined ? undefined : this.#awaitedSinceMs;
    return sinceMs === undefined ? 0 : this.#clock.monotonicMs() - sinceMs;
  }

  changed(): Promise<void> {
    return this.#changes.next();
  }

  generation(): Generation | undefined {
    return this.#session?.shadow.generation;
  }

  position(): Position | undefined {
    const shadow = this.#session?.shadow;
    return shadow && { generation: shadow.generation, index: shadow.index, offset: shadow.offset };
  }

  oldestIndex(): Index {
    return this.#current().shadow.oldestIndex();
  }

  markAt(index: Index, offset: Offset): WalMark | undefined {
    return this.#current().shadow.markAt(index, offset);
  }

  endsInResync(index: Index): boolean {
    return this.#current().shadow.endsInResync(index);
  }

  changesSince(index: Index, place: string): PageChanges | undefined {
    const { shadow, state } = this.#current();
    const changes = index < shadow.index ? shadow.changes.between(index, shadow.index) : undefined;
    if (changes === undefined || shadow.pages === undefined) return undefined;
    const { pageSize, databasePages } = shadow.pages;
    const scratchPath = state.scratchPath(place);
    return pageChanges(changes, {
      files: state.files,
      scratchPath,
      pageSize,
      databasePages,
      image: () => this.image(),
      salts: () => this.#platform.random.bytes(8),
    });
  }

  openReader(position: Position): ShadowReader {
    return new FileShadowReader(this.#current().state.files, () => this.#shadowOf(position.generation), position);
  }

  image(): SnapshotImage {
    return createImage({
      path: this.path,
      clock: this.#clock,
      databaseFile: () => this.#current().open.databaseFile,
      capturedNow: () => this.captureNow(),
      openReader: (position) => this.openReader(position),
      look: this.#scrub.looker(() => this.#session),
    });
  }

  claim(): ShadowClaim {
    const claim = { index: asIndex(0) };
    this.#claims.add(claim);
    return {
      need: (position) => {
        if (position.generation === this.generation()) claim.index = position.index;
      },
      release: () => void this.#claims.delete(claim),
    };
  }

  pauseCheckpoints(): () => void {
    this.#checkpointPauses++;
    let paused = true;
    return () => {
      if (paused) this.#checkpointPauses--;
      paused = false;
    };
  }

  startGeneration(reason: string): Promise<void> {
    return this.#alone(async () => {
      const session = this.#current();
      await session.watch.settle();
      const next = await this.#opener.beginGeneration(session, reason);
      session.shadow.close();
      this.#publish(next);
    });
  }

  wasReplicatedTo(place: string): boolean {
    return this.#current().state.replicas().includes(place);
  }

  async rememberReplica(place: string): Promise<void> {
    await this.#current().state.rememberReplica(place);
  }

  async rememberTime(ms: number): Promise<void> {
    await this.#current().state.rememberTime(ms, this.#clock.now().getTime());
  }

  notBeforeMs(): number {
    return this.#current().shadow.notBeforeMs;
  }

  recall(place: string): string | undefined {
    return this.#current().state.recall(place);
  }

  async remember(place: string, text: string): Promise<void> {
    await this.#current().state.remember(place, text);
  }

  /** Captures everything that is committed at this moment and makes it durable. */
  captureNow(): Promise<CapturedMoment> {
    return this.#alone(async () => {
      const session = this.#current();
      const trouble = await session.watch.captureAll();
      if (trouble !== undefined) {
        await this.#handleEnd(session, trouble);
        throw new ReplicationError("unavailable", `Cannot capture ${this.path}: it is being taken up anew`);
      }
      const { shadow } = session;
      const life = shadow.life;
      return {
        position: { generation: shadow.generation, index: shadow.index, offset: shadow.offset },
        pageSize: life?.header.pageSize ?? pageSizeOfFile(session.open),
        databasePages: life?.databasePages ?? 0,
        ...shadow.giveTime(this.#clock.now().getTime()),
        ...(shadow.pages?.checksum === undefined ? {} : { checksum: shadow.pages.checksum }),
        ...(shadow.pages?.confirmedAt === undefined ? {} : { confirmedAt: shadow.pages.confirmedAt }),
      };
    });
  }

  async #run(signal: AbortSignal): Promise<void> {
    let retryMs: number = limits.retryMinMs;
    while (!signal.aborted) {
      try {
        await this.#alone(() => this.#step(signal)).finally(() => this.#seenMs = this.#clock.monotonicMs());
        retryMs = limits.retryMinMs;
        await this.#wakeUp.wait(this.#pauseMs(), signal);
      } catch (error) {
        this.#awaitedBecause = undefined;
        const mayPass = error instanceof ReplicationError && error.code === "unavailable";
        this.#refusal = error instanceof ReplicationError && !mayPass ? error : undefined;
        if (mayPass || this.#isFirstOpenKnown) {
          const level = levelOf(error, this.#settings.mayBeBusy === true);
          this.#say(level, error, level === "error" ? "refused" : undefined);
        } else this.#noteSaid(messageOf(error)); // By whoever awaits `opened`.
        if (!mayPass) this.#refuseFirstOpen(error);
        else this.#noteUnavailable();
        await this.#alone(() => this.#end());
        await this.#wakeUp.wait(retryMs, signal);
        retryMs = Math.min(mayPass ? RETRY_SOON_MAX_MS : limits.retryMaxMs, retryMs * 2);
      }
    }
  }

  /** Work on the session is done by one at a time: the loop, a snapshot that wants all captured, a new generation. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#serial.then(work);
    this.#serial = result.catch(() => {});
    return result;
  }

  async #step(signal: AbortSignal): Promise<void> {
    if (this.#session === undefined) {
      await this.#tryOpen();
      return;
    }
    const session = this.#session;
    try {
      await this.#look(session, signal);
    } catch (error) {
      // What fails because other files have the names now, or none, is told as what happened to them.
      const change = this.#session === session ? session.watch.fileChange() : undefined;
      if (change === undefined) throw translateSqlite("go on with", this.path, error);
      await this.#handleEnd(session, change);
    }
  }

  async #look(session: Session, signal: AbortSignal): Promise<void> {
    await this.#lookAfterState(session);
    const outcome = this.#whereThePathLeads(session) ?? await session.watch.tick(signal);
    await this.#handleEnd(session, outcome);
    if (outcome.kind !== "busy" && outcome.kind !== "quiet") return;
    this.#removeUnneeded(session);
    const damage = await this.#scrub.turn(session);
    if (damage !== undefined) await this.#startOver(session, damage);
    else if (session.watch.takeLongRest()) await this.#opener.noteSeen(session);
  }

  /** What others removed of the state is written again where it is known here; else all is taken up anew. */
  async #lookAfterState({ state, shadow }: Session): Promise<void> {
    if (!state.isStillThere()) {
      throw new ReplicationError("failed", `Cannot go on with ${this.path}: its state folder was deleted or replaced`);
    }
    const now = this.#clock.monotonicMs();
    if (now - this.#stateLookedAtMs < LOOK_AT_STATE_MS) return;
    this.#stateLookedAtMs = now;
    if (!shadow.isStillThere()) {
      throw new ReplicationError("failed", `Cannot go on with ${this.path}: files of its shadow WAL were deleted`);
    }
    const missing = await state.restoreMissing();
    if (missing.length === 0) return;
    this.#log.warn("Files of the state folder were deleted and are written again", { files: missing.join(" ") });
  }

  /** A link on the way to the database may be turned to another one, as deployments do. */
  #whereThePathLeads({ open }: Session): TickOutcome | undefined {
    const now = this.#clock.monotonicMs();
    if (now - this.#pathLookedAtMs < LOOK_AT_PATH_MS) return undefined;
    this.#pathLookedAtMs = now;
    const { files } = this.#platform;
    if (files.status(this.path) === undefined) return undefined; // The watch sees that by itself.
    const real = files.realPath(this.path);
    return real === open.path ? undefined : { kind: "changed", reason: `${this.path} leads to ${real} now` };
  }

  async #handleEnd(session: Session, outcome: TickOutcome): Promise<void> {
    if (outcome.kind === "doubt" || outcome.kind === "overwritten") {
      await this.#startOver(session, outcome.reason, outcome.kind === "overwritten");
    } else if (outcome.kind === "changed") {
      this.#log.warn("Letting go of the database", { reason: outcome.reason }, "released");
      this.#brokenBecause = outcome.reason;
      if (outcome.isWritten) this.#file.begin();
      await this.#opener.distrust(session);
      await this.#end();
      this.#wakeUp.wake();
    }
  }

  async #tryOpen(): Promise<void> {
    const { files } = this.#platform;
    if (!this.#file.isStill(this.path)) return;
    const real = files.status(this.path) === undefined ? this.path : files.realPath(this.path);
    const readiness = this.#judge(real);
    if (readiness.kind === "wait") {
      this.#awaitedBecause = readiness.reason;
      this.#sayWaiting(readiness.reason);
      this.#noteFirstOpen();
      return;
    }
    const status = files.status(real);
    if (status === undefined) return;
    this.#publish(await this.#opener.open(real, status, this.#brokenBecause));
    this.#brokenBecause = undefined;
    this.#listen(real);
    this.#log.info("Following", { position: formatPosition(this.#positionOrFail()) }, "following");
  }

  /** Somebody may have mistyped the path: a long wait is no longer said in passing. */
  #sayWaiting(reason: string): void {
    this.#awaitedSinceMs ??= this.#clock.monotonicMs();
    const waitedMs = this.#clock.monotonicMs() - this.#awaitedSinceMs;
    const message = `Waiting for ${this.path}: ${reason}`;
    if (waitedMs < limits.absentWarningMs) return this.#say("info", message, "waiting");
    if (this.#isWaitLoud) return;
    this.#isWaitLoud = true;
    const seconds = Math.round(waitedMs / 1_000);
    this.#log.warn(message, { seconds, advice: "see that the path is the right one" }, "waiting");
  }

  #judge(real: string): Readiness {
    const ready = judgePath(this.#platform.files, real);
    return ready.kind === "wait" ? ready : proveWriteAccess(this.#platform.files, real, this.#settings.userId);
  }

  async #startOver(session: Session, reason: string, isOverwritten = false): Promise<void> {
    await session.watch.settle();
    if (isOverwritten) this.#log.warn("Letting go of what was captured", { reason });
    const next = await this.#opener.startOver(session, reason, isOverwritten);
    if (next.shadow !== session.shadow) session.shadow.close();
    this.#publish(next);
  }

  #publish(session: Session): void {
    const { generation } = session.shadow;
    this.#session = session;
    if (generation !== this.#claimedGeneration) {
      for (const claim of this.#claims) claim.index = asIndex(0); // What was needed of another one says nothing here.
      this.#claimedGeneration = generation;
      this.#removeOtherGenerations(session); // Not before: of what is published, all is there to be read.
    }
    this.#lastSaid = "";
    this.#awaitedBecause = undefined;
    this.#awaitedSinceMs = undefined;
    this.#isWaitLoud = false;
    this.#wasFollowed = true;
    this.#noteFirstOpen();
    this.#noteChange();
  }

  #removeOtherGenerations({ state, shadow: { generation } }: Session): void {
    try {
      state.removeOtherGenerations(generation);
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      // It only takes room, until the next generation begins; a state that is gone is noticed by itself.
      this.#log.warn("What is left of an earlier generation cannot be removed", { reason: messageOf(error) });
    }
  }

  /** Whoever waits for the first open is not kept for ever: after a while it counts as one that is waited for. */
  #noteUnavailable(): void {
    const now = this.#clock.monotonicMs();
    this.#unavailableSinceMs ??= now;
    if (now - this.#unavailableSinceMs >= UNAVAILABLE_MS) this.#noteFirstOpen();
  }

  #refuseFirstOpen(error: unknown): void {
    this.#isFirstOpenKnown = true;
    this.#firstOpen.reject(error);
  }

  #noteFirstOpen(): void {
    this.#isFirstOpenKnown = true;
    this.#firstOpen.resolve();
  }

  #noteChange(): void {
    this.#lastStirMs = this.#clock.monotonicMs();
    this.#changes.notify();
  }

  async #end(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    this.#events?.close();
    this.#events = undefined;
    if (session === undefined) return;
    try {
      await this.#opener.close(session);
    } catch (error) {
      // What could not be closed would be in the way of opening it again; a new process begins without it.
      this.#fatal.resolve(
        new ReplicationError("failed", `Cannot let go of ${this.path}: ${messageOf(error)}`, { cause: error }),
      );
    } finally {
      this.#changes.notify();
    }
  }

  /** After each capture, be it by a look or by whoever asked for all that is committed. */
  #removeUnneeded(session: Session): void {
    const { generation, index, offset } = session.shadow;
    const captured = formatPosition({ generation, index, offset });
    if (captured === this.#trimmedAt) return;
    this.#trimmedAt = captured;
    let needed: Index = session.shadow.index;
    for (const claim of this.#claims) if (claim.index < needed) needed = claim.index;
    const stored = session.shadow.pages?.stored;
    if (stored !== undefined && stored.index < needed) needed = stored.index; // Until the page table is stored anew.
    const within = session.shadow.oldestWithin(this.#settings.maxStateSizeBytes);
    if (within > needed && session.shadow.oldestIndex() < within) {
      const what =
        "The state is larger than max-state-size; removing WAL that a replica still needs (it gets a snapshot)";
      this.#log.warn(what, { max_bytes: this.#settings.maxStateSizeBytes, before: formatIndex(within) });
    }
    session.shadow.removeBefore(within > needed ? within : needed);
  }

  /** File events of the WAL end a wait at once; without them polling does. */
  #listen(path: string): void {
    const base = basename(path);
    const wal = `${base}-wal`;
    // The file itself is overwritten or replaced; `-shm` is what a connection closes.
    const names = new Set([base, wal, `${base}-shm`, ""]);
    this.#events?.close();
    this.#events = this.#watchFolder(dirname(path), (name) => {
      if (!names.has(name)) return;
      // Frames are written before they are committed, and no event tells when the application's fsync has ended.
      if (name === wal || name === "") this.#lastStirMs = this.#clock.monotonicMs();
      this.#wakeUp.wake();
    });
  }

  #pauseMs(): number {
    if (this.#session === undefined) return Math.min(WAIT_MS, this.#settings.monitorIntervalMs);
    if (this.#scrub.isBusy(this.#session)) return 1;
    const msSinceStir = this.#clock.monotonicMs() - this.#lastStirMs;
    const { atRest, departureMs = Infinity } = this.#session.watch;
    return Math.min(departureMs, pollIntervalMs({ msSinceStir, atRest }, this.#settings.monitorIntervalMs));
  }

  #noteSaid(message: string): void {
    this.#lastSaid = message;
    this.#saidMs = this.#clock.monotonicMs();
  }

  /** The same sentence is said once, then hourly, and again when something else was said in between. */
  #say(level: "info" | "warn" | "error", what: unknown, event: EventKind | undefined): void {
    const message = messageOf(what);
    const isSaid = isSameTrouble(withoutNames(message), withoutNames(this.#lastSaid));
    if (isSaid && this.#clock.monotonicMs() - this.#saidMs < REPEAT_MS) return;
    this.#noteSaid(message);
    this.#log[level](message, { advice: what instanceof ReplicationError ? what.advice : undefined }, event);
  }

  #current(): Session {
    if (this.#session !== undefined) return this.#session;
    throw new ReplicationError("unavailable", `Cannot read ${this.path}: ${this.#lastSaid || "it is not open yet"}`);
  }

  #shadowOf(generation: Generation): ShadowWal {
    const { shadow } = this.#current();
    if (generation !== shadow.generation) throw this.#notThisGeneration(generation);
    return shadow;
  }

  #positionOrFail(): Position {
    const { shadow } = this.#current();
    return { generation: shadow.generation, index: shadow.index, offset: shadow.offset };
  }

  #notThisGeneration(generation: Generation): ReplicationError {
    return new ReplicationError(
      "unavailable",
      `Cannot read generation ${generation} of ${this.path}: a new one has begun`,
    );
  }
}

/** Each try to begin a generation gives it another name, and its first index. */
function withoutNames(message: string): string {
  return message.replaceAll(/[0-9a-f]{16}/g, "");
}

/** What passes by itself is no error; where a person has to end it, that is a warning. */
function levelOf(error: unknown, mayBeBusy: boolean): "info" | "warn" | "error" {
  if (!(error instanceof ReplicationError)) return "error";
  if (error.code === "busy" && mayBeBusy) return "info";
  if (error.code !== "unavailable") return "error";
  return error.advice === undefined ? "info" : "warn";
}
