/** Which layout a replica has; the one place that knows the rule. */
import type { Layout } from "../position/object_names.ts";
import type { ReplicaConfig } from "./config.ts";

export interface LayoutFacts {
  /** What the destination holds already; undefined: nothing, or it was not looked at. */
  readonly held: Layout | "both" | undefined;
  /** The value of the key `layout`. */
  readonly written: Layout | undefined;
  readonly fromLitestreamConfig: boolean;
  readonly hasAge: boolean;
}

export type LayoutChoice =
  | { readonly kind: "layout"; readonly layout: Layout }
  /** `problem` completes "Cannot use <replica>: ...". */
  | { readonly kind: "refused"; readonly problem: string };

/**
 * What is held already; else what is written; else `litestream` for a config of Litestream's and for a replica with keys
 * of age, which nothing else can hold; else `raw`. What contradicts is refused rather than written beside.
 */
export function chooseLayout({ held, written, fromLitestreamConfig, hasAge }: LayoutFacts): LayoutChoice {
  if (hasAge && written === "raw") {
    return refused('"layout: raw" cannot be encrypted (remove one of "layout" and "age")');
  }
  if (held === "both") {
    const layout = written ?? (hasAge ? "litestream" : undefined);
    if (layout !== undefined) return { kind: "layout", layout };
    return refused('it holds both layouts, raw and litestream (say with "layout" which of them is meant)');
  }
  if (held === "raw" && hasAge) {
    return refused('it holds the layout raw, which cannot be encrypted (give the replica with "age" another place)');
  }
  if (held !== undefined && written !== undefined && held !== written) {
    return refused(
      `it holds the layout ${held}, and the config says "layout: ${written}" (remove "layout", or name another place)`,
    );
  }
  const byDefault = fromLitestreamConfig || hasAge ? "litestream" : "raw";
  return { kind: "layout", layout: held ?? written ?? byDefault };
}

/** The same for a replica of a config, once its destination has been looked at. */
export function layoutOf(replica: ReplicaConfig, held: LayoutFacts["held"]): LayoutChoice {
  return chooseLayout({
    held,
    written: replica.layout,
    fromLitestreamConfig: replica.defaultLayout === "litestream",
    hasAge: replica.age !== undefined,
  });
}

function refused(problem: string): LayoutChoice {
  return { kind: "refused", problem };
}
