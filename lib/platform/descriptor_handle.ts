import { assert } from "../base/assert.ts";
import type { Semaphore } from "../base/semaphore.ts";
import { translated, translatedLater } from "./file_error.ts";
import type { ByteLock, FileHandle } from "./file_system.ts";
import type { SystemCalls } from "./system_calls.ts";

export class DescriptorHandle implements FileHandle {
  readonly #system: SystemCalls;
  readonly #descriptor: number;
  readonly #path: string;
  readonly #calls: Semaphore | undefined;
  /** Writes and syncs on another thread. Closed under them, the descriptor's number might be another file's. */
  readonly #changes = new Set<Promise<void>>();
  /**
   * Bytes that are locked. Closing alone does not always end that: a child that is being started has our descriptors, too,
   * until its own program runs.
   */
  readonly #locked = new Set<number>();
  /** The same of reads, which nobody need wait for to close it: it is closed after them. */
  readonly #reads = new Set<Promise<number>>();

  /** `calls` bounds what is under way at once off the event loop. */
  constructor(system: SystemCalls, descriptor: number, path: string, calls?: Semaphore) {
    this.#system = system;
    this.#descriptor = descriptor;
    this.#path = path;
    this.#calls = calls;
  }

  readAt(into: Uint8Array, position: number): number {
    return translated("read", this.#path, () => {
      let done = 0;
      while (done < into.length) {
        const count = this.#system.read(this.#descriptor, into.subarray(done), position + done);
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
        done += this.#system.write(this.#descriptor, bytes.subarray(done), position + done);
      }
    });
  }

  readAtLater(into: Uint8Array, position: number): Promise<number> {
    const read = this.#later("read", async () => {
      let done = 0;
      while (done < into.length) {
        const count = await this.#system.readLater(this.#descriptor, into.subarray(done), position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    }).finally(() => this.#reads.delete(read));
    this.#reads.add(read);
    return read;
  }

  writeAtLater(bytes: Uint8Array, position: number): Promise<void> {
    return this.#change("write", async () => {
      let done = 0;
      while (done < bytes.length) {
        done += await this.#system.writeLater(this.#descriptor, bytes.subarray(done), position + done);
      }
    });
  }

  size(): number {
    return translated("look at", this.#path, () => this.#system.size(this.#descriptor));
  }

  truncate(size: number): void {
    translated("truncate", this.#path, () => this.#system.truncate(this.#descriptor, size));
  }

  truncateLater(size: number): Promise<void> {
    return this.#change("truncate", () => this.#system.truncateLater(this.#descriptor, size));
  }

  sync(): Promise<void> {
    return this.#change("sync", () => this.#system.syncDataLater(this.#descriptor));
  }

  syncNow(): void {
    translated("sync", this.#path, () => this.#system.syncData(this.#descriptor));
  }

  flush(): Promise<void> {
    return this.#change("flush", () => this.#system.flushLater(this.#descriptor));
  }

  forget(): Promise<void> {
    return this.#change("let go of", () => this.#system.forgetLater(this.#descriptor));
  }

  isLockedByOthers(at: number, how?: "forItself"): boolean | undefined {
    return this.#system.isLockedByOthers(this.#descriptor, at, how);
  }

  share(at: number, length: number): ByteLock | undefined {
    if (!this.#system.share(this.#descriptor, at, length)) return undefined;
    return {
      release: () => translated("unlock", this.#path, () => this.#system.unshare(this.#descriptor, at, length)),
    };
  }

  identityLater(): Promise<string | undefined> {
    return this.#later("look at", () => this.#system.identityLater(this.#descriptor));
  }

  async lockLater(at: number): Promise<boolean | undefined> {
    const isLocked = await this.#later("lock", () => this.#system.lockLater(this.#descriptor, at));
    if (isLocked === true) this.#locked.add(at);
    return isLocked;
  }

  close(): void {
    this.#assertUnchanging();
    if (this.#reads.size > 0) return void this.#closeAfterCalls().catch(() => {}); // Nothing of what was only read is lost.
    for (const at of this.#locked) this.#system.unshare(this.#descriptor, at, 1);
    translated("close", this.#path, () => this.#system.close(this.#descriptor));
  }

  closeLater(): Promise<void> {
    return this.#closeAfterCalls();
  }

  async #closeAfterCalls(): Promise<void> {
    await Promise.allSettled([...this.#changes, ...this.#reads]);
    await this.#later("close", async () => {
      this.#assertUnchanging();
      for (const at of this.#locked) await this.#system.unlockLater(this.#descriptor, at);
      return this.#system.closeLater(this.#descriptor);
    });
  }

  #assertUnchanging(): void {
    assert(this.#changes.size === 0, "a file is closed when its last write has ended");
  }

  #change(act: string, work: () => Promise<void>): Promise<void> {
    const change = this.#later(act, work).finally(() => this.#changes.delete(change));
    this.#changes.add(change);
    return change;
  }

  #later<T>(act: string, work: () => Promise<T>): Promise<T> {
    const translatedWork = () => translatedLater(act, this.#path, work);
    return this.#calls === undefined ? translatedWork() : this.#calls.run(translatedWork);
  }
}
