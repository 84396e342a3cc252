/**
 * Names of the `raw` layout, on a replica and in the shadow directory; each formatter stands beside its parser.
 *
 *     generations/<16 hex>/snapshots/<16 hex index>.snapshot   .record beside it
 *     generations/<16 hex>/wal/<16 hex index>.wal              .commits beside it
 */
import { type Generation, parseGeneration } from "./generation.ts";
import { formatIndex, type Index, parseIndex } from "./position.ts";

export type RawSuffix = "snapshot" | "record" | "wal" | "commits";

export function formatRawName(index: Index, suffix: RawSuffix): string {
  return `${formatIndex(index)}.${suffix}`;
}

/** The index of a file named exactly so; undefined for any other name, `.tmp` among them. */
export function parseRawName(name: string, suffix: RawSuffix): Index | undefined {
  const digits = name.slice(0, 16);
  return name === `${digits}.${suffix}` && /^[0-9a-f]{16}$/.test(digits) ? parseIndex(digits) : undefined;
}

export const GENERATIONS_FOLDER = "generations";

export function formatGenerationKey(generation: Generation): string {
  return `${GENERATIONS_FOLDER}/${generation}`;
}

export function parseGenerationName(name: string): Generation | undefined {
  return parseGeneration(name);
}

export function formatRawFolderKey(generation: Generation, suffix: RawSuffix): string {
  const folder = suffix === "snapshot" || suffix === "record" ? "snapshots" : "wal";
  return `${formatGenerationKey(generation)}/${folder}`;
}

/** What a snapshot is called until its index is known. */
export const SNAPSHOT_DRAFT = "snapshot.tmp";

export function formatRawKey(generation: Generation, index: Index, suffix: RawSuffix): string {
  return `${formatRawFolderKey(generation, suffix)}/${formatRawName(index, suffix)}`;
}
