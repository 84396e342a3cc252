/**
 * One history of a database, from a seed: an application does what applications do, the checksum that is kept is compared
 * with one computed from scratch, then the program is away, and comes back to one of several kinds of trouble.
 */
import { equalBytes } from "../../lib/base/bytes.ts";
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
import { ReplicaStore } from "../../lib/store/replica_store.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { restoreWithLitestream } from "../litestream/support/real_litestream.ts";
import { sleep } from "../support/daemon.ts";
import { comparePages, databaseImage } from "../support/database_image.ts";
import type { OtherProcess } from "../support/other_process.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { databaseChecksum } from "../support/xxh64.ts";
import { bytesWritten, contentOf, flipByte, forgetShadowWal, harmReplica, killDaemon, shell } from "./page_troubles.ts";
import { creation, randomShape, randomStep, type Shape } from "./application_steps.ts";

/** What happens while the program is away, or to what it left. */
export const KINDS = [
  "deploy",
  "deploy without writes",
  "written, and kept open",
  "killed",
  "page flipped",
  "replica put back",
  "replica put back far",
  "replica's last object lost",
  "replica's last object cut",
  "replica's last object flipped",
  "replica's snapshot lost",
] as const;
export type Kind = typeof KINDS[number];

export interface HistoryResult {
  readonly kind: Kind;
  readonly comparisons: number;
  /** Bytes that came to the replica when the program was back. */
  readonly uploaded: number;
  readonly changedPages: number;
  readonly healedBy: "nothing" | "segments" | "resync" | "pages that changed" | "snapshot" | "new generation";
  readonly layout: Layout;
  /** By how many programs the replica was restored at last. */
  readonly readers: number;
}

export class Failed extends Error {}

const FILES = unsyncedFiles();
const PATIENCE_MS = 20_000;
const HEALING_MS = 5;

/** `litestreamShare`: of the replicas in its layout, those that the real Litestream restores too. */
export async function runHistory(
  seed: number,
  kind: Kind,
  folder: string,
  application: OtherProcess,
  { litestreamShare = 0 }: { readonly litestreamShare?: number } = {},
): Promise<HistoryResult> {
  const random = seededRandom(seed);
  const shape = randomShape(random);
  const layout: Layout = random() < 0.5 ? "raw" : "litestream";
  const history = new History(folder, shape, layout, application, litestreamShare);
  try {
    return await history.run(kind, random);
  } catch (error) {
    throw new Failed(`${error instanceof Error ? error.message : error}\n${history.lines.slice(-12).join("\n")}`, {
      cause: error,
    });
  } finally {
    await history.end();
  }
}

class History {
  readonly lines: string[] = [];
  readonly #path: string;
  readonly #replica: string;
  readonly #shape: Shape;
  readonly #layout: Layout;
  readonly #application: OtherProcess;
  #isApplicationOpen = false;
  #database: WatchedDatabase | undefined;
  #replicator: FileReplicator | undefined;
  #comparisons = 0;

  constructor(
    readonly folder: string,
    shape: Shape,
    layout: Layout,
    application: OtherProcess,
    readonly litestreamShare: number,
  ) {
    this.#path = `${folder}/app.db`;
    this.#replica = `${folder}/replica`;
    this.#shape = shape;
    this.#layout = layout;
    this.#application = application;
  }

  async run(kind: Kind, random: () => number): Promise<HistoryResult> {
    await this.#begin(random);
    const generation = this.#database?.generation();
    if (kind === "page flipped") await this.#flip(random);
    const before = await this.#image();
    await this.#leave();

    await this.#away(kind, random);
    const changedPages = comparePages(before, await this.#image()).different.length;
    const held = contentOf(this.#replica);
    const said = this.lines.length;
    await this.#watch();
    await this.#replicated();
    const uploaded = bytesWritten(held, contentOf(this.#replica));
    const healedBy = this.#healedBy(this.lines.slice(said), uploaded);
    this.#expect(this.#database?.generation() === generation, "a new generation began");
    this.#judge(kind, healedBy, uploaded, changedPages);
    await this.#compare();

    const readers = await this.#goOnAndRestore(random);
    return { kind, comparisons: this.#comparisons, uploaded, changedPages, healedBy, layout: this.#layout, readers };
  }

  /** Some steps, of which the checksum is compared now and then, and a copy of the replica as it was early on. */
  async #begin(random: () => number): Promise<void> {
    await this.#open();
    await this.#application.runAll(creation(this.#shape));
    await this.#watch();
    for (let i = 0, steps = 3 + randomInteger(random, 6); i < steps; i++) {
      await this.#step(random);
      if (random() < 0.5) await this.#compare();
      if (i === 2) await this.#keepReplica();
    }
    await this.#compare();
    await this.#replicated();
  }

  /** As it is now, with its first snapshot. */
  async #keepReplica(): Promise<void> {
    await this.#replicated();
    await this.#saidSince(0, /Snapshot done/);
    await this.#leave();
    await shell(`cp -r '${this.#replica}' '${this.folder}/kept'`);
    await this.#watch();
  }

  #judge(kind: Kind, healedBy: HistoryResult["healedBy"], uploaded: number, changedPages: number): void {
    if (!this.#isApplicationOpen && healedBy === "resync" && !kind.startsWith("replica")) {
      const most = (changedPages + 3) * (this.#shape.pageSize + 64) + 4_096;
      this.#expect(uploaded <= most, `${uploaded} bytes were uploaded for ${changedPages} pages`);
    }
    if (kind === "deploy without writes") this.#expect(uploaded === 0, `${uploaded} bytes were uploaded for nothing`);
    if (kind === "replica's snapshot lost") this.#expect(healedBy === "snapshot", `it was healed by ${healedBy}`);
    else if (healedBy === "snapshot") this.#expect(this.#isSnapshotDue(kind), "a snapshot was made");
  }

  /** Where nearly every page changed since, a snapshot is the least that can be done. */
  #isSnapshotDue(kind: Kind): boolean {
    const reason = this.lines.findLast((line) => line.includes("Making a snapshot")) ?? "";
    return kind.startsWith("replica") && /which pages changed since is not known|less work/.test(reason);
  }

  async #goOnAndRestore(random: () => number): Promise<number> {
    if (!this.#isApplicationOpen) await this.#open();
    for (let i = 0; i < 2; i++) await this.#step(random);
    await this.#compare();
    await this.#replicated();
    const image = await this.#image();
    await this.#leave();
    const restored = `${this.folder}/restored.db`;
    const { checksum } = await restoreFrom(this.#store, restored);
    this.#expect(checksum === "equal", "the restore had no checksum to compare with");
    this.#expectEqual(image, restored, "restored");
    if (this.#layout === "raw" || random() >= this.litestreamShare) return 1;
    const byLitestream = `${this.folder}/litestream.db`;
    const { code, stderr } = await restoreWithLitestream(this.#replica, byLitestream);
    this.#expect(code === 0, `Litestream restores nothing: ${stderr}`);
    this.#expectEqual(image, byLitestream, "Litestream restored");
    return 2;
  }

  #expectEqual(image: Uint8Array, path: string, who: string): void {
    const { different } = comparePages(image, Deno.readFileSync(path));
    this.#expect(different.length === 0, `${who} other pages: ${different.slice(0, 10)}`);
  }

  async end(): Promise<void> {
    await this.#leave();
    if (this.#isApplicationOpen) await this.#application.close();
  }

  get #store(): ReplicaStore {
    return new ReplicaStore(new FileReplicaClient(FILES, this.#replica), { chooseLayout: () => this.#layout });
  }

  #expect(condition: boolean, otherwise: string): void {
    if (!condition) throw new Error(otherwise);
  }

  async #open(): Promise<void> {
    await this.#application.open(this.#path, { create: true, busyTimeoutMs: 5_000 });
    this.#isApplicationOpen = true;
    await this.#application.run("PRAGMA wal_autocheckpoint = 0");
  }

  async #close(): Promise<void> {
    await this.#application.close();
    this.#isApplicationOpen = false;
  }

  async #step(random: () => number): Promise<void> {
    await this.#application.runAll(randomStep(random, this.#shape));
  }

  async #watch(): Promise<void> {
    const clock = new SystemClock();
    const log = createLogger({
      level: "info",
      format: "text",
      now: () => clock.now(),
      writeLine: (line) => this.lines.push(line),
    });
    const settings = {
      ...defaults,
      path: this.#path,
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
      source: this.#watched,
      store: this.#store,
      place: this.#replica,
      clock,
      log,
      syncIntervalMs: 0,
    });
    await this.#replicator.start();
  }

  get #watched(): WatchedDatabase {
    if (this.#database === undefined) throw new Error("nobody watches");
    return this.#database;
  }

  async #leave(): Promise<void> {
    await this.#replicator?.stop();
    this.#replicator = undefined;
    await this.#database?.stop();
    await this.#database?.release();
    this.#database = undefined;
  }

  /** Waits until the replica holds what is committed, and the page table is known. */
  async #replicated(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const { position, checksum } = await this.#captured();
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

  async #captured() {
    for (const start = performance.now();;) {
      try {
        return await this.#watched.captureNow();
      } catch (error) {
        if (performance.now() - start > PATIENCE_MS) throw error;
        await sleep(HEALING_MS);
      }
    }
  }

  /** The checksum that is kept is that of the database as it is. */
  async #compare(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const { checksum } = await this.#captured();
      if (checksum !== undefined) {
        const image = await this.#image();
        const computed = databaseChecksum(image, this.#shape.pageSize);
        this.#expect(equalBytes(checksum, computed), "the checksum that is kept is not that of the database");
        this.#comparisons++;
        return;
      }
      this.#expect(performance.now() < deadline, "the page table is never known");
      await sleep(HEALING_MS);
    }
  }

  /** By copies that another process makes: a descriptor that this one closes would drop its locks. */
  async #image(): Promise<Uint8Array> {
    const copy = `${this.folder}/copy`;
    await shell(
      `mkdir -p '${copy}' && rm -f '${copy}'/* && cp '${this.#path}' '${copy}/' && ` +
        `{ [ ! -e '${this.#path}-wal' ] || cp '${this.#path}-wal' '${copy}/'; }`,
    );
    return databaseImage(`${copy}/app.db`, `${this.folder}/image`);
  }

  async #away(kind: Kind, random: () => number): Promise<void> {
    const place = { folder: this.folder, database: this.#path, replica: this.#replica, layout: this.#layout };
    const isIdle = kind === "deploy without writes" || kind === "page flipped";
    for (let i = 0, steps = isIdle ? 0 : 1 + randomInteger(random, 3); i < steps; i++) await this.#step(random);
    if (kind === "written, and kept open") return;
    if (kind.startsWith("replica put back")) {
      await shell(`rm -r '${this.#replica}' && cp -r '${this.folder}/kept' '${this.#replica}'`);
      if (kind === "replica put back far") forgetShadowWal(place);
    }
    if (kind.startsWith("replica's")) harmReplica(kind, random, place);
    if (!kind.startsWith("replica") || random() < 0.5) await this.#close();
    if (kind !== "killed") return;
    for (let kills = 1 + randomInteger(random, 2); kills > 0; kills--) await killDaemon(random, place);
  }

  /** The scrub finds a page that was flipped behind everybody's back, names it, and has it resynced. */
  async #flip(random: () => number): Promise<void> {
    await this.#application.run("PRAGMA wal_checkpoint(TRUNCATE)");
    await this.#replicated();
    const page = 2 + randomInteger(random, Deno.statSync(this.#path).size / this.#shape.pageSize - 1);
    const at = (page - 1) * this.#shape.pageSize + randomInteger(random, this.#shape.pageSize);
    // And flipped back: nobody could go on with what a flipped bit means to SQLite.
    for (let flips = 0; flips < 2; flips++) {
      const said = this.lines.length;
      await flipByte(this.folder, this.#path, at);
      // Where the watch looked between the write and the time's being put back, the time has told already.
      await this.#saidSince(
        said,
        new RegExp(` ERROR .*page ${page} of the database file| WARN .* overwritten in place`),
      );
      await this.#saidSince(said, /Resynced/);
      await this.#replicated();
    }
  }

  async #saidSince(lines: number, wanted: RegExp): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!this.lines.slice(lines).some((line) => wanted.test(line))) {
      this.#expect(performance.now() < deadline, `no line says ${wanted}`);
      await sleep(HEALING_MS);
    }
  }

  #healedBy(lines: readonly string[], uploaded: number): HistoryResult["healedBy"] {
    const says = (text: string) => lines.some((line) => line.includes(text));
    if (says("A new generation begins")) return "new generation";
    if (says("Making a snapshot")) return "snapshot";
    if (says("Caught up")) return "pages that changed";
    if (says("Resynced")) return "resync";
    return uploaded > 0 ? "segments" : "nothing";
  }
}
