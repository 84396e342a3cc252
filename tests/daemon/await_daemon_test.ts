import { isHeld } from "../../lib/daemon/await_daemon.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { assertEquals } from "../support/assert.ts";
import { after, type GenerationSpec, someFacts } from "../support/catalog_builder.ts";

const WHOLE: GenerationSpec = {
  snapshots: [{ index: 0, atMs: 100 }],
  wals: [
    { index: 0, records: [[1, 110]], closedMs: 130 },
    { index: 1, records: [[2, 140]], closedMs: 150 },
    { index: 2, records: [[5, 180]] },
  ],
};

/** Whether the end of the last index counts as held. */
async function isEndHeld(spec: GenerationSpec): Promise<boolean> {
  const { catalog } = someFacts(spec, { kind: "latest" });
  const end = { index: asIndex(2), offset: asOffset(after(5)), closed: false };
  const store = { catalog: () => Promise.resolve(catalog), end: () => Promise.resolve(end) };
  const wanted = { generation: catalog.generation, index: end.index, offset: end.offset };
  return await isHeld(store as unknown as GenerationStore, wanted);
}

Deno.test("isHeld(): an end to which nothing leads is not held", async () => {
  assertEquals(await isEndHeld(WHOLE), true);
  const wals = WHOLE.wals ?? [];
  assertEquals(await isEndHeld({ ...WHOLE, wals: wals.filter(({ index }) => index !== 1) }), false);
  assertEquals(await isEndHeld({ ...WHOLE, snapshots: [] }), false);
  const late = [...WHOLE.snapshots ?? [], { index: 2, atMs: 170 }];
  assertEquals(await isEndHeld({ snapshots: late, wals: wals.filter(({ index }) => index !== 1) }), true);
});
