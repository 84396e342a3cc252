import type { GenerationCatalog, GenerationStore } from "../store/generation_store.ts";
import { gatherFacts } from "./gather.ts";
import { type GenerationFacts, wholeSnapshots } from "./history.ts";
import { planRestore } from "./plan.ts";

export interface ExaminedGeneration {
  readonly catalog: GenerationCatalog;
  /** To its newest point, to some point, or not at all; as listings and records say it. */
  readonly restorable: "whole" | "partly" | "none";
}

/** Every generation of a replica, with what could be restored of it if it were the only one. */
export async function examineGenerations(store: GenerationStore): Promise<readonly ExaminedGeneration[]> {
  const all = await gatherFacts(store, { kind: "latest" });
  return all.map((facts) => ({ catalog: facts.catalog, restorable: restorabilityOf(facts) }));
}

/** `facts` were gathered for the newest point. */
export function restorabilityOf(facts: GenerationFacts): ExaminedGeneration["restorable"] {
  const plan = planRestore([facts], { kind: "latest" });
  if (plan.kind === "plan") return "whole";
  return plan.reachable !== undefined || wholeSnapshots(facts.catalog).length > 0 ? "partly" : "none";
}
