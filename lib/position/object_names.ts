/** What messages call the objects of a replica, whatever its layout. */
import type { Generation } from "./generation.ts";
import { formatRawKey, parseRawName, SNAPSHOT_DRAFT } from "./keys.ts";
import { formatSnapshotKey, parseSegmentName, parseSnapshotName, segmentsFolder } from "./litestream_names.ts";
import type { Index } from "./position.ts";

export type Layout = "raw" | "litestream";
export type ObjectKind = "snapshot" | "record" | "wal" | "commits";

/** Whose objects they are, as a catalog says it. */
export interface ObjectHome {
  readonly layout: Layout;
  readonly generation: Generation;
}

/** In the `litestream` layout records stand inside the objects they speak of, and an index has several objects. */
export function nameObject({ layout, generation }: ObjectHome, index: Index, kind: ObjectKind): string {
  if (layout === "raw") return formatRawKey(generation, index, kind);
  if (kind === "snapshot" || kind === "record") return formatSnapshotKey(generation, index);
  return `${segmentsFolder(generation)}/${index.toString(16).padStart(8, "0")}_*.wal.lz4`;
}

/** A name that an object has while it is written, in either layout, by this program or by Litestream. */
export function isDraftName(name: string): boolean {
  if (name === SNAPSHOT_DRAFT) return true;
  if (!name.endsWith(".tmp")) return false;
  const whole = name.slice(0, -".tmp".length);
  return (["snapshot", "record", "wal", "commits"] as const).some((suffix) =>
    parseRawName(whole, suffix) !== undefined
  ) ||
    parseSnapshotName(whole) !== undefined || parseSegmentName(whole) !== undefined;
}
