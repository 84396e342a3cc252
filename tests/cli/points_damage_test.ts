import type { Layout } from "../../lib/position/object_names.ts";
import { aKeyPair } from "../support/age.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { runInProcess, type Seen } from "../support/command_in_process.ts";
import { EPOCH_MS, ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const [FIRST, SECOND] = ["00000000000000aa", "00000000000000bb"];
const DAY_MS = 86_400_000;

interface Built {
  readonly generation?: string;
  readonly startMs?: number;
  /** Indexes of WAL, and those that a snapshot stands at the beginning of. */
  readonly indexes: number;
  readonly snapshots: readonly number[];
}

async function build(root: string, layout: Layout, { indexes, snapshots, ...options }: Built): Promise<void> {
  const replica = new ReplicaBuilder(root, { layout, ...options });
  for (let index = 0; index < Math.max(indexes, ...snapshots.map((name) => name + 1)); index++) {
    if (snapshots.includes(index)) await replica.snapshot(index, 0, imageOf(4096, 1 + index, 2));
    if (index >= indexes) continue;
    const wal = new WalBuilder();
    const end = wal.commit(2, [1, 10 + index]);
    await replica.wal(index, wal.bytes(), { end, databasePages: 2 });
    if (index < indexes - 1) await replica.close(index);
  }
}

/** Cuts off the last bytes of a snapshot. */
function cut(root: string, index: number, generation = FIRST): void {
  const folder = `${root}/generations/${generation}/snapshots`;
  for (const { name } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (!name.includes(".snapshot") || parseInt(name, 16) !== index) continue;
    Deno.truncateSync(path, Deno.statSync(path).size - 10);
    return;
  }
  throw new Error(`There is no snapshot of index ${index}`);
}

interface Row {
  readonly what: string;
  readonly make: (root: string, layout: Layout) => Promise<void>;
  /** Generation, kind, and the position of each row. */
  readonly rows: readonly string[];
  readonly points: number;
  readonly restore: number;
  readonly verify: number;
  readonly says: RegExp;
}

const CUT = /0000000[02-9]\.snapshot(\.lz4)?(:| has| holds| is damaged)/;
const BEGUN = /generation 00000000000000aa .*(no complete snapshot yet|was begun)/;

const TABLE: readonly Row[] = [
  {
    what: "the only snapshot is cut off, without WAL",
    make: async (root, layout) => {
      await build(root, layout, { indexes: 0, snapshots: [0] });
      cut(root, 0);
    },
    rows: ["aa unusable 0"],
    points: 4,
    restore: 4,
    verify: 4,
    says: CUT,
  },
  {
    what: "the only snapshot is cut off, with WAL",
    make: async (root, layout) => {
      await build(root, layout, { indexes: 2, snapshots: [0] });
      cut(root, 0);
    },
    rows: ["aa unusable 0", "aa unusable 1"],
    points: 4,
    restore: 4,
    verify: 4,
    says: CUT,
  },
  {
    what: "all snapshots are cut off, with WAL",
    make: async (root, layout) => {
      await build(root, layout, { indexes: 3, snapshots: [0, 2] });
      for (const index of [0, 2]) cut(root, index);
    },
    rows: ["aa unusable 0", "aa unusable 2", "aa unusable 2"],
    points: 4,
    restore: 4,
    verify: 4,
    says: CUT,
  },
  {
    what: "all snapshots are missing, with WAL",
    make: async (root, layout) => {
      await build(root, layout, { indexes: 2, snapshots: [0] });
      await Deno.remove(`${root}/generations/${FIRST}/snapshots`, { recursive: true });
    },
    rows: ["aa unusable 1"],
    points: 4,
    restore: 4,
    verify: 4,
    says: /\.snapshot(\.lz4)? is missing/,
  },
  {
    what: "the older of two is cut off",
    make: async (root, layout) => {
      await build(root, layout, { indexes: 3, snapshots: [0, 2] });
      cut(root, 0);
    },
    rows: ["aa range 2", "aa unusable 0", "aa unusable 1"],
    points: 4,
    restore: 0,
    verify: 4,
    says: CUT,
  },
  {
    what: "the newer of two is cut off, and the older one leads to all",
    make: async (root, layout) => {
      await build(root, layout, { indexes: 3, snapshots: [0, 2] });
      cut(root, 2);
    },
    rows: ["aa range 2"],
    points: 0,
    restore: 0,
    verify: 4,
    says: /^Note: .*\.snapshot(\.lz4)?.*; the snapshot of index 0000000000000000 serves\n/,
  },
  {
    what: "the newest snapshot is cut off, and no WAL leads to it",
    make: async (root, layout) => {
      await build(root, layout, { indexes: 2, snapshots: [0, 3] });
      cut(root, 3);
    },
    rows: ["aa range 1", "aa unusable 3"],
    points: 4,
    restore: 4,
    verify: 4,
    says: CUT,
  },
  {
    what: "an older generation is whole",
    make: async (root, layout) => {
      await build(root, layout, { generation: SECOND, startMs: EPOCH_MS - DAY_MS, indexes: 1, snapshots: [0] });
      await build(root, layout, { indexes: 0, snapshots: [0] });
      cut(root, 0);
    },
    rows: ["aa unusable 0", "bb range 0"],
    points: 4,
    restore: 4,
    verify: 4,
    says: CUT,
  },
  {
    what: "a newer generation is whole",
    make: async (root, layout) => {
      await build(root, layout, { generation: SECOND, startMs: EPOCH_MS + DAY_MS, indexes: 1, snapshots: [0] });
      await build(root, layout, { indexes: 1, snapshots: [0] });
      cut(root, 0);
    },
    rows: ["aa unusable 0", "aa unusable 0", "bb range 0"],
    points: 4,
    restore: 0,
    verify: 4,
    says: CUT,
  },
  {
    what: "nothing is in the only generation",
    make: (root) => Deno.mkdir(`${root}/generations/${FIRST}/snapshots`, { recursive: true }),
    rows: [],
    points: 3,
    restore: 3,
    verify: 3,
    says: BEGUN,
  },
  {
    what: "nothing is in one generation, and another is whole",
    make: async (root, layout) => {
      await build(root, layout, { generation: SECOND, indexes: 1, snapshots: [0] });
      await Deno.mkdir(`${root}/generations/${FIRST}/snapshots`, { recursive: true });
    },
    rows: ["bb range 0"],
    points: 0,
    restore: 0,
    verify: 0,
    says: BEGUN,
  },
];

interface Listed {
  readonly generation: string;
  readonly kind: string;
  readonly to: { readonly index: number; readonly captured_at: string };
  readonly lost_bytes: number;
  readonly problem: string | null;
}

for (const layout of ["raw", "litestream"] as const) {
  for (const { what, make, ...expected } of TABLE) {
    Deno.test({
      name: `points, restore and verify agree, ${layout}: ${what}`,
      timeout: 60_000,
      fn: () =>
        withTemporaryFolder(async (folder) => {
          await make(`${folder}/replica`, layout);
          const run = (...words: string[]) => runInProcess([...words, `file://${folder}/replica`], folder, {});
          const points = await run("points", "--json");
          const rows: readonly Listed[] = JSON.parse(points.stdout).points;
          assertEquals(
            rows.map(({ generation, kind, to }) => `${generation.slice(-2)} ${kind} ${to.index}`),
            expected.rows,
          );
          assertEquals(points.code, expected.points, points.stderr);
          assertMatch(points.stderr, expected.says);
          for (const { kind, problem, lost_bytes, to } of rows) {
            if (kind !== "unusable") continue;
            assert(lost_bytes > 0 && Date.parse(to.captured_at) > 0);
            assertStringIncludes(points.stderr, `Cannot restore everything: ${problem}`);
          }
          const table = await run("points");
          const lines = table.stdout === "" ? [] : table.stdout.trimEnd().split("\n").slice(1);
          assertEquals([table.code, lines.length], [expected.points, expected.rows.length]);
          const around = await run("points", "--json", "--at", "2025-06-01T12:00:03Z");
          assertEquals(JSON.parse(around.stdout).points.length > 0, expected.points !== 3, around.stdout);
          if (!expected.rows.some((row) => row.includes("range"))) assertEquals(around.code, expected.points);
          await assertOthers(run, folder, expected);
        }),
    });
  }
}

async function assertOthers(
  run: (...words: string[]) => Promise<Seen>,
  folder: string,
  expected: Pick<Row, "points" | "restore" | "verify">,
): Promise<void> {
  const dry = await run("restore", "--dry-run", "-o", `${folder}/dry.db`);
  const real = await run("restore", "-o", `${folder}/out.db`);
  assertEquals([dry.code, real.code], [expected.restore, expected.restore], real.stderr);
  for (const level of ["chain", "intact", "restore"]) {
    const verified = await run("verify", "--level", level);
    assertEquals([level, verified.code], [level, expected.verify], verified.stdout);
  }
  const reached = await run("verify", "--level", "reach");
  assertEquals(reached.code, expected.points === 3 ? 3 : 0, reached.stdout);
}

Deno.test("points says of what is encrypted for others that it cannot be read, and calls it no damage", () =>
  withTemporaryFolder(async (folder) => {
    await build(`${folder}/replica`, "litestream", { indexes: 0, snapshots: [0] });
    const { recipient } = await aKeyPair();
    Deno.writeTextFileSync(
      `${folder}/config.yml`,
      `dbs:\n  - path: ${folder}/app.db\n    replicas:\n      - path: ${folder}/replica\n` +
        `        age:\n          recipients: [${recipient}]\n`,
    );
    const words = ["points", "--config", `${folder}/config.yml`, `${folder}/app.db`];
    const { code, stderr } = await runInProcess(words, folder, {});
    assertEquals(code, 1, stderr);
    assertMatch(stderr, /^Cannot list the points of .*: it is encrypted, and no identity is configured/);
  }));
