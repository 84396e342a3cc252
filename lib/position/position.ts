import { type Generation, parseGeneration } from "./generation.ts";

declare const kind: unique symbol;

/** Number of a WAL life inside a generation. */
export type Index = number & { readonly [kind]: "Index" };
/** Byte in that WAL, counting its 32-byte header; 0 means no frames yet. */
export type Offset = number & { readonly [kind]: "Offset" };

export interface Position {
  readonly generation: Generation;
  readonly index: Index;
  readonly offset: Offset;
}

export function asIndex(value: number): Index {
  return value as Index;
}

export function asOffset(value: number): Offset {
  return value as Offset;
}

/** Negative, zero or positive, as for sorting. Only positions of one generation have an order. */
export function comparePositions(a: Position, b: Position): number {
  return a.index - b.index || a.offset - b.offset;
}

/**
 * Whether what was found at the end of a replica shows that what was written still stands there. Another history proves
 * nothing of it. Of an index that just began nothing stands there, but the one before it does.
 */
export function stillHolds(found: Position | undefined, written: Position): boolean {
  if (found?.generation !== written.generation) return false;
  return written.offset === 0 ? found.index >= written.index - 1 : comparePositions(found, written) >= 0;
}

/** `59c6b84cb3f732e9/0000000000000003:4152`: index in hex, offset in decimal. */
export function formatPosition(position: Position): string {
  return `${position.generation}/${formatIndex(position.index)}:${position.offset}`;
}

export function parsePosition(text: string): Position | undefined {
  const match = /^([0-9a-f]{16})\/([0-9a-f]{1,16}):([0-9]{1,15})$/.exec(text);
  const generation = match === null ? undefined : parseGeneration(match[1] ?? "");
  const index = match === null ? undefined : parseIndex(match[2] ?? "");
  if (match === null || generation === undefined || index === undefined) return undefined;
  return { generation, index, offset: asOffset(Number(match[3])) };
}

export function formatIndex(index: Index): string {
  return index.toString(16).padStart(16, "0");
}

/** Hex as people and flags write it, 1 to 16 digits; undefined when it is not hex or beyond 2^53. */
export function parseIndex(text: string): Index | undefined {
  if (!/^[0-9a-f]{1,16}$/i.test(text)) return undefined;
  const value = parseInt(text, 16);
  return Number.isSafeInteger(value) ? asIndex(value) : undefined;
}
