/**
 * The long runs, made before a release and whenever capture, hold, checkpoint or restore change.
 *
 *     deno task test:long [kills|saturated] [--seed N] [--daemon-kills N] [--writer-kills N] [--layout raw|litestream]
 *         [--seconds N]
 */
import type { Layout } from "../../lib/position/object_names.ts";
import { killLoop } from "./kill_loop.ts";
import { saturated } from "./saturated.ts";

const [which] = Deno.args;
const option = (name: string, otherwise: number) => {
  const at = Deno.args.indexOf(`--${name}`);
  return at === -1 ? otherwise : Number(Deno.args[at + 1]);
};

const began = performance.now();
let failures = 0;
const at = Deno.args.indexOf("--layout");
const layouts: readonly Layout[] = at === -1 ? ["raw", "litestream"] : [Deno.args[at + 1] as Layout];
if (which !== "saturated") {
  const seed = option("seed", Math.floor(performance.timeOrigin) % 100_000);
  for (const layout of layouts) {
    failures += await killLoop(seed, option("daemon-kills", 20), option("writer-kills", 10), layout);
  }
}
if (which !== "kills") { for (const layout of layouts) failures += await saturated(option("seconds", 60), 3, layout); }
console.log(`${Math.round((performance.now() - began) / 1_000)} s, ${failures} failures`);
Deno.exit(failures === 0 ? 0 : 1);
