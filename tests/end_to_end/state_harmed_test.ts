/** Whatever stands in the place of a file of the state: each command ends and says it, and the next run goes on when it is gone. */
import { assertEquals } from "../support/assert.ts";
import { THINGS } from "../support/things.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import { type CommandResult, runTailrace } from "../support/tailrace.ts";
import { insert, type Scene, withScene } from "./scene.ts";

const SEED = 15;
/** Of some two hundred. */
const CASES = 8;
/** Rows that were wrong once, besides those that are chosen. */
const KNOWN: readonly (readonly [kind: string, thing: string])[] = [
  ["replicas", "a folder"],
  ["version", "garbage"],
  ["shadow", "an empty file"],
  ["lock", "a link to nowhere"],
];

function namesBelow(folder: string, before = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? [before + name, ...namesBelow(`${folder}/${name}`, `${before}${name}/`)] : [before + name]
  ).sort();
}

/** What a name is of, whichever generation or replica. */
function kindOf(name: string): string {
  return name.replace(/[0-9a-f]{16}/g, "N").replace(/-[0-9a-f]{8}$/, "-P");
}

function remove(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** What is wrong with how the program deals with it. */
async function* faultsOf(scene: Scene, name: string, config: string): AsyncGenerator<string> {
  const run = (...words: string[]) => runTailrace([...words, "--config", config]);
  const told = ({ code, stdout, stderr }: CommandResult) =>
    `${code}: ${stdout}${stderr}`.replaceAll(scene.folder, "").slice(0, 600);
  const status = await run("status");
  if (![1, 4, 5].includes(status.code)) yield `status ends with ${told(status)}`;
  const once = await run("replicate", "--once");
  if (once.code !== 0) {
    const isNamed = once.stderr.includes(`${scene.state}/${name}: it is `) || name === "version";
    const isAdvised = /^(?:pages-|seen)/.test(name) || once.stderr.includes("(the replicas keep their points)");
    if (![1, 4].includes(once.code) || !isNamed || !isAdvised) yield `replicate --once ends with ${told(once)}`;
    if (/[^\x20-\x7e\n]/.test(once.stderr) || once.stderr.length > 2_000) yield `what is there is said: ${told(once)}`;
  }
  const verify = await run("verify", "--scratch", scene.folder);
  if (verify.code !== 0 && (once.code === 0 || verify.code !== 5)) yield `verify ends with ${told(verify)}`;
}

Deno.test({
  name: "whatever stands in the place of a file of the state, each command ends and says it, and no proof fails",
  timeout: 600_000,
  fn: () =>
    withScene(async (scene) => {
      const application = scene.application();
      insert(application, 20);
      const config = scene.config([]);
      const expectWell = async () => {
        const { code, stderr } = await runTailrace(["replicate", "--once", "--config", config]);
        assertEquals(code, 0, stderr);
      };
      await expectWell();
      assertEquals((await runTailrace(["verify", "--config", config, "--scratch", scene.folder])).code, 0);
      const kinds = [...new Set(namesBelow(scene.state).map(kindOf))];
      const cases = kinds.flatMap((kind) => Object.keys(THINGS).map((thing) => [kind, thing] as const));
      const random = seededRandom(SEED);
      const chosen = cases.filter(() => randomInteger(random, cases.length) < CASES);
      const faults: string[] = [];
      for (const [kind, thing] of [...KNOWN, ...chosen]) {
        const name = namesBelow(scene.state).find((name) => kindOf(name) === kind);
        if (name === undefined) continue; // What the run before has not left.
        const [path, aside] = [`${scene.state}/${name}`, `${scene.folder}/aside`];
        Deno.renameSync(path, aside);
        if (THINGS[thing]?.(path, aside) === false) {
          Deno.renameSync(aside, path);
          continue;
        }
        insert(application, 3);
        for await (const fault of faultsOf(scene, name, config)) faults.push(`${kind} is ${thing}: ${fault}`);
        remove(path);
        remove(aside);
        await expectWell();
      }
      assertEquals(faults, []);
      application.close();
      await expectWell();
      await scene.expectEqual();
    }),
});
