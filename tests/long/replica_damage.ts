/** Every way to damage a replica's files that we can think of, as a list for one replica. */
import { crc32c } from "../../lib/base/crc32c.ts";
import { viewOf } from "../../lib/base/bytes.ts";
import type { Generation } from "../../lib/position/generation.ts";
import { COMMIT_RECORD_SIZE } from "../../lib/store/commit_record.ts";
import { type Exchange, EXCHANGES, exchangeScene } from "../support/exchanged_history.ts";
import { randomInteger } from "../support/random.ts";
import { putOldPageBack, rewriteWal } from "../support/rewritten_wal.ts";
import { change, type Damage } from "./damage.ts";
import { exchangedObjects } from "./exchanged_objects.ts";
import { forgedFrames, framelessSegments } from "./frame_damage.ts";
import { besideGenerations, futureFiles, oddObjects } from "./odd_objects.ts";
import { recordDamages } from "./record_damage.ts";
import type { ReplicaView } from "./replica_view.ts";
import { validRewritings } from "./valid_rewritings.ts";

const BLOCK_BYTES = 512;
/** An LZ4 frame without content: header, end mark, checksum of nothing. */
const EMPTY_FRAME = Uint8Array.fromHex("04224d186470b90000000005 5dcc02".replace(" ", ""));
const DAY_MS = 24 * 3_600_000;

export interface DamageOptions {
  readonly random: () => number;
  readonly flips: number;
  /** Of all block boundaries, at most so many of each object. */
  readonly cuts: number;
  /** Of each kind at most so many, by chance; absent: all. */
  readonly ofEachKind?: number;
}

/** `stranger`: the replica of another database, by the same program in the same layout. */
export function damages(view: ReplicaView, stranger: ReplicaView, options: DamageOptions): Damage[] {
  const { random, ofEachKind } = options;
  const all = [
    ...objectDamages(view, options),
    ...besideGenerations(),
    ...futureFiles(view),
    ...validRewritings(view),
    ...(view.isOurs ? recordDamages(view) : framelessSegments(view, random)),
    ...exchangedObjects(view, stranger),
    ...forgedFrames(view, random),
    ...oddObjects(view),
  ];
  if (ofEachKind === undefined) return all;
  return [...Map.groupBy(all, ({ kind }) => kind).values()].flatMap((own) => {
    while (own.length > ofEachKind) own.splice(randomInteger(random, own.length), 1);
    return own;
  });
}

function objectDamages(view: ReplicaView, { random, flips, cuts }: DamageOptions): Damage[] {
  const { root, objects, isOurs } = view;
  return [
    ...objects.flatMap((object) => [deleted(object, isOurs), ...cutAnywhere(root, object, cuts, random)]),
    ...objects.flatMap((object) => Array.from({ length: flips }, () => flipped(root, object, random))),
    ...pairs(objects).map(([a, b]) => swapped(a, b)),
    ...objects.filter((object) => object.endsWith(".lz4")).map(emptied),
    ...objects.filter((object) => /\.(record|commits)$/.test(object)).map(fromTheFuture),
    ...without(objects, /\/wal\//, "all WAL lost, snapshots left"),
    ...without(objects, /\/snapshots\//, "all snapshots lost"),
    shifted(objects, "file times later", (ms) => ms + 3 * DAY_MS),
    shifted(objects, "file times earlier", (ms) => ms - 3 * DAY_MS),
    ...(isOurs ? [oldPage(view), ...exchanges(view)] : []),
  ];
}

/** Nobody misses what Litestream's segments at the end of an index held. */
function deleted(object: string, isOurs: boolean): Damage {
  const apply = (root: string) => Deno.removeSync(`${root}/${object}`);
  return { kind: "deleted", object, detail: "", ...(isOurs ? {} : { unseen: "contents" }), apply };
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
    isValid: true,
    apply: (root) => {
      for (const object of objects) {
        const at = new Date(move(Deno.statSync(`${root}/${object}`).mtime?.getTime() ?? 0));
        Deno.utimeSync(`${root}/${object}`, at, at);
      }
    },
  };
}

function oldPage({ generations }: ReplicaView): Damage {
  return {
    kind: "an old page in a valid frame",
    detail: "in the newest index",
    apply: async (_root, store) => {
      const newest = generations.at(-1)?.generation;
      if (newest !== undefined) await rewriteWal(store, newest, putOldPageBack);
    },
  };
}

function exchanges({ generations, layout }: ReplicaView): Damage[] {
  const ofLayout = EXCHANGES.filter(({ layouts }) => layouts.includes(layout));
  return generations.flatMap(({ generation }) => ofLayout.map((one) => exchanged(one, generation)));
}

function exchanged({ kind, losesOnly, apply }: Exchange, generation: Generation): Damage {
  return {
    kind,
    detail: `of ${generation}`,
    ...(losesOnly === true ? { unseen: "losses" } : {}),
    apply: async (root, store) => await apply(await exchangeScene(root, store, generation)),
  };
}
