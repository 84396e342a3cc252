/**
 * The WAL that a restore has replayed, and so has proven frame by frame: it need not be read again. What its frames make of
 * the database is kept in a file that has no name, 16 bytes a frame: a restore goes from the newest frame to the oldest, and
 * states are counted up from the oldest.
 */
import { assert } from "../base/assert.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import type { Generation } from "../position/generation.ts";
import type { Index } from "../position/position.ts";
import type { WalChunk } from "../restore/wal_chunks.ts";
import { FRAME_HEADER_SIZE } from "../wal/frame.ts";
import { WAL_HEADER_SIZE } from "../wal/header.ts";
import { frameValues, WORDS_A_FRAME } from "./frame_values.ts";

const BYTES_A_FRAME = WORDS_A_FRAME * 4;

interface Replayed {
  from: number;
  readonly to: number;
  /** Of a frame with its page. */
  readonly size: number;
  /** Where what is kept of the step's first frame stands, and where that frame begins. */
  readonly keptAt: number;
  readonly firstAt: number;
}

export class ReplayedWal {
  readonly #files: FileSystem;
  readonly #path: string;
  readonly #indexes = new Map<string, Replayed>();
  #kept: FileHandle | undefined;
  #end = 0;

  /** `path`: where the file is made, and loses its name. */
  constructor(files: FileSystem, path: string) {
    this.#files = files;
    this.#path = path;
  }

  observe(generation: Generation, { step, at, frames, count, values }: WalChunk): void {
    const key = `${generation}/${step.index}`;
    const size = frames.length / count;
    const firstAt = Math.max(step.from, WAL_HEADER_SIZE);
    const replayed = this.#indexes.get(key) ?? { from: at, to: step.to, size, keptAt: this.#end, firstAt };
    if (!this.#indexes.has(key)) this.#end += (step.to - firstAt) / size * BYTES_A_FRAME;
    this.#indexes.set(key, replayed);
    replayed.from = Math.min(replayed.from, at);
    const bytes = new Uint8Array(frameValues(frames, size - FRAME_HEADER_SIZE, values).buffer);
    this.#handle().writeAt(bytes, placeOf(replayed, at));
  }

  /** What was replayed of an index; undefined when nothing was. */
  of(generation: Generation, index: Index): { readonly from: number; readonly to: number } | undefined {
    return this.#indexes.get(`${generation}/${index}`);
  }

  /** Of the frames of an index from an offset on that were replayed, as many as there is room for. */
  read(generation: Generation, index: Index, at: number, into: Uint32Array<ArrayBuffer>): void {
    const replayed = this.#indexes.get(`${generation}/${index}`);
    assert(replayed !== undefined && at >= replayed.from, "what is read was replayed");
    this.#handle().readAt(new Uint8Array(into.buffer, into.byteOffset, into.byteLength), placeOf(replayed, at));
  }

  close(): void {
    this.#kept?.close();
    this.#kept = undefined;
  }

  #handle(): FileHandle {
    if (this.#kept !== undefined) return this.#kept;
    this.#kept = this.#files.open(this.#path, "create");
    this.#files.remove(this.#path);
    return this.#kept;
  }
}

function placeOf({ keptAt, firstAt, size }: Replayed, at: number): number {
  return keptAt + (at - firstAt) / size * BYTES_A_FRAME;
}
