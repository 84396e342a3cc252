/**
 * The doorway to `cctv-age`: age's own test vectors, one for each thing that an implementation gets wrong. A vector is a
 * text of `key: value` lines, an empty line, and the object.
 */
import * as files from "cctv-age";

export interface AgeVector {
  readonly name: string;
  readonly expect: string;
  /** SHA-256 of what the object holds. */
  readonly payload: string;
  readonly identities: readonly string[];
  readonly object: Uint8Array;
}

/** Those for X25519 identities and the binary format. */
export async function ageVectors(): Promise<AgeVector[]> {
  const vectors: AgeVector[] = [];
  for (const [name, file] of Object.entries(files as unknown as Record<string, Uint8Array<ArrayBuffer>>)) {
    const text = new TextDecoder("latin1").decode(file);
    const objectAt = text.indexOf("\n\n") + 2;
    const lines = text.slice(0, objectAt - 2).split("\n").map((line) => line.split(": ") as [string, string]);
    const valueOf = (wanted: string) => lines.find(([key]) => key === wanted)?.[1] ?? "";
    const identities = lines.flatMap(([key, value]) => key === "identity" ? [value] : []);
    const isOurs = identities.length > 0 && identities.every((identity) => identity.startsWith("AGE-SECRET-KEY-1"));
    if (!isOurs || valueOf("armored") === "yes" || lines.some(([key]) => key === "passphrase")) continue;
    const stored = file.slice(objectAt);
    const object = valueOf("compressed") === "zlib" ? await inflate(stored) : stored;
    vectors.push({ name, expect: valueOf("expect"), payload: valueOf("payload"), identities, object });
  }
  return vectors;
}

async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
