import type { Environment } from "../base/environment_value.ts";
import { resolve } from "../base/path.ts";

export interface PathSurroundings {
  readonly environment: Environment;
  /** Relative paths start here; absolute itself. */
  readonly currentFolder: string;
}

/** Undefined when the path begins with `~` and HOME is not set. The folders of other users (`~name`) are not looked up. */
export function absolutePath(path: string, surroundings: PathSurroundings): string | undefined {
  if (path !== "~" && !path.startsWith("~/")) return resolve(surroundings.currentFolder, path);
  const home = surroundings.environment("HOME")?.text ?? "";
  return home === "" ? undefined : resolve(surroundings.currentFolder, home + path.slice(1));
}
