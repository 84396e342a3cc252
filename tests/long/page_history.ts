/**
 * One history of a database, from a seed: an application does what applications do, the checksum that is kept is compared
 * with one computed from scratch, then the program is away, and comes back to one of several kinds of trouble.
 */
import { equalBytes } from "../../lib/base/bytes.ts";
import { createLogger } from "../../lib/base/log.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { defaults } from "../../lib/config/defaults.ts";
import { WatchedDatabase } from "../../lib/database/database.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { FileReplicator } from "../../lib/replica/file_replicator.ts";
import { ReplicaStore } from "../../lib/store/replica_store.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { startReplicate } from "../support/daemon.ts";
import { comparePages, databaseImage } from "../support/database_image.ts";
import type { OtherProcess } from "../support/other_process.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { databaseChecksum } from "../support/xxh64.ts";
import { creation, randomShape, randomStep, type Shape } from "./application_steps.ts";

/** What happens while the program is away, or to what it left. */
export const KINDS = [
  "deploy",
  "deploy without writes",
  "written, and kept open",
  "killed",
  "page flipped",
  "replica behind",
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
  readonly folder: string;
}

export class Failed extends Error {}

const FILES = unsyncedFiles();
const PATIENCE_MS = 20_000;
const HEALING_MS = 5;

export async function runHistory(
  seed: number,
  kind: Kind,
  folder: string,
  application: OtherProcess,
): Promise<HistoryResult> {
  const random = seededRandom(seed);
  const shape = randomShape(random);
  const layout: Layout = random() < 0.5 ? "raw" : "litestream";
  const history = new History(folder, shape, layout, application);
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

  constructor(readonly folder: string, shape: Shape, layout: Layout, application: OtherProcess) {
    this.#path = `${folder}/app.db`;
    this.#replica = `${folder}/replica`;
    this.#shape = shape;
    this.#layout = layout;
    this.#application = application;
  }

  async run(kind: Kind, random: () => number): Promise<HistoryResult> {
    await this.#open();
    await this.#application.runAll(creation(this.#shape));
    await this.#watch();
    const kept = `${this.folder}/kept`;
    for (let i = 0, steps = 3 + randomInteger(random, 6); i < steps; i++) {
      await this.#step(random);
      if (random() < 0.5) await this.#compare();
      if (i === 2) {
        await this.#replicated();
        await sh(`cp -r '${this.#replica}' '${kept}'`);
      }
    }
    await this.#compare();
    await this.#replicated();
    const generation = this.#database?.generation();
    if (kind === "page flipped") await this.#flip(random);
    const before = await this.#image();
    await this.#leave();

    await this.#away(kind, random, kept);
    const isClosed = !this.#isApplicationOpen;
    const after = await this.#image();
    const changedPages = comparePages(before, after).different.length;
    const held = bytesOf(this.#replica);
    const said = this.lines.length;
    await this.#watch();
    await this.#replicated();
    const uploaded = bytesOf(this.#replica) - held;
    await this.#compare();
    const healedBy = this.#healedBy(this.lines.slice(said), uploaded);
    this.#expect(this.#database?.generation() === generation, `a new generation began`);
    if (isClosed && healedBy === "resync" && !kind.startsWith("replica")) {
      const most = (changedPages + 3) * (this.#shape.pageSize + 64) + 4_096;
      this.#expect(uploaded <= most, `${uploaded} bytes were uploaded for ${changedPages} pages`);
    }
    if (kind === "deploy without writes") this.#expect(uploaded === 0, `${uploaded} bytes were uploaded for nothing`);
    if (kind === "replica's snapshot lost") this.#expect(healedBy === "snapshot", `it was healed by ${healedBy}`);
    else this.#expect(healedBy !== "snapshot", "a snapshot was made");

    if (!this.#isApplicationOpen) await this.#open();
    for (let i = 0; i < 2; i++) await this.#step(random);
    await this.#compare();
    await this.#replicated();
    const image = await this.#image();
    await this.#leave();
    const restored = `${this.folder}/restored.db`;
    const { checksum } = await restoreFrom(this.#store, restored);
    this.#expect(checksum === "equal", "the restore had no checksum to compare with");
    const { different } = comparePages(image, Deno.readFileSync(restored));
    this.#expect(different.length === 0, `restored pages differ: ${different.slice(0, 10)}`);
    return {
      kind,
      comparisons: this.#comparisons,
      uploaded,
      changedPages,
      healedBy,
      layout: this.#layout,
      folder: this.folder,
    };
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
    const platform = { clock, files: FILES, random: new SystemRandom() };
    this.#database = new WatchedDatabase(platform, createNodeDriver(), settings, log, () => undefined);
    this.#database.start();
    await this.#database.opened;
    this.#replicator = new FileReplicator({
      source: this.#database,
      store: this.#store,
      place: this.#replica,
      clock,
      log,
      syncIntervalMs: 0,
    });
    await this.#replicator.start();
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
        const { database } = { database: this.#database };
        if (database === undefined) throw new Error("nobody watches");
        return await database.captureNow();
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
    await sh(
      `mkdir -p '${copy}' && rm -f '${copy}'/* && cp '${this.#path}' '${copy}/' && ` +
        `{ [ ! -e '${this.#path}-wal' ] || cp '${this.#path}-wal' '${copy}/'; }`,
    );
    return databaseImage(`${copy}/app.db`, `${this.folder}/image`);
  }

  async #away(kind: Kind, random: () => number, kept: string): Promise<void> {
    const write = async () => {
      for (let i = 0, steps = 1 + randomInteger(random, 3); i < steps; i++) await this.#step(random);
    };
    switch (kind) {
      case "deploy":
        await write();
        return await this.#close();
      case "deploy without writes":
      case "page flipped":
        return await this.#close();
      case "written, and kept open":
        return await write();
      case "killed": {
        await write();
        await this.#close();
        for (let kills = 1 + randomInteger(random, 2); kills > 0; kills--) await this.#kill(random);
        return;
      }
      case "replica behind":
        await write();
        await sh(`rm -r '${this.#replica}' && cp -r '${kept}' '${this.#replica}'`);
        return await this.#close();
      default:
        return this.#harm(kind, random);
    }
  }

  /** The real program, killed at a moment of which nobody knows what it is doing then. */
  async #kill(random: () => number): Promise<void> {
    const config = `${this.folder}/tailrace.yml`;
    const replicas = `[{path: ${this.#replica}, layout: ${this.#layout}, sync-interval: 0s}]`;
    const dbs = `dbs: [{path: ${this.#path}, meta-path: ${this.folder}/meta, replicas: ${replicas}}]\n`;
    Deno.mkdirSync(`${this.folder}/meta`, { recursive: true });
    await sh(
      `ln -sfn ../state '${this.folder}/meta/tailrace' 2>/dev/null; rm -f '${this.folder}/meta/tailrace'; ` +
        `mv '${this.folder}/state' '${this.folder}/meta/tailrace'`,
    );
    Deno.writeTextFileSync(config, dbs);
    const daemon = startReplicate(["--config", config]);
    try {
      await daemon.line("databases=1");
      await sleep(random() * 120);
      await daemon.stop("SIGKILL");
    } finally {
      await daemon[Symbol.asyncDispose]();
      await sh(`mv '${this.folder}/meta/tailrace' '${this.folder}/state'`);
    }
  }

  #harm(kind: Kind, random: () => number): void {
    const root = `${this.#replica}/generations`;
    const [generation = ""] = [...Deno.readDirSync(root)].map(({ name }) => name);
    if (kind === "replica's snapshot lost") {
      return Deno.removeSync(`${root}/${generation}/snapshots`, { recursive: true });
    }
    const folder = `${root}/${generation}/wal`;
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => !name.endsWith(".commits"));
    const last = `${folder}/${names.sort().at(-1)}`;
    const { size } = Deno.statSync(last);
    if (kind === "replica's last object lost") {
      Deno.removeSync(last);
      if (this.#layout === "raw") Deno.removeSync(last.replace(/wal$/, "commits"));
    } else if (kind === "replica's last object cut") Deno.truncateSync(last, randomInteger(random, size));
    else {
      const bytes = Deno.readFileSync(last);
      const at = randomInteger(random, size);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << randomInteger(random, 8));
      Deno.writeFileSync(last, bytes);
    }
  }

  /** One bit of a page at rest, behind everybody's back: its time is put back as it was. */
  async #flip(random: () => number): Promise<void> {
    await this.#application.run("PRAGMA wal_checkpoint(TRUNCATE)");
    await this.#replicated();
    const size = Deno.statSync(this.#path).size;
    const page = 2 + randomInteger(random, size / this.#shape.pageSize - 1);
    const at = (page - 1) * this.#shape.pageSize + randomInteger(random, this.#shape.pageSize);
    const said = this.lines.length;
    const [reference, byte] = [`${this.folder}/reference`, `${this.folder}/byte`];
    await sh(
      `touch -r '${this.#path}' '${reference}' && ` +
        `dd if='${this.#path}' of='${byte}' bs=1 skip=${at} count=1 2>/dev/null && ` +
        `perl -e 'local $/; open(F, "<", $ARGV[0]); $b = <F>; print chr(ord($b) ^ 8)' '${byte}' > '${byte}2' && ` +
        `dd if='${byte}2' of='${this.#path}' bs=1 seek=${at} conv=notrunc 2>/dev/null && ` +
        `touch -r '${reference}' '${this.#path}'`,
    );
    const deadline = performance.now() + PATIENCE_MS;
    const wanted = new RegExp(`page ${page} of the database file`);
    const isNamed = () => this.lines.slice(said).some((line) => / ERROR /.test(line) && wanted.test(line));
    while (!isNamed()) {
      this.#expect(performance.now() < deadline, `nobody found the flipped page ${page}`);
      await sleep(HEALING_MS);
    }
    while (!this.lines.slice(said).some((line) => line.includes("Resynced"))) {
      this.#expect(performance.now() < deadline, `the flipped page ${page} is not resynced`);
      await sleep(HEALING_MS);
    }
    await this.#replicated();
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

export function bytesOf(folder: string): number {
  let bytes = 0;
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    bytes += isDirectory ? bytesOf(`${folder}/${name}`) : Deno.statSync(`${folder}/${name}`).size;
  }
  return bytes;
}

async function sh(script: string): Promise<void> {
  const { code, stderr } = await new Deno.Command("sh", { args: ["-c", script], stderr: "piped" }).output();
  if (code !== 0) throw new Error(`${script}: ${new TextDecoder().decode(stderr)}`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
