/** All replicas that can be crafted. */
import { GOOD_VARIANTS } from "./good_variants.ts";
import type { Variant } from "./replica_craft.ts";
import type { Workshop } from "./workshop.ts";

export const VARIANTS: readonly Variant<Workshop>[] = [...GOOD_VARIANTS];
