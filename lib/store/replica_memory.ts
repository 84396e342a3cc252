/**
 * What a host remembers of a replica that it can write and not read, since it knows no identity of age: the object it wrote
 * last, and the one it was about to publish. An object is published whole or not at all, so its name tells which of the two
 * is the replica's end.
 */
import type { Generation } from "../position/generation.ts";
import { parseGeneration } from "../position/generation.ts";
import { asIndex, asOffset } from "../position/position.ts";
import type { ReplicaEnd } from "./generation_store.ts";

/** Kept durably by this host; one text for one replica. */
export interface ReplicaMemory {
  recall(): string | undefined;
  remember(text: string): Promise<void>;
}

/** The end of a replica once the object of that name is its last. */
export interface RememberedEnd {
  readonly key: string;
  /** Undefined until it was seen after it was published. */
  readonly sizeBytes: number | undefined;
  readonly end: ReplicaEnd;
}

export interface RememberedReplica {
  readonly generation: Generation;
  readonly last: RememberedEnd | undefined;
  readonly next: RememberedEnd | undefined;
}

export function formatRemembered({ generation, last, next }: RememberedReplica): string {
  return JSON.stringify({ generation, last: last ?? null, next: next ?? null });
}

/** Undefined for anything that was not written by `formatRemembered`. */
export function parseRemembered(text: string | undefined): RememberedReplica | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text);
    const generation = parseGeneration(String(value.generation));
    if (generation === undefined) return undefined;
    return { generation, last: endOf(value.last), next: endOf(value.next) };
  } catch {
    return undefined;
  }
}

function endOf(value: unknown): RememberedEnd | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { key, sizeBytes, end } = value as RememberedEnd;
  const isWhole = typeof key === "string" && Number.isSafeInteger(end?.index) && Number.isSafeInteger(end?.offset);
  if (!isWhole) throw new Error("it is not what was remembered");
  return {
    key,
    sizeBytes,
    end: { index: asIndex(end.index), offset: asOffset(end.offset), closed: end.closed === true },
  };
}
