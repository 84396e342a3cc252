/** Every way to damage a replica's files that we can think of, as a list for one replica. */
import { crc32c } from "../../lib/base/crc32c.ts";
import { viewOf } from "../../lib/base/bytes.ts";
import { COMMIT_RECORD_SIZE } from "../../lib/store/commit_record.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { type Exchange, EXCHANGES, exchangeScene } from "../support/exchanged_history.ts";
import { randomInteger } from "../support/random.ts";
import { putOldPageBack, rewriteWal } from "../support/rewritten_wal.ts";

export interface Damage {
  readonly kind: string;
  /** Below the replica; absent where it is about more than one. */
  readonly object?: string;
  /** For messages: where exactly. */
  readonly detail: string;
  apply(root: string, store: GenerationStore): Promise<void> | void;
}

const BLOCK_BYTES = 512;
/** An LZ4 frame without content: header, end mark, checksum of nothing. */
const EMPTY_FRAME = Uint8Array.fromHex("04224d186470b90000000005 5dcc02".replace(" ", ""));
const DAY_MS = 24 * 3_600_000;

export interface DamageOptions {
  readonly random: () => number;
  readonly flips: number;
  /** Of all block boundaries, at most so many of each object. */
  readonly cuts: number;
  /** Whether its writer keeps checksums of the whole database. */
  readonly isOurs: boolean;
  readonly layout: Layout;
}

export function damages(root: string, { random, flips, cuts, isOurs, layout }: DamageOptions): Damage[] {
  const objects = objectsBelow(root);
  return [
    ...objects.flatMap((object) => [deleted(object), ...cutAnywhere(root, object, cuts, random)]),
    ...objects.flatMap((object) => Array.from({ length: flips }, () => flipped(root, object, random))),
    ...pairs(objects).map(([a, b]) => swapped(a, b)),
    ...objects.filter((object) => object.endsWith(".lz4")).map(emptied),
    ...objects.filter((object) => /\.(record|commits)$/.test(object)).map(fromTheFuture),
    ...without(objects, /\/wal\//, "all WAL lost, snapshots left"),
    ...without(objects, /\/snapshots\//, "all snapshots lost"),
    shifted(objects, "file times later", (ms) => ms + 3 * DAY_MS),
    shifted(objects, "file times earlier", (ms) => ms - 3 * DAY_MS),
    ...(isOurs ? [oldPage(), ...EXCHANGES.filter(({ layouts }) => layouts.includes(layout)).map(exchanged)] : []),
  ];
}

export function objectsBelow(root: string, prefix = ""): string[] {
  return [...Deno.readDirSync(`${root}/${prefix}`)].flatMap(({ name, isDirectory }) =>
    isDirectory ? objectsBelow(root, `${prefix}${name}/`) : [`${prefix}${name}`]
  ).sort();
}

function deleted(object: string): Damage {
  return { kind: "deleted", object, detail: "", apply: (root) => Deno.removeSync(`${root}/${object}`) };
}

function cutAnywhere(root: string, object: string, cuts: number, random: () => number): Damage[] {
  const { size } = Deno.statSync(`${root}/${object}`);
  const block = size <= 64 * BLOCK_BYTES ? COMMIT_RECORD_SIZE : BLOCK_BYTES;
  const all = Array.from({ length: Math.ceil(size / block) }, (_, slot) => slot * block);
  while (all.length > cuts) all.splice(randomInteger(random, all.length), 1);
  return [...all, size - 1].map((at) => ({
    kind: "cut off",
    object,
    detail: `at ${at} of ${size}`,
    apply: (root) => Deno.truncateSync(`${root}/${object}`, at),
  }));
}

function flipped(root: string, object: string, random: () => number): Damage {
  const at = randomInteger(random, Deno.statSync(`${root}/${object}`).size);
  const bit = 1 << randomInteger(random, 8);
  return {
    kind: "one bit flipped",
    object,
    detail: `bit ${bit} of byte ${at}`,
    apply: (root) => change(`${root}/${object}`, (bytes) => void (bytes[at] = (bytes[at] ?? 0) ^ bit)),
  };
}

/** Neighbours of one kind. */
function pairs(objects: readonly string[]): (readonly [string, string])[] {
  const kindOf = (object: string) => object.replace(/[0-9a-f_]+\.([a-z0-9.]+)$/, "*.$1");
  return objects.flatMap((object, slot) => {
    const other = objects.slice(slot + 1).find((next) => kindOf(next) === kindOf(object));
    return other === undefined ? [] : [[object, other] as const];
  });
}

function swapped(object: string, other: string): Damage {
  return {
    kind: "two objects swapped",
    object,
    detail: `with ${other}`,
    apply: (root) => {
      Deno.renameSync(`${root}/${object}`, `${root}/swap`);
      Deno.renameSync(`${root}/${other}`, `${root}/${object}`);
      Deno.renameSync(`${root}/swap`, `${root}/${other}`);
    },
  };
}

function emptied(object: string): Damage {
  return {
    kind: "an empty, valid LZ4 frame",
    object,
    detail: "",
    apply: (root) => Deno.writeFileSync(`${root}/${object}`, EMPTY_FRAME),
  };
}

function fromTheFuture(object: string): Damage {
  return {
    kind: "a record of a later version",
    object,
    detail: "its last record",
    apply: (root) =>
      change(`${root}/${object}`, (bytes) => {
        const record = bytes.subarray(bytes.length - COMMIT_RECORD_SIZE);
        record[0] = 3;
        viewOf(record).setUint32(60, crc32c(record.subarray(0, 60)), true);
      }),
  };
}

function without(objects: readonly string[], pattern: RegExp, kind: string): Damage[] {
  const lost = objects.filter((object) => pattern.test(object));
  const apply = (root: string) => lost.forEach((object) => Deno.removeSync(`${root}/${object}`));
  return [{ kind, detail: "", apply }];
}

function shifted(objects: readonly string[], kind: string, move: (ms: number) => number): Damage {
  return {
    kind,
    detail: "of every object",
    apply: (root) => {
      for (const object of objects) {
        const at = new Date(move(Deno.statSync(`${root}/${object}`).mtime?.getTime() ?? 0));
        Deno.utimeSync(`${root}/${object}`, at, at);
      }
    },
  };
}

function oldPage(): Damage {
  return {
    kind: "an old page in a valid frame",
    detail: "in the newest index",
    apply: async (_root, store) => {
      const [generation] = await store.generations();
      if (generation !== undefined) await rewriteWal(store, generation, putOldPageBack);
    },
  };
}

function exchanged({ kind, apply }: Exchange): Damage {
  return {
    kind,
    detail: "",
    apply: async (root, store) => {
      const [generation] = await store.generations();
      if (generation !== undefined) await apply(await exchangeScene(root, store, generation));
    },
  };
}

function change(path: string, work: (bytes: Uint8Array) => void): void {
  const { mtime } = Deno.statSync(path);
  const bytes = Deno.readFileSync(path);
  work(bytes);
  Deno.writeFileSync(path, bytes);
  if (mtime !== null) Deno.utimeSync(path, mtime, mtime);
}
