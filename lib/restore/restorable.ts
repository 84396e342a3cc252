import type { GenerationCatalog, GenerationStore } from "../store/generation_store.ts";
import { factsOf } from "./gather.ts";
import { type GenerationFacts, wholeSnapshots } from "./history.ts";
import { planRestore } from "./plan.ts";

export interface ExaminedGeneration {
  readonly catalog: GenerationCatalog;
  /** To its newest point, to some point, or not at all; as listings and records say it. */
  readonly restorable: "whole" | "partly" | "none";
}

/** Every generation of a replica, with what could be restored of it if it were the only one. */
export async function examineGenerations(store: GenerationStore): Promise<readonly ExaminedGeneration[]> {
  const examined: ExaminedGeneration[] = [];
  for (const generation of await store.generations()) {
    const catalog = await store.catalog(generation);
    // Of what this host cannot read, only names tell: enough to keep it, not to call it whole.
    const isUnread = catalog.snapshots.some((entry) => entry.isUnread === true);
    const restorable = isUnread ? "partly" : restorabilityOf(await factsOf(store, catalog, { kind: "latest" }));
    examined.push({ catalog, restorable });
  }
  return examined;
}

/** `facts` were gathered for the newest point. */
export function restorabilityOf(facts: GenerationFacts): ExaminedGeneration["restorable"] {
  const plan = planRestore([facts], { kind: "latest" });
  if (plan.kind === "plan") return "whole";
  const { generation } = facts.catalog;
  const isReached = wholeSnapshots(facts.catalog).some(({ index, offset }) =>
    planRestore([facts], { kind: "position", position: { generation, index, offset }, generation }).kind === "plan"
  );
  return plan.reachable !== undefined || isReached ? "partly" : "none";
}
