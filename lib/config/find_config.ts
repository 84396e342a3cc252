import { basename } from "../base/path.ts";
import { product } from "../base/product.ts";
import { absolutePath, type PathSurroundings } from "./absolute_path.ts";

/** Where a config is looked for: the first that is named wins; of the places by default, the first that is there. */
export type ConfigChoice =
  | NamedConfig
  | { readonly kind: "default"; readonly paths: readonly string[] };

interface NamedConfig {
  readonly kind: "named";
  readonly path: string;
  readonly by: string;
  readonly isLitestreams: boolean;
  /** What was taken off the variable that names it. */
  readonly removed?: string;
}

const PRODUCT_VARIABLE = `${product.name.toUpperCase()}_CONFIG`;
const LITESTREAM_VARIABLE = "LITESTREAM_CONFIG";
const LITESTREAM_FILE = "litestream.yml";
export const CONFIG_VARIABLES: readonly string[] = [PRODUCT_VARIABLE, LITESTREAM_VARIABLE];
export const DEFAULT_CONFIG_PATHS: readonly string[] = [`/etc/${product.name}.yml`, `/etc/${LITESTREAM_FILE}`];

export function chooseConfig(flag: string | undefined, surroundings: PathSurroundings): ConfigChoice {
  if (flag !== undefined) return named(flag, "--config", surroundings);
  for (const name of CONFIG_VARIABLES) {
    const { text: path, removed } = surroundings.environment(name) ?? {};
    if (path === undefined || path === "") continue;
    return {
      ...named(path, `the environment variable ${name}`, surroundings),
      isLitestreams: name === LITESTREAM_VARIABLE,
      ...(removed === undefined ? {} : { removed }),
    };
  }
  return { kind: "default", paths: DEFAULT_CONFIG_PATHS };
}

/** Whether a config was made for Litestream, and its replicas are likely to be shared with it. */
export function isLitestreamConfig(choice: ConfigChoice, path: string): boolean {
  return basename(path) === LITESTREAM_FILE || (choice.kind === "named" && choice.isLitestreams);
}

function named(path: string, by: string, surroundings: PathSurroundings) {
  return { kind: "named", path: absolutePath(path, surroundings) ?? path, by, isLitestreams: false } as const;
}
