/** A database that is open, with its state, the generation that is captured into it, and the watch over it. */
import { limits } from "../base/limits.ts";
import { ReplicationError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileStatus } from "../platform/file_system.ts";
import type { Platform } from "../platform/platform.ts";
import { createGeneration } from "../position/generation.ts";
import type { SqliteDriver } from "../sqlite/driver.ts";
import { equalSalts } from "../wal/salt.ts";
import { letGo, type OpenDatabase, openDatabase } from "./open_database.ts";
import { checkpointRow } from "./read_hold.ts";
import { gatherResumeFacts } from "./resume.ts";
import { decideResume } from "./resume_decision.ts";
import { ShadowWal } from "./shadow_wal.ts";
import { realStatePath, StateFolder } from "./state_folder.ts";
import { damagedWalError, type SkippedLife, WalCapture } from "./wal_capture.ts";
import { type Beginning, Watch, type WatchEvents, type WatchSettings } from "./watch.ts";

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
  /** Of the shadow WAL: what goes beyond is removed, whoever still needs it. */
  readonly maxStateSizeBytes: number;
  /** Of this process; undefined where the system has no such thing. */
  readonly userId: number | undefined;
}

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
  readonly #generationsBeganMs: number[] = [];

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
  }

  /** Opens the database at its real path, goes on where the state ends, or begins a generation. Nothing stays open on errors. */
  async open(real: string, status: FileStatus): Promise<Session> {
    const { files } = this.#platform;
    const { userId, enableWal } = this.#settings;
    const statePath = realStatePath(this.#settings.statePath, this.#settings.path, real);
    const state = await StateFolder.open(files, statePath, status, userId);
    let open: OpenDatabase | undefined;
    try {
      const { mayReadEncrypted: mayBeEncrypted } = this.#driver.capabilities;
      open = openDatabase(files, this.#driver, real, { enableWal, mayBeEncrypted });
      const session = await this.#takeUp(open, state);
      await state.rememberBoot();
      return session;
    } catch (error) {
      if (open !== undefined) letGo(files, this.#driver, open);
      state.close();
      throw error;
    }
  }

  /** Lets go of files and connections without writing to the database. */
  async close({ watch, shadow, open, state }: Session): Promise<void> {
    try {
      await watch.settle();
      shadow.close();
      letGo(this.#platform.files, this.#driver, open);
    } finally {
      state.close();
    }
  }

  /**
   * The same database in a new generation: index 0 = the present life, from its first frame; or, when the file was
   * overwritten, the coming life, since the present one was copied into what is no longer there. Current only once captured.
   */
  async beginGeneration(
    { open, state, shadow: before }: Pick<Session, "open" | "state"> & { readonly shadow: ShadowWal | undefined },
    reason: string,
    isOverwritten = false,
  ): Promise<Session> {
    this.#refuseTooMany(reason);
    const generation = createGeneration(this.#platform.random.bytes(8));
    // Later than all before, also when the clock was set back: a restore goes by the newest.
    const afterMs = Math.max(before?.lastCapturedAtMs ?? -1, state.latestTimeMs());
    const shadow = ShadowWal.create(state.files, state.shadowPath, generation, afterMs);
    const skipped = isOverwritten ? copiedLife(open) : undefined;
    try {
      if (skipped === undefined) await this.#captureFirst(open, shadow);
    } catch (error) {
      shadow.close();
      state.files.removeTree(`${state.shadowPath}/${generation}`);
      throw error;
    }
    await state.setCurrent({ generation, beganAt: this.#clock.now().toISOString(), reason });
    state.removeOtherGenerations(generation);
    this.#log.info("A new generation begins", { generation, reason });
    const beginning = skipped === undefined ? { late: false } : { late: false, skipped };
    return { open, state, shadow, watch: this.#createWatch(open, shadow, beginning) };
  }

  async #takeUp(open: OpenDatabase, state: StateFolder): Promise<Session> {
    const index = open.walIndex.read();
    if (index === undefined) {
      throw new ReplicationError("unavailable", `Cannot read ${open.path}-shm: it is being written`);
    }
    const now = this.#clock.now().getTime();
    const { facts, shadow } = gatherResumeFacts(open, state, index, now);
    const decision = decideResume(facts);
    if (decision.kind === "new-generation" || shadow === undefined) {
      shadow?.close();
      const reason = decision.kind === "new-generation" ? decision.reason : "there is no earlier state";
      return await this.beginGeneration({ open, state, shadow }, reason, facts.isOverwritten);
    }
    if (decision.kind === "next-index") shadow.closeIndex(now);
    const session = { open, state, shadow, watch: this.#createWatch(open, shadow, { late: true }) };
    const trouble = await session.watch.captureAll();
    if (trouble?.kind !== "doubt") return session;
    shadow.close();
    return await this.beginGeneration(session, trouble.reason);
  }

  /** A doubt that comes back at once is not mended by yet another generation and its snapshots. */
  #refuseTooMany(reason: string): void {
    const now = this.#clock.monotonicMs();
    const recent = this.#generationsBeganMs.filter((began) => now - began < 60_000);
    this.#generationsBeganMs.splice(0, Infinity, ...recent, now);
    if (recent.length < limits.generationsPerMinuteMax) return;
    this.#generationsBeganMs.pop();
    throw new ReplicationError(
      "failed",
      `Cannot follow ${this.#settings.path}: ${recent.length} generations began within a minute, the last because ${reason}`,
    );
  }

  async #captureFirst(open: OpenDatabase, shadow: ShadowWal): Promise<void> {
    for (let attempt = 1;; attempt++) {
      open.hold.release();
      const facts = open.hold.take();
      const index = open.walIndex.read();
      const outcome = index === undefined
        ? { kind: "doubt", reason: "the wal-index is being written" } as const
        : await new WalCapture(open.walFile, shadow, this.#clock, true).capture(index, facts);
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
      checkpointLater: driver.checkpointLater === undefined
        ? undefined
        : async () => checkpointRow(await driver.checkpointLater?.(open.path)),
    };
    return new Watch(open, shadow, this.#platform, this.#log, settings, this.#events, beginning);
  }
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
