import { silentLogger } from "../../lib/base/log.ts";
import { Answers, type AnswersOptions } from "../../lib/daemon/answers.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";

/** Answers in that state directory as a process does that replicates its database. */
export function startAnswers(state: string, options: Partial<AnswersOptions>): Answers {
  return new Answers({
    clock: new SystemClock(),
    files: new DenoFileSystem(),
    log: silentLogger,
    watchFolder: () => undefined,
    userId: undefined,
    statePath: () => state,
    answer: () => Promise.reject(new Error("nothing was asked")),
    carryOut: () => Promise.reject(new Error("nothing was ordered")),
    ...options,
  });
}
