import type { Clock } from "./clock.ts";
import type { ByteLock, FileHandle, FileSystem, OpenMode } from "./file_system.ts";

/** So many bytes a second on average, whoever reads them. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #bytesPerMs: number;
  #freeAtMs = -Infinity;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerMs = bytesPerSecond / 1_000;
  }

  /** Resolves when the bytes may have been read. */
  async spend(bytes: number): Promise<void> {
    const now = this.#clock.monotonicMs();
    this.#freeAtMs = Math.max(now, this.#freeAtMs) + bytes / this.#bytesPerMs;
    if (this.#freeAtMs > now) await this.#clock.sleep(this.#freeAtMs - now);
  }
}

/** The same file system, but what is read of it later, as replicas are, keeps to the limit. */
export function withRateLimit(files: FileSystem, limit: RateLimit): FileSystem {
  const limited: FileSystem = Object.create(files);
  limited.openLater = async (path: string, mode: OpenMode, permissions?: number) =>
    new LimitedHandle(await files.openLater(path, mode, permissions), limit);
  return limited;
}

class LimitedHandle implements FileHandle {
  readonly #handle: FileHandle;
  readonly #limit: RateLimit;

  constructor(handle: FileHandle, limit: RateLimit) {
    this.#handle = handle;
    this.#limit = limit;
  }

  async readAtLater(into: Uint8Array, position: number): Promise<number> {
    const count = await this.#handle.readAtLater(into, position);
    await this.#limit.spend(count);
    return count;
  }

  readAt(into: Uint8Array, position: number): number {
    return this.#handle.readAt(into, position);
  }

  writeAt(bytes: Uint8Array, position: number): void {
    this.#handle.writeAt(bytes, position);
  }

  writeAtLater(bytes: Uint8Array, position: number): Promise<void> {
    return this.#handle.writeAtLater(bytes, position);
  }

  size(): number {
    return this.#handle.size();
  }

  truncate(size: number): void {
    this.#handle.truncate(size);
  }

  truncateLater(size: number): Promise<void> {
    return this.#handle.truncateLater(size);
  }

  sync(): Promise<void> {
    return this.#handle.sync();
  }

  syncNow(): void {
    this.#handle.syncNow();
  }

  flush(): Promise<void> {
    return this.#handle.flush();
  }

  forget(): Promise<void> {
    return this.#handle.forget();
  }

  isLockedByOthers(at: number, how?: "forItself"): boolean | undefined {
    return this.#handle.isLockedByOthers(at, how);
  }

  share(at: number, length: number): ByteLock | undefined {
    return this.#handle.share(at, length);
  }

  identityLater(): Promise<string | undefined> {
    return this.#handle.identityLater();
  }

  lockLater(at: number): Promise<boolean | undefined> {
    return this.#handle.lockLater(at);
  }

  close(): void {
    this.#handle.close();
  }

  closeLater(): Promise<void> {
    return this.#handle.closeLater();
  }
}
