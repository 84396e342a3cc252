/** A PASSIVE checkpoint of a large WAL takes seconds, in which a thread can do nothing else: it runs in a Worker. */
import type { SqliteValue } from "./driver.ts";
import { programUrl, SqliteWorker } from "./sqlite_worker.ts";

/** Runs a checkpoint of the database whose files were those, as `identify()` saw them. */
type PerformCheckpoint = (path: string, identity: string) => Promise<SqliteValue[] | undefined>;

export interface CheckpointOrder {
  readonly path: string;
  /** What SQLite is asked to open, for reading only and for both. */
  readonly readOnlyUri: string;
  readonly readWriteUri: string;
  /** As `identify()` saw it when the checkpoint was asked for. */
  readonly identity: string;
}

/**
 * - A connection that is opened beside others whose `-wal` was deleted or replaced meanwhile would copy the frames of a
 *   foreign file into the database. So the files' identity is compared before anything is opened, and again once the first
 *   read has opened all three: what was compared then is what is copied.
 * - The read-only connection, which has read, is closed last. It keeps the WAL in place whoever else has closed theirs.
 */
const PROGRAM = `
function identify(path) {
  return ["", "-wal", "-shm"].map((suffix) => {
    try {
      const { dev, ino } = Deno.statSync(path + suffix);
      return dev + ":" + ino;
    } catch {
      return "absent";
    }
  }).join();
}

function requireSameFiles({ path, identity }) {
  if (identify(path) !== identity) throw cannotOpen("other files stand under the name of " + path);
}

function perform(order) {
  requireSameFiles(order);
  const last = open(order.readOnlyUri, order.path, true);
  try {
    values(last, "PRAGMA user_version");
    const database = open(order.readWriteUri, order.path, false);
    try {
      values(database, "PRAGMA synchronous = NORMAL");
      values(database, "PRAGMA wal_autocheckpoint = 0");
      values(database, "PRAGMA user_version");
      requireSameFiles(order);
      return values(database, "PRAGMA wal_checkpoint(PASSIVE)");
    } finally {
      database.close();
    }
  } finally {
    last.close();
  }
}
`;

const PROGRAM_URL = programUrl(PROGRAM);

/** One checkpoint at a time: a Worker costs some 10 MB, and two would only share the disk. */
export class CheckpointQueue {
  readonly #perform: PerformCheckpoint;
  #last: Promise<unknown> = Promise.resolve();

  constructor(perform: PerformCheckpoint) {
    this.#perform = perform;
  }

  /** The row `[busy, log, checkpointed]`. The files are those that have the database's names at the time of the call. */
  checkpoint(path: string): Promise<SqliteValue[] | undefined> {
    const identity = identify(path);
    const result = this.#last.then(() => this.#perform(path, identity));
    this.#last = result.catch(() => {}); // The next one runs whatever became of this one.
    return result;
  }
}

export async function checkpointInWorker(order: CheckpointOrder): Promise<SqliteValue[] | undefined> {
  const worker = new SqliteWorker(PROGRAM_URL, `checkpoint ${order.path}`);
  try {
    return await worker.ask(order);
  } finally {
    worker.end();
  }
}

/** The twin of the function in the Worker's program. */
export function identify(path: string): string {
  return ["", "-wal", "-shm"].map((suffix) => {
    try {
      const { dev, ino } = Deno.statSync(path + suffix);
      return `${dev}:${ino}`;
    } catch {
      return "absent";
    }
  }).join();
}
