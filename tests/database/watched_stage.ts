/** A database that another process has made and this one watches, and what it must have captured. */
import { DatabaseSync } from "node:sqlite";
import { createLogger } from "../../lib/base/log.ts";
import { defaults } from "../../lib/config/defaults.ts";
import { WatchedDatabase } from "../../lib/database/database.ts";
import type { DatabaseSettings } from "../../lib/database/session.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import type { FileSystem } from "../../lib/platform/file_system.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import type { Generation } from "../../lib/position/generation.ts";
import { formatRawName } from "../../lib/position/keys.ts";
import { asIndex, type Position } from "../../lib/position/position.ts";
import type { SqliteDriver } from "../../lib/sqlite/driver.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { comparePages, databaseImage } from "../support/database_image.ts";
import { type OtherProcess, startOtherProcess } from "../support/other_process.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

/** The system's clock, which the test can put forward. */
export class ShiftedClock extends SystemClock {
  shiftMs = 0;
  /** Of the wall clock. */
  wallShiftMs = 0;

  override now(): Date {
    return new Date(super.now().getTime() + this.wallShiftMs);
  }

  override monotonicMs(): number {
    return super.monotonicMs() + this.shiftMs;
  }
}

export interface WatchedStageOptions {
  readonly driver?: SqliteDriver;
  readonly settings?: Partial<DatabaseSettings>;
  /** Instead of the system's. */
  readonly files?: FileSystem;
}

export class WatchedStage {
  readonly folder: string;
  readonly path: string;
  readonly application: OtherProcess;
  readonly clock = new ShiftedClock();
  readonly database: WatchedDatabase;
  /** What was logged. */
  readonly lines: string[] = [];
  /** The database file as it was when the first generation began. */
  readonly #base: Uint8Array;
  readonly #options: WatchedStageOptions;
  #isReleased = false;

  private constructor(folder: string, application: OtherProcess, options: WatchedStageOptions) {
    this.folder = folder;
    this.path = `${folder}/app.db`;
    this.application = application;
    this.#base = Deno.readFileSync(this.path);
    this.#options = options;
    this.database = this.again(options.files ?? new DenoFileSystem());
  }

  /** The same database as a later start of the program finds it; the test ends it. */
  again(files: FileSystem): WatchedDatabase {
    const log = createLogger({
      level: "info",
      format: "text",
      now: () => this.clock.now(),
      writeLine: (line) => this.lines.push(line),
    });
    const platform = { clock: this.clock, files, random: new SystemRandom(), web: new SystemWeb() };
    const { driver, settings } = this.#options;
    return new WatchedDatabase(
      platform,
      driver ?? createNodeDriver(),
      { ...defaults, path: this.path, statePath: this.state, userId: Deno.uid() ?? undefined, ...settings },
      log,
      () => undefined,
    );
  }

  /** The application's connection has a busy timeout and a table `entry (body)`; the WAL holds some frames, none copied. */
  static async with(options: WatchedStageOptions, work: (stage: WatchedStage) => Promise<void>): Promise<void> {
    await withTemporaryFolder(async (folder) => {
      await using application = startOtherProcess();
      await application.open(`${folder}/app.db`, { create: true, busyTimeoutMs: 5_000 });
      await application.runAll([
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = NORMAL",
        "CREATE TABLE entry (body)",
        "INSERT INTO entry VALUES ('first')",
      ]);
      const stage = new WatchedStage(folder, application, options);
      stage.database.start();
      try {
        await stage.database.opened;
        await work(stage);
      } finally {
        await stage.release();
      }
    });
  }

  get state(): string {
    return `${this.folder}/state`;
  }

  get generation(): Generation {
    const generation = this.database.generation();
    assert(generation !== undefined, "the database is followed");
    return generation;
  }

  get text(): string {
    return this.lines.join("\n");
  }

  /** The application commits that many transactions, and they are captured. */
  async commit(times = 1): Promise<Position> {
    await this.application.runAll(Array(times).fill("INSERT INTO entry VALUES (randomblob(500))"));
    return (await this.database.captureNow()).position;
  }

  /** The application begins that many lives of the WAL, one after the other, and each is captured. */
  async restart(times: number): Promise<Position> {
    let position = await this.commit();
    for (let i = 0; i < times; i++) {
      const [row] = await this.application.run("PRAGMA wal_checkpoint(TRUNCATE)");
      assertEquals(row?.[0], 0, "the checkpoint was complete");
      position = await this.commit();
    }
    return position;
  }

  shadowPath(index: number, generation = this.generation): string {
    return `${this.state}/shadow/${generation}/${formatRawName(asIndex(index), "wal")}`;
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    await this.database.stop();
    await this.database.release();
  }

  /** Every index of the first generation, applied in order by SQLite, gives the database as it is now. Ends the watch. */
  async expectNothingLost(): Promise<void> {
    const { position } = await this.database.captureNow();
    await this.release();
    const path = `${this.folder}/replayed.db`;
    Deno.writeFileSync(path, this.#base);
    for (let index = 0; index <= position.index; index++) {
      const wal = this.shadowPath(index, position.generation);
      const end = index === position.index ? position.offset : Infinity;
      Deno.writeFileSync(`${path}-wal`, Deno.readFileSync(wal).subarray(0, Math.min(end, Deno.statSync(wal).size)));
      const replayed = new DatabaseSync(path);
      replayed.exec("PRAGMA synchronous = OFF; PRAGMA wal_checkpoint(TRUNCATE)");
      replayed.close();
    }
    const image = databaseImage(this.path, `${this.folder}/image`);
    assertEquals(comparePages(image, Deno.readFileSync(path)).different, []);
  }
}
