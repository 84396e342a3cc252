/** Histories in which every object is as its own sums say, and is not what was written there. */
import type { Generation } from "../../lib/position/generation.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { asIndex, asOffset, type Index } from "../../lib/position/position.ts";
import {
  COMMIT_RECORD_SIZE,
  type CommitRecord,
  formatCommitRecord,
  parseCommitRecord,
} from "../../lib/store/commit_record.ts";
import type { GenerationStore } from "../../lib/store/generation_store.ts";
import { framesBefore } from "../../lib/wal/frame.ts";
import { assert } from "./assert.ts";
import { rewriteIndex } from "./rewritten_wal.ts";

export interface ExchangeScene {
  readonly root: string;
  readonly store: GenerationStore;
  readonly generation: Generation;
  readonly layout: Layout;
  /** Two indexes that are complete, with frames of more than one record, and follow each other. */
  readonly older: readonly [Index, Index];
  /** Names of the snapshots, oldest first. */
  readonly snapshots: readonly Index[];
}

export interface Exchange {
  readonly kind: string;
  readonly layouts: readonly Layout[];
  /** Of which indexes one is named when it is told. */
  readonly named: (scene: ExchangeScene) => readonly Index[];
  readonly apply: (scene: ExchangeScene) => Promise<void> | void;
  /** Records of version 1 may have been written like that: it is told, and fails nothing. */
  readonly isOddInVersion1?: boolean;
  /** What is left is exact, where later frames bring what the lost ones brought. */
  readonly losesOnly?: boolean;
}

const BOTH = ["raw", "litestream"] as const;
const RAW = ["raw"] as const;

export async function exchangeScene(root: string, store: GenerationStore, generation: Generation) {
  const { layout, wals, snapshots } = await store.catalog(generation);
  const rich: Index[] = [];
  for (const { index, lastRecord } of wals) {
    const records = await store.records(generation, index);
    if (lastRecord?.indexClosed === true && lastRecord.kind !== "resync" && records.length > 3) rich.push(index);
  }
  const first = rich.find((index) => rich.includes(asIndex(index + 1)));
  assert(first !== undefined && snapshots.length > 2, "the history is long enough");
  const names = snapshots.map(({ index }) => index);
  return {
    root,
    store,
    generation,
    layout,
    older: [first, asIndex(first + 1)],
    snapshots: names,
  } satisfies ExchangeScene;
}

export const EXCHANGES: readonly Exchange[] = [
  {
    kind: "an older snapshot over a newer one",
    layouts: BOTH,
    named: ({ snapshots }) => snapshots.slice(2, 3),
    apply: ({ snapshots, ...scene }) => {
      for (const name of objectsOf(scene, snapshots[1])) {
        Deno.copyFileSync(`${scene.root}/${name}`, `${scene.root}/${renamed(name, snapshots[1], snapshots[2])}`);
      }
    },
  },
  {
    kind: "all WAL of two indexes exchanged",
    layouts: BOTH,
    named: ({ older }) => older,
    apply: ({ older: [a, b], ...scene }) => exchange(scene, "wal", a, b),
  },
  {
    kind: "the first and the last snapshot exchanged",
    layouts: BOTH,
    named: ({ snapshots }) => [snapshots[0] ?? asIndex(0), snapshots.at(-1) ?? asIndex(0)],
    apply: ({ snapshots, ...scene }) => exchange(scene, "snapshots", snapshots[0], snapshots.at(-1)),
  },
  {
    kind: "a byte of an old page in a valid frame",
    layouts: BOTH,
    named: ({ older }) => older,
    apply: ({ store, generation, older: [index] }) =>
      rewriteIndex(store, generation, index, (frames) => {
        const last = frames.at(-1); // Nothing takes its place before the next record.
        assert(last !== undefined);
        last.content[500] = (last.content[500] ?? 0) ^ 1;
      }),
  },
  {
    kind: "a complete index that ends a record earlier",
    layouts: BOTH,
    losesOnly: true,
    named: ({ older }) => older,
    apply: async ({ store, generation, older: [index] }) => {
      const all = [...await store.records(generation, index)];
      const kept = all.slice(0, -2);
      const end = kept.at(-1)?.end ?? asOffset(0);
      await rewriteIndex(
        store,
        generation,
        index,
        (frames) => {
          frames.length = framesBefore(end, kept.at(-1)?.pageSize ?? 0);
        },
        (records) => {
          const closing = records.at(-1);
          const last = kept.at(-1);
          assert(closing !== undefined && last !== undefined);
          records.splice(0, records.length, ...kept, { ...closing, ...last, start: end, indexClosed: true });
        },
      );
    },
  },
  {
    kind: "a snapshot's record at another offset",
    layouts: RAW,
    named: ({ snapshots }) => snapshots.slice(1, 2),
    apply: async ({ store, generation, snapshots: [, name], root }) => {
      assert(name !== undefined);
      const records = await store.records(generation, name);
      changeSnapshotRecord(root, generation, name, (record) => {
        const other = records.find(({ end, indexClosed }) => end !== record.end && !indexClosed)?.end ?? asOffset(0);
        return { ...record, start: other, end: other };
      });
    },
  },
  {
    kind: "a bit of a later snapshot whose record has no checksum",
    layouts: RAW,
    named: ({ snapshots }) => snapshots.slice(1, 2),
    apply: ({ generation, snapshots: [, name], root }) => {
      const path = `${root}/generations/${generation}/snapshots/${hexOf(name, "raw")}.snapshot`;
      const image = Deno.readFileSync(path);
      image[200] = (image[200] ?? 0) ^ 1;
      Deno.writeFileSync(path, image);
      changeSnapshotRecord(root, generation, name, ({ checksum: _, ...record }) => record);
    },
  },
  {
    kind: "another page size in a snapshot's record",
    layouts: RAW,
    named: ({ snapshots }) => snapshots.slice(1, 2),
    apply: ({ generation, snapshots: [, name], root }) =>
      changeSnapshotRecord(root, generation, name, (record) => ({
        ...record,
        pageSize: record.pageSize / 2,
        databasePages: record.databasePages * 2,
      })),
  },
  ...([
    ["another page size in a closing record", (record) => ({ ...record, pageSize: record.pageSize * 2 })],
    ["another size in a closing record", (record) => ({ ...record, databasePages: record.databasePages + 1 })],
  ] as const satisfies readonly (readonly [string, (record: CommitRecord) => CommitRecord])[]).map((
    [kind, change],
  ): Exchange => ({
    kind,
    layouts: BOTH,
    named: ({ older }) => older,
    apply: ({ store, generation, older: [index] }) =>
      rewriteIndex(store, generation, index, () => {}, (records) => {
        records.splice(-1, 1, ...records.slice(-1).map(change));
      }),
  })),
  ...[["of 1980", Date.UTC(1980, 1)], ["of 2100", Date.UTC(2100, 1)], ["beyond all years", 2 ** 48 - 1]]
    .map((
      [kind, atMs],
    ): Exchange => ({
      kind: `a record's time ${kind}`,
      layouts: BOTH,
      isOddInVersion1: kind !== "beyond all years",
      named: ({ older }) => older,
      apply: ({ store, generation, older: [index] }) =>
        rewriteIndex(store, generation, index, () => {}, (records) => {
          records.splice(1, 1, ...records.slice(1, 2).map((record) => ({ ...record, capturedAtMs: Number(atMs) })));
        }),
    })),
  {
    kind: "the times of two records exchanged",
    layouts: BOTH,
    isOddInVersion1: true,
    named: ({ older }) => older,
    apply: ({ store, generation, older: [index] }) =>
      rewriteIndex(store, generation, index, () => {}, (records) => {
        const [a, b] = records;
        assert(a !== undefined && b !== undefined);
        records.splice(0, 2, { ...a, capturedAtMs: b.capturedAtMs }, { ...b, capturedAtMs: a.capturedAtMs });
      }),
  },
  ...[["of 1980", Date.UTC(1980, 1)], ["of 2100", Date.UTC(2100, 1)]].map(([kind, atMs]): Exchange => ({
    kind: `a snapshot's time ${kind}`,
    layouts: RAW,
    isOddInVersion1: true,
    named: ({ snapshots }) => snapshots.slice(1, 2),
    apply: ({ generation, snapshots: [, name], root }) =>
      changeSnapshotRecord(root, generation, name, (record) => ({ ...record, capturedAtMs: Number(atMs) })),
  })),
];

/** An index takes the place of the same one of another replica. */
export function takeFromOther(scene: ExchangeScene, otherRoot: string, otherGeneration: Generation): void {
  const [index] = scene.older;
  const folder = `generations/${scene.generation}/wal`;
  for (const name of objectsOf(scene, index, "wal")) Deno.removeSync(`${scene.root}/${name}`);
  const other = { ...scene, root: otherRoot, generation: otherGeneration };
  for (const name of objectsOf(other, index, "wal")) {
    Deno.copyFileSync(`${otherRoot}/${name}`, `${scene.root}/${folder}/${name.split("/").at(-1)}`);
  }
}

type Home = Pick<ExchangeScene, "root" | "generation" | "layout">;

function exchange(home: Home, kind: "wal" | "snapshots", a: Index | undefined, b: Index | undefined): void {
  const names = [[a, b], [b, a]].flatMap(([from, to]) =>
    objectsOf(home, from, kind).map((name) => [name, renamed(name, from, to)] as const)
  );
  for (const [name, other] of names) Deno.renameSync(`${home.root}/${name}`, `${home.root}/${other}.exchanged`);
  for (const [, other] of names) Deno.renameSync(`${home.root}/${other}.exchanged`, `${home.root}/${other}`);
}

function objectsOf(
  { root, generation, layout }: Home,
  index: Index | undefined,
  kind: "wal" | "snapshots" = "snapshots",
) {
  const folder = `generations/${generation}/${kind}`;
  const prefix = hexOf(index, layout);
  return [...Deno.readDirSync(`${root}/${folder}`)].filter(({ name }) => name.startsWith(prefix))
    .map(({ name }) => `${folder}/${name}`);
}

function renamed(path: string, from: Index | undefined, to: Index | undefined): string {
  const [folder, name = ""] = [path.slice(0, path.lastIndexOf("/")), path.split("/").at(-1)];
  const layout = name.endsWith(".lz4") ? "litestream" : "raw";
  return `${folder}/${hexOf(to, layout)}${name.slice(hexOf(from, layout).length)}`;
}

function hexOf(index: Index | undefined, layout: Layout): string {
  return (index ?? 0).toString(16).padStart(layout === "raw" ? 16 : 8, "0");
}

function changeSnapshotRecord(
  root: string,
  generation: Generation,
  name: Index | undefined,
  change: (record: CommitRecord) => CommitRecord,
): void {
  const path = `${root}/generations/${generation}/snapshots/${hexOf(name, "raw")}.record`;
  const bytes = Deno.readFileSync(path);
  assert(bytes.length === COMMIT_RECORD_SIZE);
  const parsed = parseCommitRecord(bytes);
  assert(parsed.ok && name !== undefined);
  Deno.writeFileSync(path, formatCommitRecord(change(parsed.record), { generation, index: name }));
}
