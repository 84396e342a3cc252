/** Replicas as Litestream leaves them, without records of any kind: bytes, names, and times of files. */
import { gzipSync } from "node:zlib";
import { encodeFrame } from "../../lib/lz4/frame_encoder.ts";

/** How the objects of a version look; `segments` are those of 0.3.5 to 0.3.14, the others hold whole indexes. */
export type PeerForm = "segments" | "0.3.0" | "0.2" | "0.1" | "raw";

const GENERATION = "00000000000000bb";

export class PeerReplica {
  readonly root: string;
  readonly generation: string;
  readonly form: PeerForm;

  constructor(root: string, form: PeerForm = "segments", generation = GENERATION) {
    this.root = root;
    this.form = form;
    this.generation = generation;
  }

  async snapshot(index: number, image: Uint8Array, atMs: number): Promise<string> {
    const bytes = await this.#encode(image, false);
    return this.#put(`snapshots/${this.#name(index)}.snapshot${this.#suffix(false)}`, bytes, atMs);
  }

  /** In forms of whole indexes `offset` is 0, and the index that Litestream appends to is not compressed. */
  async wal(index: number, offset: number, bytes: Uint8Array, atMs: number, isAppendedTo = false): Promise<string> {
    const place = this.form === "segments" ? `_${hex(offset, 8)}` : "";
    const group = this.form === "0.2" ? `${hex(0, 16)}/` : "";
    const name = `wal/${group}${this.#name(index)}${place}.wal${this.#suffix(isAppendedTo)}`;
    return this.#put(name, await this.#encode(bytes, isAppendedTo), atMs);
  }

  #name(index: number): string {
    return hex(index, this.form === "segments" || this.form === "0.3.0" ? 8 : 16);
  }

  #suffix(isAppendedTo: boolean): string {
    if (this.form === "segments") return ".lz4";
    if (this.form === "raw" || isAppendedTo) return "";
    return this.form === "0.3.0" ? ".lz4" : ".gz";
  }

  async #encode(bytes: Uint8Array, isAppendedTo: boolean): Promise<Uint8Array> {
    const suffix = this.#suffix(isAppendedTo);
    if (suffix === "") return bytes;
    return suffix === ".gz" ? gzipSync(bytes) : await asLz4(bytes);
  }

  #put(name: string, bytes: Uint8Array, atMs: number): string {
    const path = `${this.root}/generations/${this.generation}/${name}`;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeFileSync(path, bytes);
    Deno.utimeSync(path, new Date(atMs), new Date(atMs));
    return path;
  }
}

export async function asLz4(bytes: Uint8Array): Promise<Uint8Array> {
  let rest = bytes;
  const frame = encodeFrame(() => {
    const now = rest;
    rest = bytes.subarray(bytes.length);
    return Promise.resolve(now);
  });
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for (let part = await frame.next(); part.length > 0; part = await frame.next()) parts.push(new Uint8Array(part));
  frame.close();
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
