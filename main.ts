/**
 * The process ends by `Deno.exit`, always: an uncaught error or a natural end would let SQLite close its connections, and
 * the last close of a watched database checkpoints and deletes its WAL before it is replicated.
 */
import { describeFault, ExitCode } from "./lib/base/errors.ts";
import { run } from "./lib/cli/run.ts";
import { SystemClock } from "./lib/platform/clock.ts";
import { DenoFileSystem } from "./lib/platform/deno_file_system.ts";
import { DenoProcess } from "./lib/platform/deno_process.ts";
import { SystemRandom } from "./lib/platform/random.ts";
import { settleSignals } from "./lib/platform/signals.ts";
import { SystemWeb } from "./lib/platform/web.ts";

const process = new DenoProcess();

function abandon(error: unknown): never {
  process.stderr.writeLast(describeFault(error));
  Deno.exit(ExitCode.fault);
}

addEventListener("error", (event) => abandon(event.error));
addEventListener("unhandledrejection", (event) => abandon(event.reason));
addEventListener("beforeunload", () => abandon("nothing is left that could ever finish the command"));
settleSignals();

const platform = {
  clock: new SystemClock(),
  files: new DenoFileSystem(),
  random: new SystemRandom(),
  web: new SystemWeb(),
};
const ended = run(Deno.args, process, platform).then(async (code) => {
  await process.stderr.drain();
  return code;
});
ended.then((code) => Deno.exit(code)); // Not awaited: an await that can never end has no event.
