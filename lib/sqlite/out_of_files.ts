import { RAISE_OPEN_FILES, TOO_MANY_OPEN_FILES } from "../platform/file_error.ts";
import { ReplicationError } from "../base/errors.ts";
import { hasSpareDescriptors } from "../platform/spare_descriptors.ts";
import { ResultCode, SqliteError } from "./driver.ts";

/** A connection opens database, WAL and wal-index, and closes them again when one of them cannot be had. */
const FILES_OF_CONNECTION = 4;
/** What a Worker opens before its first line; the run-time ends the whole process where it cannot. 6, and some for others. */
const FILES_OF_WORKER = 16;

let startingWorkers = 0;

/** SQLite says that it cannot open a file whatever keeps it from that; too many open files are no fault of the file's. */
export function explained(error: SqliteError): SqliteError {
  if (error.primaryCode !== ResultCode.cannotOpen || hasSpareDescriptors(FILES_OF_CONNECTION)) return error;
  return new SqliteError(error.resultCode, `${error.message}: ${TOO_MANY_OPEN_FILES}`, true);
}

/** Starts a Worker, unless there may be too few files left for it. Whoever has heard of it calls what is returned. */
export function startWorker(
  act: string,
  start: () => Worker,
): { readonly worker: Worker; readonly started: () => void } {
  if (!hasSpareDescriptors(FILES_OF_WORKER * (startingWorkers + 1))) {
    throw new ReplicationError("unavailable", `Cannot ${act} beside other work: ${TOO_MANY_OPEN_FILES}`, {
      advice: RAISE_OPEN_FILES,
    });
  }
  const worker = start();
  startingWorkers++;
  let isStarting = true;
  const started = () => {
    if (isStarting) startingWorkers--;
    isStarting = false;
  };
  return { worker, started };
}
