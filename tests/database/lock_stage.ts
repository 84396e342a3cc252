import { WalIndex, type WalIndexHeader } from "../../lib/database/wal_index.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileHandle } from "../../lib/platform/file_system.ts";
import type { SqliteConnection } from "../../lib/sqlite/driver.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { parseWalHeader, WAL_HEADER_SIZE, type WalHeader } from "../../lib/wal/header.ts";
import { assert } from "../support/assert.ts";
import { heldSlots } from "../support/locks.ts";
import { type OtherProcess, type OtherProcessOptions, startOtherProcess } from "../support/other_process.ts";

/**
 * A database in WAL mode that an application, another process, has open, and we beside it, in this process. The files of
 * the database are opened once and closed after our last connection, as the program does it.
 */
export class LockStage implements AsyncDisposable {
  readonly path: string;
  readonly application: OtherProcess;
  readonly walIndex: WalIndex;
  readonly #folder: string;
  readonly #database: FileHandle;
  readonly #wal: FileHandle;
  readonly #connections: SqliteConnection[] = [];

  private constructor(folder: string, application: OtherProcess) {
    const files = new DenoFileSystem();
    this.#folder = folder;
    this.path = `${folder}/app.db`;
    this.application = application;
    this.walIndex = WalIndex.open(files, `${this.path}-shm`);
    this.#database = files.open(this.path, "read");
    this.#wal = files.open(`${this.path}-wal`, "read");
  }

  /** The application's connection has no busy timeout and a table `entry (body)`; the WAL holds some frames, none copied. */
  static async set(options: OtherProcessOptions = {}): Promise<LockStage> {
    const folder = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "tailrace-test-" }));
    const application = startOtherProcess(options);
    await application.open(`${folder}/app.db`, { create: true });
    await application.runAll([
      "PRAGMA journal_mode = WAL",
      "PRAGMA synchronous = NORMAL",
      "CREATE TABLE entry (body)",
      "INSERT INTO entry VALUES ('first')",
    ]);
    return new LockStage(folder, application);
  }

  get shmPath(): string {
    return `${this.path}-shm`;
  }

  get walPath(): string {
    return `${this.path}-wal`;
  }

  connect(): SqliteConnection {
    const connection = createNodeDriver().open(this.path, {});
    this.#connections.push(connection);
    return connection;
  }

  /** A connection of ours with a read transaction. */
  hold(connection: SqliteConnection = this.connect()): SqliteConnection {
    connection.execute("BEGIN");
    connection.values("PRAGMA user_version");
    return connection;
  }

  ourSlots(): readonly number[] {
    return heldSlots(this.shmPath, Deno.pid);
  }

  header(): WalIndexHeader {
    const header = this.walIndex.read();
    assert(header !== undefined, "the wal-index can be read");
    return header;
  }

  /** The WAL's own header. */
  walHeader(): WalHeader {
    const bytes = new Uint8Array(WAL_HEADER_SIZE);
    this.#wal.readAt(bytes, 0);
    const parsed = parseWalHeader(bytes);
    assert(parsed.ok, "the WAL has a header");
    return parsed.header;
  }

  walBytes(): Uint8Array {
    return wholeFile(this.#wal);
  }

  databaseBytes(): Uint8Array {
    return wholeFile(this.#database);
  }

  /** The application commits that many transactions. */
  async commit(times = 1, connection = "main"): Promise<void> {
    await this.application.runAll(Array(times).fill("INSERT INTO entry VALUES (randomblob(100))"), connection);
  }

  /** The application's checkpoint: busy, frames in the WAL, frames copied. */
  async checkpoint(mode: string, connection = "main"): Promise<readonly unknown[]> {
    const [row] = await this.application.run(`PRAGMA wal_checkpoint(${mode})`, connection);
    assert(row !== undefined, "a checkpoint has a row");
    return row;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.close();
    for (const file of [this.walIndex, this.#database, this.#wal]) file.close();
    await this.application.kill();
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

function wholeFile(file: FileHandle): Uint8Array {
  const bytes = new Uint8Array(file.size());
  file.readAt(bytes, 0);
  return bytes;
}
