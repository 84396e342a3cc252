/** A database that is open, with its state, the generation that is captured into it, and the watch over it. */
import { assert } from "../base/assert.ts";
import { limits } from "../base/limits.ts";
import { messageOf, ReplicationError } from "../base/errors.ts";
import { isFuture } from "../base/future.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileStatus, FileSystem } from "../platform/file_system.ts";
import type { Platform } from "../platform/platform.ts";
import { PageLedger } from "../pages/page_ledger.ts";
import { createGeneration } from "../position/generation.ts";
import { formatPosition } from "../position/position.ts";
import type { SqliteDriver } from "../sqlite/driver.ts";
import { equalSalts } from "../wal/salt.ts";
import type { EventLog } from "./event_log.ts";
import type { FollowedFiles } from "./followed_files.ts";
import { letGo, type OpenDatabase, openDatabase, pageSizeOfFile } from "./open_database.ts";
import { beginPages, pagesOfFile, recoverPages } from "./page_recovery.ts";
import { checkpointRow } from "./read_hold.ts";
import { movedError } from "./identity.ts";
import { gatherResumeFacts } from "./resume.ts";
import { decideResume, type ResumeFacts } from "./resume_decision.ts";
import { resync, type ResyncOutcome } from "./resync.ts";
import { decideResync } from "./resync_decision.ts";
import { ShadowWal } from "./shadow_wal.ts";
import { Recurrence } from "./recurrence.ts";
import { realStatePath, StateFolder } from "./state_folder.ts";
import type { WalIndexHeader } from "./wal_index.ts";
import { type Beginning, damagedWalError, type SkippedLife, WalCapture } from "./wal_capture.ts";
import { Watch, type WatchEvents, type WatchSettings } from "./watch.ts";

export interface Session {
  readonly open: OpenDatabase;
  readonly state: StateFolder;
  readonly shadow: ShadowWal;
  readonly watch: Watch;
}

export interface DatabaseSettings extends Omit<WatchSettings, "noopCheckpoint" | "checkpointLater"> {
  readonly path: string;
  readonly statePath: string;
  readonly monitorIntervalMs: number;
  readonly enableWal: boolean;
  /** How long a look at the whole database file may take; 0: it is not looked at. */
  readonly scrubIntervalMs: number;
  /** Of the shadow WAL: what goes beyond is removed, whoever still needs it. */
  readonly maxStateSizeBytes: number;
  /** Of this process; undefined where the system has no such thing. */
  readonly userId: number | undefined;
  /** Whether it is no trouble that another process has it. */
  readonly mayBeBusy?: boolean;
  /** Where what happens is kept for those who ask later. */
  readonly events?: EventLog;
  /** Of all databases of this process. */
  readonly followed?: FollowedFiles;
}

/** What a history broke off in. */
export interface Broken extends Pick<Session, "open" | "state"> {
  /** Undefined where there is none, or none that can be used. */
  readonly shadow: ShadowWal | undefined;
}

interface Fresh extends Session {
  readonly beginning: Beginning;
}

interface StartOverOptions {
  /** The database file is another database now, and the present life was copied into what is no longer there. */
  readonly isOverwritten?: boolean;
  /** The WAL that shows continuity, if only the file below it is what was captured. */
  readonly unlessSame?: WalIndexHeader;
}

type Resynced = Exclude<ResyncOutcome, { kind: "ended" }>;
type Continued = Extract<ResyncOutcome, { kind: "continued" }>;

type KnownOfFile = Pick<ResumeFacts, "brokenBecause" | "databaseFile" | "perhapsWritten">;

const PERHAPS_WRITTEN = "the database file may have been written while nobody watched";

/** A capture that races a restart of the WAL at the very start is tried again. */
const FIRST_CAPTURE_TRIES = 5;

/** Opens sessions and begins generations in them. Everything committed is captured before anybody is given a session. */
export class SessionOpener {
  readonly #platform: Platform;
  readonly #clock: Clock;
  readonly #driver: SqliteDriver;
  readonly #settings: DatabaseSettings;
  readonly #log: Logger;
  readonly #events: WatchEvents;
  readonly #generations: Recurrence;
  readonly #resyncs: Recurrence;

  constructor(
    platform: Platform,
    driver: SqliteDriver,
    settings: DatabaseSettings,
    log: Logger,
    events: WatchEvents,
  ) {
    this.#platform = platform;
    this.#clock = platform.clock;
    this.#driver = driver;
    this.#settings = settings;
    this.#log = log;
    this.#events = events;
    const subject = settings.path;
    this.#generations = new Recurrence(this.#clock, limits.generationsPerMinuteMax, subject, "generations began");
    this.#resyncs = new Recurrence(this.#clock, limits.resyncsPerMinuteMax, subject, "resyncs began");
  }

  /**
   * Opens the database at its real path, goes on where the state ends, or begins a generation. Nothing stays open on errors.
   * With `brokenBecause` what stands there proves nothing of what was captured: another file may have come beside the same WAL.
   */
  async open(real: string, status: FileStatus, brokenBecause?: string): Promise<Session> {
    const { files } = this.#platform;
    const { userId, enableWal } = this.#settings;
    const statePath = realStatePath(this.#settings.statePath, this.#settings.path, real);
    this.#settings.followed?.claim(status.identity, this.#settings.path);
    const state = await StateFolder.open(files, statePath, status, userId).catch((error: unknown) => {
      this.#settings.followed?.leave(this.#settings.path);
      throw isGone(error) ? stateWentAway(real, error) : error;
    });
    this.#settings.events?.attach(state);
    let open: OpenDatabase | undefined;
    try {
      const { mayReadEncrypted: mayBeEncrypted } = this.#driver.capabilities;
      const hasReplaced = state.hasReplaced(status);
      open = await openDatabase(files, this.#driver, real, { enableWal, mayBeEncrypted, hasReplaced });
      const file = statusOfOpened(files, open);
      const databaseFile = state.compareDatabase(file);
      // Until what is captured stands for it: whoever is killed before knows of no file that it stands for.
      if (databaseFile !== "same") await state.forgetDatabase();
      const perhapsWritten = state.isUnwritten(file) ? undefined : PERHAPS_WRITTEN;
      const session = await this.#takeUp(open, state, { brokenBecause, databaseFile, perhapsWritten });
      await state.rememberBoot();
      await state.rememberDatabase(file);
      return session;
    } catch (error) {
      if (open !== undefined) letGo(files, this.#driver, open);
      const isStateThere = state.isStillThere();
      this.#leaveState(state);
      throw isStateThere && !isGone(error) ? error : stateWentAway(real, error);
    }
  }

  /** Lets go of files and connections without writing to the database. */
  async close({ watch, shadow, open, state }: Session): Promise<void> {
    try {
      await watch.settle();
      shadow.close();
      letGo(this.#platform.files, this.#driver, open);
    } finally {
      this.#leaveState(state);
    }
  }

  /** The database file holds what is captured as it looks now: at the next start nobody has to read it to know. */
  async noteSeen({ watch, open, state }: Session): Promise<void> {
    const file = statusOfOpened(this.#platform.files, open);
    if (await watch.isUndisturbed()) await state.rememberSeen(file, this.#clock.now().getTime());
  }

  /** What stands there after this proves nothing, also to whoever starts next, should this process be killed. */
  async distrust({ state, open }: Session): Promise<void> {
    try {
      if (state.isStillThere()) await state.forgetDatabase();
    } catch (error) {
      this.#log.warn("What happened to the database could not be noted in its state", {
        path: open.path,
        reason: messageOf(error),
      });
    }
  }

  #leaveState(state: StateFolder): void {
    this.#settings.events?.detach();
    this.#settings.followed?.leave(this.#settings.path);
    state.close();
  }

  /** The same database in a new generation beside what is there. */
  async beginGeneration(broken: Broken, reason: string): Promise<Session> {
    this.#generations.refuseOneMore(reason);
    return await this.#begin(await this.#captureAnew(broken, false), reason);
  }

  /**
   * The same database after its history broke off: by the pages that differ, where those that were captured last are known;
   * else in a new generation.
   */
  async startOver(broken: Broken, reason: string, isOverwritten = false): Promise<Session> {
    const session = await this.#startOver(broken, reason, { isOverwritten });
    assert(session !== undefined, "only what may be unchanged is not started over");
    return session;
  }

  /** Undefined when the file is what was captured, and the history goes on by the WAL. */
  async #startOver(
    broken: Broken,
    reason: string,
    { isOverwritten = false, unlessSame }: StartOverOptions,
  ): Promise<Session | undefined> {
    this.#resyncs.refuseOneMore(reason);
    const fresh = await this.#captureAnew(broken, isOverwritten);
    const old = broken.shadow;
    const decision = decideResync({
      hasBase: old?.pages?.isUsable === true,
      samePageSize: old?.pages?.pageSize === fresh.shadow.pages?.pageSize,
    });
    if (old === undefined || decision.kind === "new-generation") return await this.#begin(fresh, reason);
    const { generation, index, offset } = old;
    const capturedUntil = formatPosition({ generation, index, offset }); // Which stays restorable.
    this.#log.info("Looking for the pages that differ", { captured_until: capturedUntil, reason });
    const outcome = await this.#resync(fresh, old, unlessSame);
    if (outcome.kind === "unchanged") {
      await fresh.watch.settle();
      discard(fresh.state, fresh.shadow);
      this.#log.info("The database file is what was captured", { seconds: outcome.milliseconds / 1_000 });
      return undefined;
    }
    this.#resyncs.count();
    if (outcome.kind === "given-up") return await this.#begin(fresh, `${reason}; ${outcome.because}`);
    return await this.#continue(fresh, old, reason, outcome);
  }

  /**
   * Index 0 of a shadow WAL of its own = the present life, from its first frame; or, when the file was overwritten, the
   * coming life, since the present one was copied into what is no longer there.
   */
  async #captureAnew({ open, state, shadow: before }: Broken, isOverwritten: boolean): Promise<Fresh> {
    const generation = createGeneration(this.#platform.random.bytes(8));
    // Later than all before, also when the clock was set back: a restore goes by the newest.
    const afterMs = Math.max(before?.lastCapturedAtMs ?? -1, state.latestTimeMs());
    const shadow = ShadowWal.create(state.files, state.shadowPath, generation, afterMs);
    const skipped = isOverwritten ? copiedLife(open) : undefined;
    try {
      const index = open.walIndex.read();
      const pageSize = index === undefined || index.mxFrame === 0 ? pageSizeOfFile(open) : index.pageSize;
      if (pageSize > 0) shadow.pages = PageLedger.create(state.files, state.pagesPath(generation), pageSize, 0);
      if (skipped === undefined) await this.#captureFirst(open, shadow);
      if (shadow.life === undefined) shadow.pages?.takeSizeOfFile(pagesOfFile(open.databaseFile.size(), pageSize));
      shadow.pages?.beginPass({ index: shadow.index, offset: shadow.offset });
    } catch (error) {
      discard(state, shadow);
      throw error;
    }
    const beginning = skipped === undefined ? { late: false } : { late: false, skipped };
    return { open, state, shadow, watch: this.#createWatch(open, shadow, beginning), beginning };
  }

  /** What was captured anew becomes the generation. */
  async #begin({ open, state, shadow, watch }: Fresh, reason: string): Promise<Session> {
    const { generation } = shadow;
    try {
      this.#generations.refuseOneMore(reason);
    } catch (error) {
      await watch.settle();
      discard(state, shadow);
      throw error;
    }
    this.#generations.count();
    await state.setNotBefore(shadow.notBeforeMs);
    this.#warnOfFuture(shadow);
    await state.setCurrent({ generation, beganAt: this.#clock.now().toISOString(), reason });
    this.#log.info("A new generation begins", { generation, reason }, "generation-began");
    return { open, state, shadow, watch };
  }

  async #resync(fresh: Fresh, old: ShadowWal, unlessSame: WalIndexHeader | undefined): Promise<Resynced> {
    const { open, state, shadow, watch } = fresh;
    try {
      const outcome = await resync({
        open,
        files: state.files,
        clock: this.#clock,
        old,
        fresh: shadow,
        watch,
        copiedPath: `${state.pagesPath(shadow.generation)}.copied`,
        salts: this.#platform.random.bytes(8),
        maxBytes: this.#settings.maxStateSizeBytes / 2,
        ...(unlessSame === undefined ? {} : { unlessSame }),
      });
      if (outcome.kind !== "ended") return outcome;
      const reason = "reason" in outcome.outcome ? outcome.outcome.reason : "the watch ended";
      throw new ReplicationError("unavailable", `Cannot resync ${open.path}: ${reason}`);
    } catch (error) {
      await watch.settle();
      discard(state, shadow);
      throw error;
    }
  }

  async #continue(fresh: Fresh, old: ShadowWal, reason: string, done: Continued): Promise<Session> {
    const { open, state, shadow } = fresh;
    await old.sync();
    discard(state, shadow);
    const { pages, frames, lifeEnded, milliseconds } = done;
    const { generation, index, offset } = old;
    this.#log.info("Resynced", {
      position: formatPosition({ generation, index, offset }),
      reason,
      different_pages: pages,
      frames,
      seconds: milliseconds / 1_000,
    }, "resynced");
    return { open, state, shadow: old, watch: this.#createWatch(open, old, { ...fresh.beginning, lifeEnded }) };
  }

  async #takeUp(open: OpenDatabase, state: StateFolder, known: KnownOfFile): Promise<Session> {
    const index = open.walIndex.read();
    if (index === undefined) {
      throw new ReplicationError("unavailable", `Cannot read ${open.path}-shm: it is being written`);
    }
    const now = this.#clock.now().getTime();
    const { facts, shadow } = gatherResumeFacts(open, state, index, now);
    const decision = decideResume({ ...facts, ...known });
    if (shadow !== undefined && isFuture(shadow.lastCapturedAtMs, now)) {
      this.#log.warn(
        "What was captured last carries a time in the future: the clock was ahead then, or is behind now",
        {
          captured_at: new Date(shadow.lastCapturedAtMs).toISOString(),
        },
      );
    }
    if (shadow !== undefined) this.#recoverPages(open, state, shadow);
    if (decision.kind === "new-generation" || shadow === undefined) {
      const reason = decision.kind === "new-generation" ? decision.reason : "there is no earlier state";
      return await this.#leave(shadow, () => this.startOver({ open, state, shadow }, reason, facts.isOverwritten));
    }
    const reason = decision.compareBecause;
    if (reason !== undefined) {
      const broken = { open, state, shadow };
      const session = await this.#leave(shadow, () => this.#startOver(broken, reason, { unlessSame: index }));
      if (session !== undefined) return session;
    }
    if (decision.kind === "next-index") shadow.closeIndex(now);
    const session = { open, state, shadow, watch: this.#createWatch(open, shadow, { late: true }) };
    const trouble = await session.watch.captureAll();
    if (trouble?.kind !== "doubt") return session;
    await session.watch.settle();
    return await this.#leave(shadow, () => this.startOver(session, trouble.reason));
  }

  /** Nothing of this generation may look older than the one before it, which ends in the future. */
  #warnOfFuture({ notBeforeMs }: ShadowWal): void {
    if (!isFuture(notBeforeMs, this.#clock.now().getTime())) return;
    this.#log.warn(
      "The generation before ends in the future (the clock was ahead); times of the new one stand still until then",
      { until: new Date(notBeforeMs).toISOString() },
    );
  }

  /** Closes a shadow WAL that what follows does not go on with; with undefined it goes on as before. */
  async #leave<T extends Session | undefined>(shadow: ShadowWal | undefined, next: () => Promise<T>): Promise<T> {
    let kept: ShadowWal | undefined;
    try {
      const session = await next();
      kept = session === undefined ? shadow : session.shadow;
      return session;
    } finally {
      if (kept !== shadow) shadow?.close();
    }
  }

  /** The page table of what was captured last; a new one where there is none that can be proven. */
  #recoverPages(open: OpenDatabase, state: StateFolder, shadow: ShadowWal): void {
    const last = shadow.life ?? shadow.closedLife;
    const pageSize = last?.header.pageSize ?? pageSizeOfFile(open);
    if (pageSize === 0) return;
    const path = state.pagesPath(shadow.generation);
    shadow.pages = recoverPages(state.files, path, shadow, pageSize);
    if (shadow.pages !== undefined) return;
    const databasePages = last?.databasePages ?? pagesOfFile(open.databaseFile.size(), pageSize);
    shadow.pages = beginPages(state.files, path, shadow, pageSize, databasePages);
    shadow.pages.beginPass({ index: shadow.index, offset: shadow.offset });
  }

  async #captureFirst(open: OpenDatabase, shadow: ShadowWal): Promise<void> {
    for (let attempt = 1;; attempt++) {
      open.hold.release();
      const facts = open.hold.take();
      const index = open.walIndex.read();
      const outcome = index === undefined
        ? { kind: "doubt", reason: "the wal-index is being written" } as const
        : await new WalCapture(open.walFile, shadow, this.#clock, { late: true }).capture(index, facts);
      if (outcome.kind !== "doubt") break;
      if (attempt >= FIRST_CAPTURE_TRIES) throw damagedWalError(open.path, outcome.reason);
      await this.#clock.sleep(1);
    }
    await shadow.sync();
  }

  #createWatch(open: OpenDatabase, shadow: ShadowWal, beginning: Beginning): Watch {
    const driver = this.#driver;
    const settings = {
      ...this.#settings,
      noopCheckpoint: driver.capabilities.noopCheckpoint,
      checkpointLater: async () => checkpointRow(await driver.checkpointLater(open.path)),
    };
    return new Watch(open, shadow, this.#platform, this.#log, settings, this.#events, beginning);
  }
}

/** What was there a moment ago, or had just been made, is not: at the next try it is there or made anew. */
function stateWentAway(path: string, cause: unknown): ReplicationError {
  return new ReplicationError("unavailable", `Cannot take up ${path}: files of it or of its state were just removed`, {
    cause,
  });
}

function isGone(error: unknown): boolean {
  if (error instanceof ReplicationError && error.code === "not-found") return true;
  return error instanceof Error && error.cause !== undefined && isGone(error.cause);
}

/** Of the file that is open, not of one that has come to its name since. */
function statusOfOpened(files: FileSystem, { path, identity }: OpenDatabase): FileStatus {
  const status = files.linkStatus(path);
  if (status?.identity === identity.database) return status;
  throw movedError(files, path);
}

/** A shadow WAL that nobody goes on with leaves nothing behind. */
function discard(state: StateFolder, shadow: ShadowWal): void {
  shadow.close();
  state.files.removeTree(`${state.shadowPath}/${shadow.generation}`);
  const pages = state.pagesPath(shadow.generation);
  if (state.files.status(pages) !== undefined) state.files.remove(pages);
}

/**
 * The life under the present hold if all of it was copied into the database file; then readers look at the file alone, and
 * what stands in the WAL is history. Undefined when some of it still counts.
 */
function copiedLife({ hold, walIndex }: OpenDatabase): SkippedLife | undefined {
  const index = walIndex.read();
  const { facts } = hold;
  if (index === undefined || facts === undefined) return undefined;
  const isAnotherLife = !equalSalts(index.salt, facts.salt);
  return isAnotherLife || index.backfilled === index.mxFrame ? { salt: facts.salt, frames: facts.mark } : undefined;
}
