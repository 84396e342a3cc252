/**
 * Names of the `litestream` layout, and of what came before it; each formatter stands beside its parser.
 *
 *     generations/<16 hex>/snapshots/<8 hex index>.snapshot.lz4
 *     generations/<16 hex>/wal/<8 hex index>_<8 hex offset>.wal.lz4
 *
 * Written with at least 8 digits. Read with 8 to 16 digits, since an offset over 4 GiB has 9; as `.gz` and with no ending,
 * too, without an offset (the whole WAL of an index), with a tag after a snapshot's index, and in folders named by an index
 * whose low 16 bits are 0: all of this was written before Litestream 0.3.5.
 */
import type { Generation } from "./generation.ts";
import { formatGenerationKey } from "./keys.ts";
import { asIndex, asOffset, type Index, type Offset } from "./position.ts";

export type ObjectEncoding = "lz4" | "gzip" | "none";

export interface SnapshotName {
  readonly index: Index;
  readonly encoding: ObjectEncoding;
}

export interface SegmentName {
  readonly index: Index;
  readonly offset: Offset;
  readonly encoding: ObjectEncoding;
}

export function formatSnapshotKey(generation: Generation, index: Index): string {
  return `${snapshotsFolder(generation)}/${digits(index)}.snapshot.lz4`;
}

export function formatSegmentKey(generation: Generation, index: Index, offset: Offset): string {
  return `${segmentsFolder(generation)}/${digits(index)}_${digits(offset)}.wal.lz4`;
}

export function snapshotsFolder(generation: Generation): string {
  return `${formatGenerationKey(generation)}/snapshots`;
}

export function segmentsFolder(generation: Generation): string {
  return `${formatGenerationKey(generation)}/wal`;
}

export function parseSnapshotName(name: string): SnapshotName | undefined {
  const match = /^([0-9a-f]{8,16})(?:-[^.]*)?\.snapshot(\.lz4|\.gz)?$/.exec(name);
  const index = numberOf(match?.[1]);
  return index === undefined ? undefined : { index: asIndex(index), encoding: encodingOf(match?.[2]) };
}

export function parseSegmentName(name: string): SegmentName | undefined {
  const match = /^([0-9a-f]{8,16})(?:_([0-9a-f]{8,16}))?\.wal(\.lz4|\.gz)?$/.exec(name);
  const index = numberOf(match?.[1]);
  const offset = numberOf(match?.[2] ?? "0");
  if (index === undefined || offset === undefined) return undefined;
  return { index: asIndex(index), offset: asOffset(offset), encoding: encodingOf(match?.[3]) };
}

/** A folder that groups the WAL of 65,536 indexes. */
export function isGroupName(name: string): boolean {
  return /^[0-9a-f]{12}0000$/.test(name);
}

function digits(value: number): string {
  return value.toString(16).padStart(8, "0");
}

function numberOf(text: string | undefined): number | undefined {
  const value = text === undefined ? NaN : parseInt(text, 16);
  return Number.isSafeInteger(value) ? value : undefined;
}

function encodingOf(ending: string | undefined): ObjectEncoding {
  return ending === ".lz4" ? "lz4" : ending === ".gz" ? "gzip" : "none";
}
