/**
 * Writes pages into a file on a thread of its own, so that who reads and checks them need not wait for the disk: nearly all
 * pages of a restored database lie apart from each other, and each is a call of its own.
 *
 * The Worker's program is text and its address holds it whole (`data:`), because a Worker's file is in no module graph: it
 * would be missing in a bundle and in an executable. It answers with every error, since one that left it would be printed.
 */
import { ReplicationError } from "../base/errors.ts";
import { fileError } from "./file_error.ts";

/** Both arrays are of shared memory, and not touched by others until they are written. */
export interface PagesToWrite {
  readonly pages: Uint8Array<SharedArrayBuffer>;
  /** Ascending; page number times `slotsMax` plus the slot in `pages` that it is in. */
  readonly keys: Float64Array<SharedArrayBuffer>;
  readonly count: number;
  readonly pageSize: number;
  readonly slotsMax: number;
}

export interface PageWriter {
  /** One at a time. */
  write(batch: PagesToWrite): Promise<void>;
  /** After the last write; nothing is synced. */
  close(): Promise<void>;
}

const STAGING_BYTES = 256 << 10;

const PROGRAM = `
import fs from "node:fs";
let descriptor;
const staging = new Uint8Array(${STAGING_BYTES});

function writeWhole(bytes, position) {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(descriptor, bytes, done, bytes.length - done, position + done);
  }
}

function write({ pages, keys, count, pageSize, slotsMax }) {
  let staged = 0;
  let first = 0;
  let next = 0;
  for (let at = 0; at < count; at++) {
    const page = Math.floor(keys[at] / slotsMax);
    const from = (keys[at] - page * slotsMax) * pageSize;
    if (staged > 0 && (page !== next || staged + pageSize > staging.length)) {
      writeWhole(staging.subarray(0, staged), (first - 1) * pageSize);
      staged = 0;
    }
    if (staged === 0) first = page;
    staging.set(pages.subarray(from, from + pageSize), staged);
    staged += pageSize;
    next = page + 1;
  }
  if (staged > 0) writeWhole(staging.subarray(0, staged), (first - 1) * pageSize);
}

function work(order) {
  if (order.open !== undefined) descriptor = fs.openSync(order.open, "r+");
  else if (order.batch !== undefined) write(order.batch);
  else if (descriptor !== undefined) fs.closeSync(descriptor);
}

onmessage = ({ data }) => {
  try {
    work(data);
    postMessage({});
  } catch (error) {
    postMessage({ code: error?.code, message: String(error?.message ?? error) });
  }
};
`;

const PROGRAM_URL = `data:text/javascript;charset=utf-8,${encodeURIComponent(PROGRAM)}`;

type Order = { readonly open: string } | { readonly batch: PagesToWrite } | { readonly close: true };

/** For a file that is there. Throws what keeps it from being opened at the first write. */
export function openPageWriter(path: string): PageWriter {
  return new WorkerPageWriter(path);
}

class WorkerPageWriter implements PageWriter {
  readonly #path: string;
  readonly #worker = new Worker(PROGRAM_URL, { type: "module", name: "page writer" });
  #opened: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async write(batch: PagesToWrite): Promise<void> {
    await (this.#opened ??= this.#ask({ open: this.#path }));
    await this.#ask({ batch });
  }

  async close(): Promise<void> {
    try {
      if (this.#opened !== undefined) await this.#ask({ close: true });
    } finally {
      this.#worker.terminate();
    }
  }

  #ask(order: Order): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => {
        if (data.message === undefined) return resolve();
        reject(fileError("write", this.#path, Object.assign(new Error(data.message), { code: data.code })));
      };
      this.#worker.onerror = (event) => {
        event.preventDefault(); // Else it would be an error of this thread too.
        reject(new ReplicationError("failed", `Cannot write ${this.#path}: the Worker ended: ${event.message}`));
      };
      this.#worker.postMessage(order);
    });
  }
}
