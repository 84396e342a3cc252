/** A database, its replica, an application and the real program: what every test of the whole is made of. */
import { DatabaseSync } from "node:sqlite";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { Generation } from "../../lib/position/generation.ts";
import { asIndex, formatPosition, type Index } from "../../lib/position/position.ts";
import type { RestoreTarget } from "../../lib/restore/target.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import type { GenerationCatalog, GenerationStore } from "../../lib/store/generation_store.ts";
import { ReplicaStore } from "../../lib/store/replica_store.ts";
import { assertEquals, assertMatch, fail } from "../support/assert.ts";
import { type Daemon, type DaemonOptions, startDaemon, startReplicate, until } from "../support/daemon.ts";
import { comparePages, databaseImage } from "../support/database_image.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

export class Scene {
  readonly folder: string;
  readonly database: string;
  readonly replica: string;
  readonly #applications: DatabaseSync[] = [];
  readonly #daemons: Daemon[] = [];
  #restores = 0;

  readonly layout: Layout;

  constructor(folder: string, replica = "replica", layout: Layout = "raw") {
    this.folder = folder;
    this.layout = layout;
    this.database = `${folder}/data/app.db`;
    this.replica = `${folder}/${replica}`;
    Deno.mkdirSync(`${folder}/data`, { recursive: true });
  }

  get wal(): string {
    return `${this.database}-wal`;
  }

  get state(): string {
    return `${this.folder}/data/.app.db-tailrace`;
  }

  get store(): GenerationStore {
    const client = new FileReplicaClient(new DenoFileSystem(), this.replica);
    return new ReplicaStore(client, { chooseLayout: () => this.layout });
  }

  /** A connection of the application, in this process, with the table `entry` in WAL mode. */
  application(): DatabaseSync {
    const application = this.connect();
    application.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    application.exec("CREATE TABLE IF NOT EXISTS entry(n INTEGER PRIMARY KEY, body BLOB)");
    return application;
  }

  connect(): DatabaseSync {
    const connection = new DatabaseSync(this.database, { timeout: 5_000 });
    this.#applications.push(connection);
    return connection;
  }

  daemon(options: DaemonOptions = {}): Daemon {
    const daemon = this.layout === "raw"
      ? startDaemon(this.database, this.replica, options)
      : startReplicate([...(options.flags ?? []), "--config", this.config([])], options);
    this.#daemons.push(daemon);
    return daemon;
  }

  /** With more keys of the config, one a line, than the command line can say. */
  configuredDaemon(keys: readonly string[]): Daemon {
    const daemon = startReplicate(["--config", this.config(keys)]);
    this.#daemons.push(daemon);
    return daemon;
  }

  /** Writes a config with these keys, one a line: of the database, and of the whole. */
  config(keys: readonly string[], global: readonly string[] = []): string {
    const config = `${this.folder}/tailrace.yml`;
    const replica = `{path: ${this.replica}, layout: ${this.layout}, sync-interval: 0s}`;
    const lines = [`path: ${this.database}`, ...keys, `replicas: [${replica}]`];
    Deno.writeTextFileSync(config, [...global, `dbs:\n  - ${lines.join("\n    ")}\n`].join("\n"));
    return config;
  }

  /** The names of the generations on the replica, the current one of the state last. */
  async generations(): Promise<readonly Generation[]> {
    const current = Deno.readTextFileSync(`${this.state}/generation`).split("\n")[0];
    const all = await this.store.generations();
    return all.toSorted((a, b) => Number(a === current) - Number(b === current));
  }

  /** Restores a point of the replica; its bytes. */
  async restored(target?: RestoreTarget): Promise<Uint8Array> {
    const output = `${this.replica}-restored-${this.#restores++}.db`;
    await restoreFrom(this.store, output, target);
    return Deno.readFileSync(output);
  }

  /** The database as it is now, of which nobody may hold locks in this process. */
  image(): Uint8Array {
    return databaseImage(this.database, `${this.folder}/image`);
  }

  /** The newest point of the current generation is the database, page by page. */
  async expectEqual(): Promise<void> {
    const generation = (await this.generations()).at(-1);
    const restored = await this.restored({ kind: "latest", ...(generation === undefined ? {} : { generation }) });
    assertEquals(comparePages(this.image(), restored).different, []);
  }

  /** Every restorable point of a generation with its database; the key is the position as text. */
  async points(generation: Generation): Promise<Map<string, Uint8Array>> {
    const points = new Map<string, Uint8Array>();
    const { snapshots, wals } = await this.store.catalog(generation);
    const first = snapshots[0]?.record;
    for (const { index } of wals) {
      for (const record of await this.store.records(generation, index)) {
        const isBeforeSnapshot = index === snapshots[0]?.index && record.end < (first?.end ?? 0);
        if (record.indexClosed || isBeforeSnapshot) continue;
        const position = { generation, index, offset: record.end };
        points.set(formatPosition(position), await this.restored({ kind: "position", position, generation }));
      }
    }
    return points;
  }

  /** Waits until the replica holds all that the daemon has captured. */
  async replicated(): Promise<void> {
    await until(async () => {
      const generation = (await this.generations()).at(-1);
      if (generation === undefined) return false;
      const folder = `${this.state}/shadow/${generation}`;
      const newest = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".wal"))
        .sort()
        .at(-1);
      const last = (await this.#catalogUnlessRepaired(generation))?.wals.at(-1);
      return newest !== undefined && last?.index === parseInt(newest, 16) &&
        last.lastRecord?.end === Deno.statSync(`${folder}/${newest}`).size;
    }, "the replica to hold what is captured");
  }

  /** Undefined while a daemon takes a damaged end back: a reader is then told to try again. */
  async #catalogUnlessRepaired(generation: Generation): Promise<GenerationCatalog | undefined> {
    try {
      return await this.store.catalog(generation);
    } catch (error) {
      if (error instanceof ReplicationError && error.code === "unavailable") return undefined;
      throw error;
    }
  }

  /** Makes the daemon begin a generation: its state is found under another lock, and of another history. */
  async newGeneration(daemon: Daemon): Promise<void> {
    const said = daemon.lines.length;
    const state = Deno.readTextFileSync(`${this.state}/generation`);
    Deno.writeTextFileSync(`${this.state}/generation`, state.replace(/^./, (digit) => digit === "0" ? "1" : "0"));
    Deno.renameSync(`${this.state}/lock`, `${this.state}/lock.gone`);
    await daemon.line("A new generation begins", said);
    await daemon.line("Snapshot done", said);
  }

  /** Generation and index of the newest WAL of the current generation. */
  async newestWal(): Promise<[Generation, Index]> {
    const generation = (await this.generations()).at(-1) ?? fail("There is no generation");
    return [generation, (await this.store.catalog(generation)).wals.at(-1)?.index ?? asIndex(0)];
  }

  async end(): Promise<void> {
    for (const application of this.#applications) if (application.isOpen) application.close();
    for (const daemon of this.#daemons) await daemon[Symbol.asyncDispose]();
  }
}

export async function withScene(work: (scene: Scene) => Promise<void>, layout: Layout = "raw"): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const scene = new Scene(folder, "replica", layout);
    try {
      await work(scene);
    } finally {
      await scene.end();
    }
  });
}

const SENTENCE = /^Cannot \S+ .+: .+$/;

/** The one line that says what is the matter, as every refusal does. */
export function expectRefusal(daemon: Daemon, message: string): void {
  const plain = daemon.lines.filter((line) => SENTENCE.test(line));
  assertEquals(plain, [message]);
  for (const line of daemon.lines) {
    assertMatch(line, /^(Cannot |Try: |Advice: |\d{4}-)/, "every line is a message or of the log");
  }
}

export function insert(application: DatabaseSync, rows: number, bytes = 200): void {
  const statement = application.prepare("INSERT INTO entry(body) VALUES(randomblob(?))");
  for (let i = 0; i < rows; i++) statement.run(bytes);
}
