/** Whatever stands in the place of an object or folder of a replica: every command ends, says which it is, and loses no other. */
import { createEncryption } from "../../lib/age/encryption.ts";
import { Secret } from "../../lib/base/secret.ts";
import { aKeyPair } from "../support/age.ts";
import { equalBytes } from "../../lib/base/bytes.ts";
import { assert, assertEquals, assertGreaterOrEqual } from "../support/assert.ts";
import { runInProcess, type Seen } from "../support/command_in_process.ts";
import { makeNode } from "../support/no_files.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import { RecordedDatabase } from "../support/recorded_database.ts";
import { EPOCH_MS } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const OLD = "00000000000000aa";
const NEW = "00000000000000bb";
const LONG_AFTER_MS = EPOCH_MS + 24 * 3_600_000;

const HUGE_BYTES = 2 ** 40;
const SEED = 1;
/** Of each writer. Each is a dozen commands: a few of them are a test, so that a busy machine does not seem to hang. */
const CASES = 12;
const PARTS = 4;

const WRITERS = ["raw", "litestream", "age"] as const;
type Writer = typeof WRITERS[number];

interface Scene {
  readonly folder: string;
  readonly replica: string;
  /** The newest state of each generation. */
  readonly states: ReadonlyMap<string, Uint8Array>;
  run(...words: string[]): Promise<Seen>;
}

async function withReplica(writer: Writer, seed: number, work: (scene: Scene) => Promise<void>): Promise<void> {
  const { identity, recipient } = await aKeyPair();
  await withTemporaryFolder(async (folder) => {
    const replica = `${folder}/replica`;
    const states = new Map<string, Uint8Array>();
    const encryption = createEncryption({ recipients: [recipient], identities: [new Secret(identity)] });
    for (const [generation, startMs] of [[OLD, EPOCH_MS], [NEW, LONG_AFTER_MS]] as const) {
      Deno.mkdirSync(`${folder}/${generation}`);
      const recorded = await RecordedDatabase.make(`${folder}/${generation}`, {
        seed,
        pageSize: 512,
        actions: 6,
        restarts: 40,
        snapshots: 40,
        root: replica,
        layout: writer === "raw" ? "raw" : "litestream",
        replica: { generation, startMs, ...(writer === "age" ? { encryption } : {}) },
      });
      const last = recorded.points.at(-1);
      assert(last !== undefined);
      states.set(generation, recorded.imageAt(last));
    }
    Deno.writeFileSync(`${folder}/app.db`, states.get(NEW) ?? new Uint8Array());
    Deno.utimeSync(`${folder}/app.db`, new Date(LONG_AFTER_MS), new Date(LONG_AFTER_MS));
    const keys = writer === "age" ? `, age: {recipients: [${recipient}], identities: [${identity}]}` : "";
    Deno.writeTextFileSync(`${folder}/c.yml`, `dbs: [{path: app.db, replicas: [{path: replica${keys}}]}]`);
    Deno.mkdirSync(`${folder}/scratch`);
    const run = (...words: string[]) =>
      runInProcess([...words, "--config", "c.yml", "app.db"], folder, { TMPDIR: `${folder}/scratch` });
    await work({ folder, replica, states, run });
  });
}

/** What comes into the place of `path`, whose own is moved `aside` meanwhile; false where that cannot be. */
interface Thing {
  readonly name: string;
  /** As messages call it, where it can be neither file nor folder; else it may be told as damage of any kind. */
  readonly what?: string;
  make(path: string, aside: string): unknown;
}

const THINGS: readonly Thing[] = [
  { name: "nothing", make: () => {} },
  { name: "a folder", make: (path) => Deno.mkdirSync(path) },
  {
    name: "a full folder",
    make: (path) => {
      Deno.mkdirSync(path);
      Deno.writeTextFileSync(`${path}/something`, "else");
    },
  },
  { name: "an empty file", make: (path) => Deno.writeTextFileSync(path, "") },
  { name: "a file", make: (path) => Deno.writeTextFileSync(path, "some text\n".repeat(100)) },
  {
    name: "a sparse file",
    make: (path) => {
      Deno.writeTextFileSync(path, "");
      Deno.truncateSync(path, HUGE_BYTES);
    },
  },
  {
    name: "a file with a sparse end",
    make: (path, aside) => {
      if (!Deno.statSync(aside).isFile) return false;
      Deno.copyFileSync(aside, path);
      Deno.truncateSync(path, HUGE_BYTES);
      return true;
    },
  },
  { name: "a pipe", what: "a named pipe", make: (path) => makeNode("pipe", path) },
  { name: "a socket", what: "a socket", make: (path) => makeNode("socket", path) },
  { name: "a device", what: "a device", make: (path) => makeNode("device", path) },
  ...["/nowhere/at/all", "/dev/zero", "/etc"].map((target): Thing => ({
    name: `a link to ${target}`,
    what: "a symbolic link",
    make: (path) => Deno.symlinkSync(target, path),
  })),
  { name: "a link to itself", what: "a symbolic link", make: (path) => Deno.symlinkSync(path, path) },
  {
    name: "a link to what was there",
    what: "a symbolic link",
    make: (path, aside) => Deno.symlinkSync(aside, path),
  },
];

function pathsBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? [path, ...pathsBelow(path)] : [path];
  }).sort();
}

async function whileReplaced(
  { folder }: Scene,
  path: string,
  { make }: Thing,
  work: () => Promise<void>,
): Promise<void> {
  const aside = `${folder}/aside`;
  Deno.renameSync(path, aside);
  try {
    if (make(path, aside) !== false) await work();
  } finally {
    removeWhateverIsThere(path);
    Deno.renameSync(aside, path);
  }
}

function removeWhateverIsThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function restored({ folder, run }: Scene, ...words: string[]): Promise<Seen & { readonly bytes?: Uint8Array }> {
  const seen = await run("restore", "-o", "out.db", ...words);
  if (seen.code !== 0) return seen;
  const bytes = Deno.readFileSync(`${folder}/out.db`);
  Deno.removeSync(`${folder}/out.db`);
  return { ...seen, bytes };
}

/** Of a replica: proven, nothing there, damaged. Of its place, which is the config's as well, also 2 and 75. */
const CODES = [0, 3, 4];
const CODES_OF_PLACE = [2, 3, 75];
const COMMANDS: readonly (readonly string[])[] = [
  ["points"],
  ["generations"],
  ["snapshots"],
  ["wal"],
  ["restore", "--dry-run", "-o", "none.db"],
  ["prune", "--dry-run"],
];

/** What is wrong with how the program deals with it. */
async function* faultsOf(scene: Scene, path: string, { what, name }: Thing): AsyncGenerator<string> {
  const { run, replica, states } = scene;
  const isPlace = path === replica || (path === `${replica}/generations` && name === "a full folder");
  const allowed = isPlace ? CODES_OF_PLACE : CODES;
  const told = ({ stdout, stderr }: Seen) => `${stdout}${stderr}`.replaceAll(scene.folder, "").slice(0, 400);
  const verified = await run("verify");
  if (!allowed.includes(verified.code)) yield `verify ends with ${verified.code}: ${told(verified)}`;
  if (what !== undefined && !isPlace) {
    const object = path.slice(path.lastIndexOf("/") + 1);
    const isNamed = told(verified).includes(object) && told(verified).includes(`is ${what}`);
    if (verified.code !== 4 || !isNamed) yield `verify ends with ${verified.code}, and says ${told(verified)}`;
  }
  for (const words of COMMANDS) {
    const seen = await run(...words);
    if (!allowed.includes(seen.code)) yield `${words[0]} ends with ${seen.code}: ${told(seen)}`;
  }
  const status = await run("status");
  if (![1, 4, 5].includes(status.code)) yield `status ends with ${status.code}: ${told(status)}`;
  const newest = await restored(scene);
  if (!allowed.includes(newest.code)) yield `restore ends with ${newest.code}: ${told(newest)}`;
  // The loss of the last object is what nobody can tell.
  if (verified.code === 0 && name !== "nothing" && !isSame(newest.bytes, states.get(NEW))) {
    yield `verify passes, restore: ${told(newest)}`;
  }
  const other = path.includes(`/${OLD}`) ? NEW : path.includes(`/${NEW}`) ? OLD : undefined;
  if (other === undefined) return;
  const others = await restored(scene, "--generation", other);
  if (!isSame(others.bytes, states.get(other))) yield `the other generation is not restored: ${told(others)}`;
  const proof = await run("verify", "--generation", other);
  if (proof.code !== 0) yield `the other generation is not proven: ${told(proof)}`;
  const points = await run("points");
  if (!points.stdout.includes(other)) yield `the other generation is not listed: ${told(points)}`;
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && equalBytes(a, b);
}

for (const [slot, writer] of WRITERS.entries()) {
  for (let part = 1; part <= PARTS; part++) {
    Deno.test({
      name:
        `whatever stands in the place of an object or folder of a replica, each command says it (${writer}, ${part})`,
      timeout: 300_000,
      fn: () =>
        withReplica(writer, slot + 3, async (scene) => {
          const places = [scene.replica, ...pathsBelow(scene.replica)];
          const cases = places.flatMap((path) => THINGS.map((thing) => ({ path, thing })));
          const random = seededRandom(SEED + slot);
          const chosen = cases.filter(() => randomInteger(random, cases.length) < CASES);
          assertGreaterOrEqual(chosen.length, PARTS);
          const faults: string[] = [];
          for (const { path, thing } of chosen.filter((_, at) => at % PARTS === part - 1)) {
            await whileReplaced(scene, path, thing, async () => {
              for await (const fault of faultsOf(scene, path, thing)) {
                faults.push(`${path.slice(scene.replica.length)} is ${thing.name}: ${fault}`);
              }
            });
          }
          assertEquals(faults, []);
        }),
    });
  }
}
