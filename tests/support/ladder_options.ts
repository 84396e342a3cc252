import type { LadderOptions } from "../../lib/verify/verify.ts";

/** A proof of the newest state up to "equal", as nobody chose anything else. */
export const NEWEST_UP_TO_EQUAL: LadderOptions = {
  level: "equal",
  isLevelExplicit: false,
  isSeedChosen: false,
  again: [],
  target: { kind: "latest" },
  sample: 0,
  seed: 7,
};
