/**
 * What the first read of a database must do before it can read: recover a long WAL, roll back a hot journal, change the mode.
 * That takes as long as the files are large, so it is done in a Worker. The connection that did it stays open until others
 * have read: the last one to leave would take what was made with it.
 */
import type { Preparation, PreparationOptions } from "./driver.ts";
import { programUrl, SqliteWorker } from "./sqlite_worker.ts";

interface PreparationRequest extends PreparationOptions {
  readonly path: string;
  /** What SQLite is asked to open, for reading only and for both. */
  readonly readOnlyUri: string;
  readonly readWriteUri: string;
}

/** The read-only connection is the last to be closed, which leaves the WAL where it is. */
const PROGRAM_URL = programUrl(`
let kept;

function write({ path, readWriteUri, enableWal }) {
  const database = open(readWriteUri, path, false);
  try {
    values(database, "PRAGMA wal_autocheckpoint = 0");
    values(database, "PRAGMA user_version");
    if (enableWal) values(database, "PRAGMA journal_mode = WAL");
    values(kept, "PRAGMA user_version");
  } finally {
    database.close();
  }
}

function prepare(order) {
  kept = open(order.readOnlyUri, order.path, true);
  try {
    if (order.mayWrite) write(order);
    else values(kept, "PRAGMA user_version");
  } catch (error) {
    kept.close();
    throw error;
  }
}

function perform(order) {
  if (order === "close") kept.close();
  else prepare(order);
  return null;
}
`);

export async function prepareInWorker(request: PreparationRequest): Promise<Preparation> {
  const worker = new SqliteWorker(PROGRAM_URL, `open ${request.path}`);
  try {
    await worker.ask(request);
  } catch (error) {
    worker.end();
    throw error;
  }
  return {
    close: async () => {
      try {
        await worker.ask("close");
      } finally {
        worker.end();
      }
    },
  };
}
