import { hex } from "../base/bytes.ts";

declare const kind: unique symbol;

/** 16 lowercase hex digits: one unbroken history of one database, begun by a snapshot. */
export type Generation = string & { readonly [kind]: "Generation" };

export function parseGeneration(text: string): Generation | undefined {
  return /^[0-9a-f]{16}$/.test(text) ? text as Generation : undefined;
}

/** A new generation from 8 random bytes. */
export function createGeneration(randomBytes: Uint8Array): Generation {
  return hex(randomBytes.subarray(0, 8)) as Generation;
}
