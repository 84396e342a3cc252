import { Progress } from "../../lib/base/progress.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import { restore, type RestoreResult, type RestoreTools } from "../../lib/restore/restore.ts";
import type { RestoreTarget } from "../../lib/restore/target.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { unsyncedFiles } from "./unsynced_files.ts";

export interface TestTools extends RestoreTools {
  readonly notices: string[];
  readonly progress: Progress;
}

export function restoreTools(overrides: Partial<RestoreTools> = {}): TestTools {
  const notices: string[] = [];
  return {
    clock: new SystemClock(),
    files: unsyncedFiles(),
    random: new SystemRandom(),
    web: new SystemWeb(),
    whoHasOpen: () => [],
    signal: new AbortController().signal,
    notice: (sentence) => notices.push(sentence),
    ...overrides,
    progress: new Progress(),
    notices,
  };
}

/** A restore of one replica to a path where nothing is. */
export async function restoreFrom(
  store: GenerationStore,
  output: string,
  target: RestoreTarget = { kind: "latest" },
  tools: RestoreTools = restoreTools(),
): Promise<RestoreResult> {
  return await restore({ replicas: [{ name: "file", store }], target, output, force: false }, tools);
}
