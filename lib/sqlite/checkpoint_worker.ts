/**
 * A PASSIVE checkpoint of a large WAL takes seconds, in which a thread can do nothing else. Here it runs in a Worker, a
 * thread of this process: its SQLite is the library of the main thread, which counts the connections of both on a file, so
 * that opening and closing one over there drops no POSIX lock of those over here.
 *
 * The Worker's program is text and its address holds it whole (`data:`), because a Worker's file is in no module graph: it
 * would be missing in a bundle and in an executable. An error that left that program would be printed with its stack, so
 * it answers with every error instead.
 */
import { messageOf, ReplicationError } from "../base/errors.ts";
import { ResultCode, SqliteError, type SqliteValue } from "./driver.ts";

export interface CheckpointRequest {
  readonly path: string;
  /** What SQLite is asked to open, for reading only and for both. */
  readonly readOnlyUri: string;
  readonly readWriteUri: string;
}

interface CheckpointOrder extends CheckpointRequest {
  /** As `identify()` saw it when the checkpoint was asked for. */
  readonly identity: string;
}

type Answer =
  | { readonly row: SqliteValue[] | undefined }
  | { readonly resultCode: number | undefined; readonly message: string };

/**
 * - A connection that is opened beside others whose `-wal` was deleted or replaced meanwhile would copy the frames of a
 *   foreign file into the database. So the files' identity is compared before anything is opened, and again once the first
 *   read has opened all three: what was compared then is what is copied.
 * - The read-only connection, which has read, is closed last. It keeps the WAL in place whoever else has closed theirs.
 * - Only errors of a prepared statement have a result code; the constructor's are always "cannot open".
 */
const PROGRAM = `
import { DatabaseSync } from "node:sqlite";

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

function cannotOpen(message) {
  return Object.assign(new Error(message), { errcode: ${ResultCode.cannotOpen} });
}

function requireSameFiles({ path, identity }) {
  if (identify(path) !== identity) throw cannotOpen("other files stand under the name of " + path);
}

function open(uri, path, readOnly) {
  try {
    const database = new DatabaseSync(uri, { readOnly, timeout: 0, returnArrays: true });
    database.exec("PRAGMA busy_timeout = 0"); // Where readOnly is, the constructor does not hear of it.
    return database;
  } catch {
    throw cannotOpen("unable to open database file " + path);
  }
}

function values(database, sql) {
  return database.prepare(sql).get();
}

function checkpoint(order) {
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

function answer(order) {
  try {
    return { row: checkpoint(order) };
  } catch (error) {
    return { resultCode: error?.errcode, message: String(error?.message ?? error) };
  }
}

onmessage = ({ data }) => postMessage(answer(data));
`;

const PROGRAM_URL = `data:text/javascript;charset=utf-8,${encodeURIComponent(PROGRAM)}`;

/** Runs one checkpoint at a time: a Worker costs some 10 MB, and two would only share the disk. */
export class CheckpointQueue {
  #last: Promise<unknown> = Promise.resolve();

  /** The row `[busy, log, checkpointed]`. The files are those that have the database's names at the time of the call. */
  checkpoint(request: CheckpointRequest): Promise<SqliteValue[] | undefined> {
    const order = { ...request, identity: identify(request.path) };
    const result = this.#last.then(() => checkpointInWorker(order));
    this.#last = result.catch(() => {}); // The next one runs whatever became of this one.
    return result;
  }
}

async function checkpointInWorker(order: CheckpointOrder): Promise<SqliteValue[] | undefined> {
  const answer = await askWorker(order);
  if ("row" in answer) return answer.row;
  if (answer.resultCode !== undefined) throw new SqliteError(answer.resultCode, answer.message);
  throw workerError(order, answer.message);
}

async function askWorker(order: CheckpointOrder): Promise<Answer> {
  const worker = startWorker(order);
  try {
    return await new Promise<Answer>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onmessageerror = () => reject(workerError(order, "its answer cannot be read"));
      worker.onerror = (event) => {
        event.preventDefault(); // Else it would be an error of this thread too.
        reject(workerError(order, event.message));
      };
      worker.postMessage(order);
    });
  } finally {
    worker.terminate();
  }
}

function startWorker(order: CheckpointOrder): Worker {
  try {
    return new Worker(PROGRAM_URL, { type: "module", name: "checkpoint" });
  } catch (error) {
    throw workerError(order, messageOf(error));
  }
}

function workerError({ path }: CheckpointOrder, reason: string): ReplicationError {
  return new ReplicationError(
    "unavailable",
    `Cannot checkpoint ${path} beside other work: the Worker ended: ${reason}`,
  );
}

/** The twin of the function in the Worker's program. */
function identify(path: string): string {
  return ["", "-wal", "-shm"].map((suffix) => {
    try {
      const { dev, ino } = Deno.statSync(path + suffix);
      return `${dev}:${ino}`;
    } catch {
      return "absent";
    }
  }).join();
}
