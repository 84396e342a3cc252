/**
 * A device that hangs, for who reads from it once and has to tell what became of it. What is not answered in time is
 * `unavailable`, and so is everything else until it has been answered after all: a reader does not wait for each of its calls
 * anew. A call that was given up goes on by itself; so this is for calls that read, and for removals, which may come late.
 */
import { ReplicationError } from "../base/errors.ts";
import { type Clock, unlessLate } from "../platform/clock.ts";
import { namesIn, type ObjectEntry, type OpenObject, type ReplicaClient } from "./client.ts";

/** Read by one call; who restores reads ahead, a few pieces at a time. */
const PIECE_BYTES = 1 << 20;
const PIECES_KEPT = 4;
/** Less is cheaper made anew than kept. */
const KEPT_MIN_BYTES = 16 << 10;

type Read = (offset: number, own: Uint8Array) => Promise<number>;

export class PatientClient implements ReplicaClient {
  readonly type: string;
  readonly description: string;
  readonly #client: ReplicaClient;
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #until: AbortSignal | undefined;
  /** Calls that were given up and are still under way. */
  #silent = 0;
  readonly #kept: Uint8Array[] = [];

  /** Aborted, `until` ends the patience: whoever waits is told `cancelled`, and so is every later caller. */
  constructor(client: ReplicaClient, clock: Clock, patienceMs: number, until?: AbortSignal) {
    this.type = client.type;
    this.description = client.description;
    this.#client = client;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
    this.#until = until;
  }

  list(folder: string): Promise<readonly ObjectEntry[]> {
    return this.#inTime(() => this.#client.list(folder));
  }

  names(folder: string): Promise<readonly string[]> {
    return this.#inTime(() => namesIn(this.#client, folder));
  }

  status(key: string): Promise<ObjectEntry | undefined> {
    return this.#inTime(() => this.#client.status(key));
  }

  read(key: string, offset: number, into: Uint8Array): Promise<number> {
    return this.#readInTime(into, offset, (at, own) => this.#client.read(key, at, own));
  }

  async open(key: string): Promise<OpenObject> {
    const opening = this.#client.open(key);
    let isGivenUp = false;
    opening.then((object) => isGivenUp ? object.close() : undefined).catch(() => {}); // What comes late is nobody's.
    const object = await this.#inTime(() => opening).catch((error) => {
      isGivenUp = true;
      throw error;
    });
    return {
      read: (offset, into) => this.#readInTime(into, offset, (at, own) => object.read(at, own)),
      close: () => {
        const closing = object.close(); // Also while it hangs: it is closed when that has been answered.
        closing.catch(() => {});
        return this.#inTime(() => closing);
      },
    };
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#inTime(() => this.#client.delete(keys));
  }

  async removeEmptyFolder(folder: string): Promise<void> {
    await this.#inTime(async () => await this.#client.removeEmptyFolder?.(folder));
  }

  write(): Promise<void> {
    throw new Error("who gives calls up writes nothing"); // Its draft might become an object at any time later.
  }

  /** Piece by piece into bytes of its own: who has given up may use `into` for something else when the answer comes. */
  async #readInTime(into: Uint8Array, offset: number, read: Read): Promise<number> {
    let filled = 0;
    do {
      const wanted = into.subarray(filled, filled + PIECE_BYTES);
      const piece = this.#takePiece(wanted.length);
      const own = piece.subarray(0, wanted.length);
      const at = offset + filled;
      const got = await this.#inTime(() => read(at, own));
      wanted.set(own.subarray(0, got));
      if (piece.length === PIECE_BYTES && this.#kept.length < PIECES_KEPT) this.#kept.push(piece);
      filled += got;
      if (got < wanted.length) break;
    } while (filled < into.length);
    return filled;
  }

  #takePiece(bytes: number): Uint8Array {
    return this.#kept.pop() ?? new Uint8Array(bytes < KEPT_MIN_BYTES ? bytes : PIECE_BYTES);
  }

  async #inTime<T>(call: () => Promise<T>): Promise<T> {
    if (this.#until?.aborted) throw this.#isStopped();
    if (this.#silent > 0) throw this.#hangs();
    const called = call();
    const answer = await unlessLate(this.#clock, this.#patienceMs, called, this.#until);
    if (answer !== undefined) return answer.value;
    this.#silent++;
    const answers = () => void this.#silent--;
    called.then(answers, answers);
    throw this.#until?.aborted ? this.#isStopped() : this.#hangs();
  }

  #isStopped(): ReplicationError {
    return new ReplicationError("cancelled", `Cannot use the replica ${this.description} any more: it was interrupted`);
  }

  #hangs(): ReplicationError {
    const seconds = Math.round(this.#patienceMs / 1_000);
    return new ReplicationError(
      "unavailable",
      `Cannot use the replica ${this.description}: its device has not answered for ${seconds} s (does it hang?)`,
    );
  }
}
