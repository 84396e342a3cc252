import type { Generation } from "../../lib/position/generation.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";

/** The store as a host sees it that knows no identity of an encrypted replica: names and sizes only. */
export function blindStore(store: GenerationStore): GenerationStore {
  const catalogOf = store.catalog.bind(store);
  const unread = <Entry extends { index: unknown; sizeBytes: number; createdAtMs: number }>(entry: Entry) => {
    const { index, sizeBytes, createdAtMs } = entry;
    return { index, sizeBytes, createdAtMs, isUnread: true, recordProblem: "it is encrypted" } as unknown as Entry;
  };
  return Object.assign(store, {
    catalog: async (generation: Generation) => {
      const catalog = await catalogOf(generation);
      return { ...catalog, snapshots: catalog.snapshots.map(unread), wals: catalog.wals.map(unread) };
    },
  });
}
