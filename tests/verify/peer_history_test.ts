/** Of what Litestream wrote no checksum tells: its snapshots are held against the WAL before them, and the WAL's salts count. */
import { viewOf } from "../../lib/base/bytes.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { verifyReplica } from "../../lib/verify/verify.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { PeerReplica } from "../support/peer_replica.ts";
import { aStore } from "../support/replica_builder.ts";
import { restoreTools } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf as pagesOf, WalBuilder } from "../support/wal_builder.ts";

const PAGE_SIZE = 512;
const INDEXES = 6;
const START_MS = Date.UTC(2026, 1, 1);

type Image = Uint8Array;

/** The page that every database begins with, and pages of these fills. */
function imageOf(...fills: readonly number[]): Image {
  const image = pagesOf(PAGE_SIZE, 0, ...fills);
  image.set(new TextEncoder().encode("SQLite format 3\0"));
  viewOf(image).setUint16(16, PAGE_SIZE);
  return image;
}

/** Five pages behind the first, of which each life changes one twice, one of three, and every second one the last. */
class PeerHistory {
  /** By index. */
  readonly wals: Uint8Array[] = [];
  /** By index: the file when its life begins, in its middle, at its end. */
  readonly images: (readonly Image[])[] = [];

  constructor(seed: number, salts: (index: number) => number) {
    const fills = [seed, seed, seed, seed, seed];
    for (let index = 0; index < INDEXES; index++) {
      const wal = new WalBuilder({ pageSize: PAGE_SIZE, salt: { salt1: salts(index) >>> 0, salt2: seed + index } });
      const images: Image[] = [imageOf(...fills)];
      for (const step of [1, 2]) {
        const changed = [2, 3 + (index % 3), ...(index % 2 === 0 && step === 1 ? [6] : [])];
        for (const page of changed) fills[page - 2] = (seed + 16 * index + 3 * step + page) % 256;
        wal.commit(6, ...changed.map((page) => [page, fills[page - 2] ?? 0] as const));
        images.push(imageOf(...fills));
      }
      this.wals.push(wal.bytes());
      this.images.push(images);
    }
  }

  image(index: number, moment: number): Image {
    return this.images[index]?.[moment] ?? new Uint8Array();
  }
}

/** What stands under which index. */
interface Objects {
  readonly wals: Uint8Array[];
  readonly snapshots: Map<number, Image>;
}

function objectsOf(history: PeerHistory): Objects {
  const moments = [[0, 1], [2, 0], [3, 2], [5, 1]] as const;
  return {
    wals: [...history.wals],
    snapshots: new Map(moments.map(([index, moment]) => [index, history.image(index, moment)])),
  };
}

async function told(folder: string, { wals, snapshots }: Objects): Promise<string> {
  const replica = new PeerReplica(`${folder}/replica`, "segments");
  for (const [index, image] of snapshots) await replica.snapshot(index, image, START_MS + index * 1_000);
  for (const [index, wal] of wals.entries()) await replica.wal(index, 0, wal, START_MS + index * 1_000 + 500);
  const scratch = `${folder}/scratch`;
  Deno.mkdirSync(scratch, { recursive: true });
  const clock = Object.assign(new SystemClock(), { sleep: () => Promise.resolve() }); // Nobody waits for the second look.
  const tools = { ...restoreTools({ clock }), folder: scratch, keep: false };
  const store = aStore(replica.root, "litestream");
  const report = await verifyReplica({ replica: { name: "file", store }, url: "file:///replica" }, {
    level: "intact",
    isLevelExplicit: true,
    isSeedChosen: false,
    again: [],
    target: { kind: "latest" },
    sample: 0,
    seed: 1,
  }, tools);
  return [...report.findings.map(({ problem }) => problem), ...report.suspicions.map((one) => `note: ${one}`)].join(
    "\n",
  );
}

/** Near to the end of what a salt can be: it goes on at 0. */
const COUNTING = (index: number) => 0xfffffffd + index;
const VALID: readonly (readonly [name: string, salts: (index: number) => number])[] = [
  ["that counts on", COUNTING],
  ["of which the file was truncated once", (index) => index < 3 ? 7 + index : 900_000_000 + index],
  ["of which the file was truncated each time", (index) => 700_000_000 * index],
];

for (const [name, salts] of VALID) {
  Deno.test(`verifyReplica() has nothing to say of a history of Litestream's with WAL ${name}`, () =>
    withTemporaryFolder(async (folder) => {
      assertEquals(await told(folder, objectsOf(new PeerHistory(10, salts))), "");
    }));
}

Deno.test("verifyReplica() suspects that a life of the WAL is in no index of Litestream's", () =>
  withTemporaryFolder(async (folder) => {
    const said = await told(folder, objectsOf(new PeerHistory(10, (index) => index < 3 ? index : index + 1)));
    assertMatch(said, /^note: SQLite began the WAL 2 times between .*wal\/00000002_.* and .*wal\/00000003_/);
  }));

interface Wrong {
  readonly name: string;
  /** The objects of which one must be named. */
  readonly named: RegExp;
  readonly salts?: (index: number) => number;
  readonly change: (objects: Objects, history: PeerHistory) => void;
}

function put(wals: Uint8Array[], index: number, wal: Uint8Array | undefined): void {
  wals[index] = wal ?? new Uint8Array();
}

const WRONG: readonly Wrong[] = [
  {
    name: "an older snapshot over a newer one",
    named: /snapshots\/00000003\./,
    change: ({ snapshots }, history) => snapshots.set(3, history.image(2, 0)),
  },
  {
    name: "an older snapshot over the one of the newest index",
    named: /snapshots\/00000005\.snapshot\.lz4, which is the image of index 0000000000000003,/,
    change: ({ snapshots }, history) => snapshots.set(5, history.image(3, 2)),
  },
  {
    name: "the first two snapshots exchanged",
    named: /snapshots\/0000000[02]\./,
    change: ({ snapshots }, history) => void snapshots.set(0, history.image(2, 0)).set(2, history.image(0, 1)),
  },
  {
    name: "a snapshot of another database",
    named: /snapshots\/00000002\./,
    change: ({ snapshots }) => snapshots.set(2, new PeerHistory(99, COUNTING).image(2, 0)),
  },
  ...([[0, 1], [2, 3], [0, 5], [4, 5], [1, 4]] as const).map(([a, b]): Wrong => ({
    name: `indexes ${a} and ${b} exchanged`,
    named: new RegExp(`wal/0000000[${a}${b}]_`),
    change: ({ wals }, history) => {
      put(wals, a, history.wals[b]);
      put(wals, b, history.wals[a]);
    },
  })),
  ...([[4, 5], [5, 4], [1, 4], [3, 0]] as const).map(([a, b]): Wrong => ({
    name: `index ${a} over index ${b}`,
    named: new RegExp(`wal/0000000[0-5]_`),
    change: ({ wals }, history) => put(wals, b, history.wals[a]),
  })),
  {
    name: "an index of another database",
    named: /wal\/00000004_[^ ]* is no WAL that was written between that of .*00000003_.*00000005_/,
    change: ({ wals }) => put(wals, 4, new PeerHistory(99, (index) => 700_000_000 * index).wals[4]),
  },
  {
    name: "an index of another database, where the WAL's file was truncated each time",
    named: /snapshots\/00000003\./,
    salts: (index) => 700_000_000 * index,
    change: ({ wals }) => put(wals, 2, new PeerHistory(99, COUNTING).wals[2]),
  },
  {
    name: "an old page that another one wrote, with all sums of the WAL anew",
    named: /snapshots\/00000002\.snapshot\.lz4 holds pages 2, 4 as never in its index/,
    change: ({ wals }) => {
      const wal = new WalBuilder({ pageSize: PAGE_SIZE, salt: { salt1: COUNTING(1) >>> 0, salt2: 11 } });
      wal.commit(6, [2, 7], [4, 7]);
      put(wals, 1, wal.bytes());
    },
  },
  {
    name: "an index that lacks its last transaction",
    named: /snapshots\/00000002\./,
    change: ({ wals }, history) => put(wals, 1, history.wals[1]?.subarray(0, 32 + 2 * (PAGE_SIZE + 24))),
  },
];

for (const { name, named, salts = COUNTING, change } of WRONG) {
  Deno.test(`verifyReplica() tells ${name} in a history of Litestream's`, () =>
    withTemporaryFolder(async (folder) => {
      const history = new PeerHistory(10, salts);
      const objects = objectsOf(history);
      change(objects, history);
      const [failed = ""] = (await told(folder, objects)).split("note: ");
      assertMatch(failed, named);
    }));
}

Deno.test("verifyReplica() says nothing of pages that a database of Litestream's lost, or got without a frame", () =>
  withTemporaryFolder(async (folder) => {
    const lives = [0, 1].map((salt1) => new WalBuilder({ pageSize: PAGE_SIZE, salt: { salt1, salt2: 1 } }));
    lives[0]?.commit(3, [2, 20]); // Pages 4 and 5 are cut off,
    lives[0]?.commit(5, [5, 21]); // and page 4 comes back without a frame.
    lives[1]?.commit(5, [2, 22]);
    const last = new WalBuilder({ pageSize: PAGE_SIZE, salt: { salt1: 2, salt2: 1 } });
    last.commit(5, [2, 23]);
    for (const [slot, stale] of [0, 3].entries()) {
      const snapshots = new Map([[0, imageOf(1, 2, 3, 4)], [1, imageOf(22, 2, stale, 21)]]);
      const objects = { wals: [...lives, last].map((wal) => wal.bytes()), snapshots };
      assertEquals(await told(`${folder}/${slot}`, objects), "");
    }
    const snapshots = new Map([[0, imageOf(1, 2, 3, 4)], [1, imageOf(22, 2, 3, 4)]]);
    const wrong = await told(`${folder}/wrong`, { wals: [...lives, last].map((wal) => wal.bytes()), snapshots });
    assertMatch(wrong, /holds page 5 as never in its index/);
  }));
