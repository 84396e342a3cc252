/** What messages call the objects of a replica, whatever its layout. */
import type { Generation } from "./generation.ts";
import { formatRawKey } from "./keys.ts";
import { formatSnapshotKey, segmentsFolder } from "./litestream_names.ts";
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
