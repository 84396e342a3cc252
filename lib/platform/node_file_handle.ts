import fs from "node:fs";
import { assert } from "../base/assert.ts";
import type { Semaphore } from "../base/semaphore.ts";
import { translated, translatedLater } from "./file_error.ts";
import type { FileHandle } from "./file_system.ts";
import { descriptorCalls, duplicate, isLockedByOthers } from "./libc.ts";

export class NodeFileHandle implements FileHandle {
  readonly #descriptor: number;
  readonly #path: string;
  readonly #calls: Semaphore | undefined;
  /** Writes on another thread. They use the descriptor itself: closed under them, its number might be another file's. */
  readonly #changes = new Set<Promise<void>>();
  #isUnsynced = false;

  /** `calls` bounds what is under way at once off the event loop. */
  constructor(descriptor: number, path: string, calls?: Semaphore) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.#calls = calls;
  }

  readAt(into: Uint8Array, position: number): number {
    return translated("read", this.#path, () => {
      let done = 0;
      while (done < into.length) {
        const count = fs.readSync(this.#descriptor, into, done, into.length - done, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  writeAt(bytes: Uint8Array, position: number): void {
    translated("write", this.#path, () => {
      let done = 0;
      while (done < bytes.length) {
        done += fs.writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
      }
    });
  }

  readAtLater(into: Uint8Array, position: number): Promise<number> {
    return this.#later("read", async () => {
      let done = 0;
      while (done < into.length) {
        const count = await promised<number>((callback) =>
          fs.read(this.#descriptor, into, done, into.length - done, position + done, callback)
        );
        if (count === 0) break;
        done += count;
      }
      return done;
    });
  }

  writeAtLater(bytes: Uint8Array, position: number): Promise<void> {
    return this.#change("write", async () => {
      let done = 0;
      while (done < bytes.length) done += await this.#writeSome(bytes.subarray(done), position + done);
    });
  }

  size(): number {
    return translated("look at", this.#path, () => fs.fstatSync(this.#descriptor).size);
  }

  truncate(size: number): void {
    translated("truncate", this.#path, () => fs.ftruncateSync(this.#descriptor, size));
  }

  truncateLater(size: number): Promise<void> {
    return this.#change("truncate", async () => {
      const result = await descriptorCalls?.truncateLater(this.#descriptor, BigInt(size));
      if (result !== 0) fs.ftruncateSync(this.#descriptor, size);
    });
  }

  sync(): Promise<void> {
    return this.#later("sync", async () => {
      await promised<void>((done) => fs.fdatasync(this.#descriptor, done));
      this.#isUnsynced = this.#changes.size > 0;
    });
  }

  syncNow(): void {
    translated("sync", this.#path, () => fs.fdatasyncSync(this.#descriptor));
  }

  isLockedByOthers(at: number): boolean | undefined {
    return isLockedByOthers(this.#descriptor, at);
  }

  close(): void {
    assert(this.#changes.size === 0, "a file is closed when its last write has ended");
    fs.closeSync(this.#descriptor);
  }

  /**
   * Each close of a descriptor waits until its file's bytes are written, the last one also for the device to be told. The
   * run-time must close what it opened, and does so on the event loop: hence between two duplicates, with nothing to wait for.
   */
  async closeLater(): Promise<void> {
    await Promise.allSettled(this.#changes);
    await this.#later("close", async () => {
      if (this.#isUnsynced) await closeDuplicate(duplicate(this.#descriptor));
      const last = duplicate(this.#descriptor);
      this.close();
      await closeDuplicate(last);
    });
  }

  #change(act: string, work: () => Promise<void>): Promise<void> {
    this.#isUnsynced = true;
    const change = this.#later(act, work).finally(() => this.#changes.delete(change));
    this.#changes.add(change);
    return change;
  }

  #later<T>(act: string, work: () => Promise<T>): Promise<T> {
    const translatedWork = () => translatedLater(act, this.#path, work);
    return this.#calls === undefined ? translatedWork() : this.#calls.run(translatedWork);
  }

  /**
   * Not by `fs.write`, which writes on the event loop, and not by `Deno.FsFile`, which closes a duplicate of its descriptor
   * there after each write. What failed is done again by the run-time, which tells why.
   */
  async #writeSome(bytes: Uint8Array, position: number): Promise<number> {
    const length = BigInt(bytes.length);
    const written = await descriptorCalls?.writeLater(this.#descriptor, bytes, length, BigInt(position));
    if (written !== undefined && written >= 0) return Number(written);
    return fs.writeSync(this.#descriptor, bytes, 0, bytes.length, position);
  }
}

async function closeDuplicate(descriptor: number | undefined): Promise<void> {
  if (descriptor !== undefined) await descriptorCalls?.closeLater(descriptor);
}

/** A callback function of `node:fs` as a promise. */
export function promised<T>(start: (callback: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, value) => error ? reject(error) : resolve(value as T)));
}
