/** Histories of one replica that go on at the same time: more than one program wrote there. By records alone. PURE. */
import { smallestOf } from "../base/many.ts";
import type { Generation } from "../position/generation.ts";
import type { GenerationCatalog } from "../store/generation_store.ts";
import { newestInCatalogMs } from "../store/newest.ts";

/** From the first to the last moment that a generation has of what this program wrote. */
export interface Span {
  readonly generation: Generation;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Undefined without records: the times of what Litestream wrote are those of files. */
export function spanOf(catalog: GenerationCatalog): Span | undefined {
  const { generation } = catalog;
  const snapshots = catalog.snapshots.filter(({ isPeers, record }) => isPeers !== true && record !== undefined);
  const wals = catalog.wals.filter(({ isPeers, lastRecord }) => isPeers !== true && lastRecord !== undefined);
  const records = [...snapshots.map(({ record }) => record), ...wals.map(({ lastRecord }) => lastRecord)];
  if (records.length === 0) return undefined;
  const firstMs = smallestOf(records.map((record) => record?.capturedAtMs ?? Infinity));
  return { generation, firstMs, lastMs: newestInCatalogMs({ ...catalog, snapshots, wals }) };
}

/**
 * The generations that hold anything of the time in which this one goes on. One program's never do: each begins when the one
 * before it has ended, whatever the clock says. Of the `current` one, which is written now, all others have ended.
 */
export function rivalsOf(
  generation: Generation,
  catalogs: readonly GenerationCatalog[],
  which: "any" | "current" = "any",
): readonly Span[] {
  const spans = catalogs.map(spanOf).filter((span) => span !== undefined);
  const own = spans.find((span) => span.generation === generation);
  return own === undefined
    ? []
    : spans.filter((other) =>
      other !== own && own.firstMs < other.lastMs && (which === "current" || other.firstMs < own.lastMs)
    );
}

/** Completes a sentence about a replica, or about what of it is wanted. */
export function describeRivals(generation: Generation, rivals: readonly Span[]): string {
  const others = rivals.map((rival) => `${rival.generation} (${timeOf(rival.firstMs)} to ${timeOf(rival.lastMs)})`);
  const noun = rivals.length === 1 ? "generation" : "generations";
  return `more than one program wrote there: beside generation ${generation} goes on ${noun} ${others.join(", ")}`;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
