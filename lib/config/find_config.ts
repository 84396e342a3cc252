import { product } from "../base/product.ts";
import { absolutePath, type PathSurroundings } from "./absolute_path.ts";

/** Where a config is looked for: the first that is named wins; of the places by default, the first that is there. */
export type ConfigChoice =
  | { readonly kind: "named"; readonly path: string; readonly by: string }
  | { readonly kind: "default"; readonly paths: readonly string[] };

const PRODUCT_VARIABLE = `${product.name.toUpperCase()}_CONFIG`;
export const CONFIG_VARIABLES: readonly string[] = [PRODUCT_VARIABLE, "LITESTREAM_CONFIG"];
export const DEFAULT_CONFIG_PATHS: readonly string[] = [`/etc/${product.name}.yml`, "/etc/litestream.yml"];

export function chooseConfig(flag: string | undefined, surroundings: PathSurroundings): ConfigChoice {
  if (flag !== undefined) return named(flag, "--config", surroundings);
  for (const name of CONFIG_VARIABLES) {
    const path = surroundings.environment(name);
    if (path !== undefined && path !== "") return named(path, `the environment variable ${name}`, surroundings);
  }
  return { kind: "default", paths: DEFAULT_CONFIG_PATHS };
}

function named(path: string, by: string, surroundings: PathSurroundings): ConfigChoice {
  return { kind: "named", path: absolutePath(path, surroundings) ?? path, by };
}
