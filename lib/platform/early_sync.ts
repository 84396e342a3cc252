/**
 * Has the device begin with what is written to a file while more of it is made, so that the sync at the end finds little
 * left. It bounds, too, how much of the machine waits to be written: everybody else's syncs would wait for it as well.
 */
import { limits } from "../base/limits.ts";
import type { FileHandle } from "./file_system.ts";

export class EarlySync {
  readonly #handle: FileHandle;
  readonly #isReadSoon: boolean;
  #waitingBytes = 0;
  #isUnderWay = false;
  /** Kept when it has failed: the system tells of lost bytes once, and a later sync would succeed. */
  #underWay: Promise<void> = Promise.resolve();

  /** What is not read soon is not kept in the machine's memory, which others have a better use for. */
  constructor(handle: FileHandle, isReadSoon: boolean) {
    this.#handle = handle;
    this.#isReadSoon = isReadSoon;
  }

  /** So many bytes more were written. Waits only for a device that is far behind. */
  async wrote(bytes: number): Promise<void> {
    this.#waitingBytes += bytes;
    if (this.#waitingBytes < limits.earlySyncBytes) return;
    if (this.#isUnderWay && this.#waitingBytes < limits.earlySyncMaxBytes) return;
    await this.#underWay;
    this.#waitingBytes = 0;
    this.#isUnderWay = true;
    this.#underWay = this.#sync().finally(() => this.#isUnderWay = false);
    this.#underWay.catch(() => {}); // Whoever waits for it next hears of it.
  }

  /** Resolves when nothing is under way any more; what was written last may not be on stable storage yet. */
  settle(): Promise<void> {
    return this.#underWay;
  }

  /** Resolves when everything is on stable storage. */
  async finish(): Promise<void> {
    await this.#underWay;
    await this.#handle.sync();
  }

  async #sync(): Promise<void> {
    await this.#handle.sync();
    if (!this.#isReadSoon) await this.#handle.forget();
  }
}
