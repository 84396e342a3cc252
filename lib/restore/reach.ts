import type { GenerationCatalog } from "../store/generation_store.ts";
import { planRestore } from "./plan.ts";

/**
 * Why the newest state of a generation cannot be restored, as far as listings and records tell: its end may stand there while
 * what leads to it does not. Undefined where it can, or where nothing was begun that could be. PURE.
 */
export function brokenBecause(catalog: GenerationCatalog): string | undefined {
  const plan = planRestore([{ catalog }], { kind: "latest", generation: catalog.generation });
  return plan.kind === "refused" && plan.code !== "not-found" ? plan.problem : undefined;
}
