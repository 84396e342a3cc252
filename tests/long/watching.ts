/** The program as far as it follows one database and keeps one replica, in this process: it comes and goes as a test wants. */
import { ReplicationError } from "../../lib/base/errors.ts";
import { createLogger } from "../../lib/base/log.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { defaults } from "../../lib/config/defaults.ts";
import { WatchedDatabase } from "../../lib/database/database.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { FileReplicator } from "../../lib/replica/file_replicator.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { ReplicaStore } from "../../lib/store/replica_store.ts";
import { sleep } from "../support/daemon.ts";
import { databaseImage } from "../support/database_image.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { shell } from "./page_troubles.ts";

const FILES = unsyncedFiles();
export const PATIENCE_MS = 20_000;
export const HEALING_MS = 5;

export class Watching {
  /** What was logged. */
  readonly lines: string[] = [];
  readonly folder: string;
  readonly path: string;
  readonly replica: string;
  readonly layout: Layout;
  #database: WatchedDatabase | undefined;
  #replicator: FileReplicator | undefined;

  constructor(folder: string, layout: Layout) {
    this.folder = folder;
    this.path = `${folder}/app.db`;
    this.replica = `${folder}/replica`;
    this.layout = layout;
  }

  async begin(): Promise<void> {
    const clock = new SystemClock();
    const log = createLogger({
      level: "info",
      format: "text",
      now: () => clock.now(),
      writeLine: (line) => this.lines.push(line),
    });
    const settings = {
      ...defaults,
      path: this.path,
      statePath: `${this.folder}/state`,
      userId: Deno.uid() ?? undefined,
      scrubIntervalMs: 500,
    };
    const platform = { clock, files: FILES, random: new SystemRandom(), web: new SystemWeb() };
    for (let tries = 1;; tries++) {
      const database = new WatchedDatabase(platform, createNodeDriver(), settings, log, () => undefined);
      database.start();
      try {
        await database.opened;
        this.#database = database;
        break;
      } catch (error) {
        await database.stop();
        await database.release();
        // A process that the other lane starts holds our lock, too, until it has become another program.
        const isHeld = error instanceof ReplicationError && error.code === "busy";
        if (!isHeld || tries === 3) throw error;
        await sleep(HEALING_MS);
      }
    }
    this.#replicator = new FileReplicator({
      source: this.database,
      store: this.store,
      place: this.replica,
      clock,
      log,
      syncIntervalMs: 0,
    });
    await this.#replicator.start();
  }

  get database(): WatchedDatabase {
    if (this.#database === undefined) throw new Error("nobody watches");
    return this.#database;
  }

  async leave(): Promise<void> {
    await this.#replicator?.stop();
    this.#replicator = undefined;
    await this.#database?.stop();
    await this.#database?.release();
    this.#database = undefined;
  }

  /** Waits until the replica holds what is committed, and the page table is known. */
  async replicated(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const { position, checksum } = await this.captured();
      const held = this.#replicator?.position;
      const isHeld = held?.generation === position.generation && held.index === position.index &&
        held.offset === position.offset;
      if (isHeld && checksum !== undefined) return;
      if (performance.now() > deadline) {
        throw new Error(`the replica does not get what is captured (${position.index})`);
      }
      await sleep(HEALING_MS);
    }
  }

  async captured() {
    for (const start = performance.now();;) {
      try {
        return await this.database.captureNow();
      } catch (error) {
        if (performance.now() - start > PATIENCE_MS) throw error;
        await sleep(HEALING_MS);
      }
    }
  }

  /** By copies that another process makes: a descriptor that this one closes would drop its locks. */
  async image(): Promise<Uint8Array> {
    const copy = `${this.folder}/copy`;
    await shell(
      `mkdir -p '${copy}' && rm -f '${copy}'/* && cp '${this.path}' '${copy}/' && ` +
        `{ [ ! -e '${this.path}-wal' ] || cp '${this.path}-wal' '${copy}/'; }`,
    );
    return databaseImage(`${copy}/app.db`, `${this.folder}/image`);
  }

  get store(): ReplicaStore {
    return new ReplicaStore(new FileReplicaClient(FILES, this.replica), { chooseLayout: () => this.layout });
  }
}
