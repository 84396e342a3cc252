/**
 * SQLite in a Worker, a thread of this process, for what may take long: there a call may wait as long as it likes. Its
 * library is that of the main thread, which counts the connections of both on a file, so that opening and closing one over
 * there drops no POSIX lock of those over here.
 *
 * The Worker's program is text and its address holds it whole (`data:`), because a Worker's file is in no module graph: it
 * would be missing in a bundle and in an executable. An error that left that program would be printed with its stack, so
 * it answers with every error instead.
 */
import { messageOf, ReplicationError } from "../base/errors.ts";
import { ResultCode, SqliteError, TAKE_ANY_SCHEMA } from "./driver.ts";
import { explained, startWorker } from "./out_of_files.ts";

/** What every program begins with. Only errors of a prepared statement have a result code; the constructor's are always "cannot open". */
const BEGINNING = `
import { DatabaseSync } from "node:sqlite";

function cannotOpen(message) {
  return Object.assign(new Error(message), { errcode: ${ResultCode.cannotOpen} });
}

function open(uri, path, readOnly) {
  try {
    const database = new DatabaseSync(uri, { readOnly, timeout: 0, returnArrays: true, defensive: false });
    database.exec("PRAGMA busy_timeout = 0; ${TAKE_ANY_SCHEMA}"); // Where readOnly is, the constructor does not hear of it.
    return database;
  } catch {
    throw cannotOpen("unable to open database file " + path);
  }
}

function values(database, sql) {
  return database.prepare(sql).get();
}
`;

const END = `
function answer(order) {
  try {
    return { result: perform(order) };
  } catch (error) {
    return { resultCode: error?.errcode, message: String(error?.message ?? error) };
  }
}

onmessage = ({ data }) => postMessage(answer(data));
`;

type Answer<Result> =
  | { readonly result: Result }
  | { readonly resultCode: number | undefined; readonly message: string };

/** The address of a program that defines \`perform(order)\`. */
export function programUrl(text: string): string {
  return `data:text/javascript;charset=utf-8,${encodeURIComponent(BEGINNING + text + END)}`;
}

export class SqliteWorker {
  readonly #worker: Worker;
  readonly #act: string;
  readonly #started: () => void;

  /** `act` is for messages: `checkpoint /data/app.db`. */
  constructor(url: string, act: string) {
    this.#act = act;
    try {
      const { worker, started } = startWorker(act, () => new Worker(url, { type: "module", name: "sqlite" }));
      this.#worker = worker;
      this.#started = started;
    } catch (error) {
      throw error instanceof ReplicationError ? error : this.#error(messageOf(error));
    }
  }

  /** One order at a time. */
  async ask<Result>(order: unknown): Promise<Result> {
    const worker = this.#worker;
    const answer = await new Promise<Answer<Result>>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onmessageerror = () => reject(this.#error("its answer cannot be read"));
      worker.onerror = (event) => {
        event.preventDefault(); // Else it would be an error of this thread too.
        reject(this.#error(event.message));
      };
      worker.postMessage(order);
    }).finally(this.#started);
    if ("result" in answer) return answer.result;
    if (answer.resultCode !== undefined) throw explained(new SqliteError(answer.resultCode, answer.message));
    throw this.#error(answer.message);
  }

  /** Its connections must be closed: ending it would close them in any order. */
  end(): void {
    this.#started();
    this.#worker.terminate();
  }

  #error(reason: string): ReplicationError {
    return new ReplicationError("unavailable", `Cannot ${this.#act} beside other work: the Worker ended: ${reason}`);
  }
}
