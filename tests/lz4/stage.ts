/** What the tests of `lib/lz4` share: content of every kind, objects in memory, and the `lz4` program as the peer. */
import type { NextBytes, StoredBytes } from "../../lib/base/byte_source.ts";
import { openLz4 } from "../../lib/lz4/frame_decoder.ts";
import { type EncodedFrame, encodeFrame } from "../../lib/lz4/frame_encoder.ts";
import { TEST_LZ4_VARIABLE } from "../../scripts/setup.ts";
import { seededRandom } from "../support/random.ts";

export const MIB = 1 << 20;

export type Kind = "random" | "text" | "mixed" | "zeros";

export function someBytes(kind: Kind, length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const random = seededRandom(seed);
  const words = "river mountain invoice account shipped customer Berlin yellow".split(" ").map((word) =>
    new TextEncoder().encode(`${word} `)
  );
  for (let at = 0; at < length && kind !== "zeros";) {
    const isText = kind === "text" || (kind === "mixed" && random() < 0.7);
    const piece = isText
      ? words[Math.floor(random() * words.length)] ?? new Uint8Array(1)
      : Uint8Array.from({ length: 64 }, () => random() * 256);
    bytes.set(piece.subarray(0, length - at), at);
    at += piece.length;
  }
  return bytes;
}

/** A stream in pieces of that size, all in one reused array. */
export function inPieces(bytes: Uint8Array, pieceBytes = 300_000): NextBytes {
  const buffer = new Uint8Array(pieceBytes);
  let at = 0;
  return () => {
    const piece = bytes.subarray(at, at + pieceBytes);
    buffer.set(piece);
    at += piece.length;
    return Promise.resolve(buffer.subarray(0, piece.length));
  };
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export async function collect(frame: EncodedFrame): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  for (let part = await frame.next(); part.length > 0; part = await frame.next()) parts.push(part.slice());
  return joined(...parts);
}

export async function encoded(bytes: Uint8Array, trailer?: () => Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return await collect(encodeFrame(inPieces(bytes), trailer));
}

export interface InMemory extends StoredBytes {
  /** How often it was read from. */
  reads: number;
}

export function inMemory(bytes: Uint8Array): InMemory {
  return {
    sizeBytes: bytes.length,
    reads: 0,
    read(at, into) {
      this.reads += 1;
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      return Promise.resolve(part.length);
    },
  };
}

/** All content, read from start to end in pieces, and verified. */
export async function decoded(object: Uint8Array, pieceBytes = 1_000_000): Promise<Uint8Array> {
  const content = await openLz4(inMemory(object), "the object");
  try {
    const parts: Uint8Array[] = [];
    for (let at = 0;;) {
      const piece = new Uint8Array(pieceBytes);
      const count = await content.read(at, piece);
      parts.push(piece.subarray(0, count));
      at += count;
      if (count < pieceBytes) break;
    }
    await content.verify();
    return joined(...parts);
  } finally {
    content.close();
  }
}

/** What the `lz4` program makes of its input. */
export async function runLz4(parameters: readonly string[], input: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const folder = Deno.makeTempDirSync({ prefix: "tailrace-lz4-" });
  try {
    Deno.writeFileSync(`${folder}/input`, input);
    const command = new Deno.Command(Deno.env.get(TEST_LZ4_VARIABLE) ?? "lz4", {
      args: ["-q", "-f", ...parameters, `${folder}/input`, `${folder}/output`],
      stdin: "null",
      signal: AbortSignal.timeout(60_000),
    });
    const { success, stderr } = await command.output();
    if (!success) throw new Error(`lz4 ${parameters.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    return Deno.readFileSync(`${folder}/output`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
