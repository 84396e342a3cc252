/** All replicas that can be crafted. */
import { DAMAGED_VARIANTS } from "./damaged_variants.ts";
import { GOOD_VARIANTS } from "./good_variants.ts";
import { LZ4_VARIANTS } from "./lz4_variants.ts";
import { OLD_LAYOUT_VARIANTS } from "./old_layout_variants.ts";
import type { Variant } from "./replica_craft.ts";
import type { Workshop } from "./workshop.ts";

export const VARIANTS: readonly Variant<Workshop>[] = [
  ...GOOD_VARIANTS,
  ...LZ4_VARIANTS,
  ...DAMAGED_VARIANTS,
  ...OLD_LAYOUT_VARIANTS,
];
