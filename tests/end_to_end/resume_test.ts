/** After being away: where the history can be continued it is, where not a new generation begins, and says why. */
import { DatabaseSync } from "node:sqlite";
import { FRAME_HEADER_SIZE, frameSize } from "../../lib/wal/frame.ts";
import { WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { HEADER_SLOT_SIZE, parsePageTableHeader } from "../../lib/pages/page_table_header.ts";
import { asIndex, formatIndex, type Index } from "../../lib/position/position.ts";
import { assert, assertEquals, assertMatch, fail } from "../support/assert.ts";
import { sleep, until } from "../support/daemon.ts";
import { flipBit } from "../support/flip_bit.ts";
import { insert, type Scene, withScene } from "./scene.ts";

const FRAME = frameSize(4_096);

interface Away {
  readonly scene: Scene;
  /** Open all the time, so that the WAL stays. */
  readonly application: DatabaseSync;
  /** Of the WAL, from its beginning. */
  readonly capturedBytes: number;
}

/** Replicates, ends, lets happen what happens while nobody watches, and replicates again. */
async function goAway(scene: Scene, meanwhile: (away: Away) => Promise<void> | void, end: Deno.Signal = "SIGTERM") {
  const application = scene.application();
  application.exec("PRAGMA wal_autocheckpoint = 0");
  // What an earlier life leaves behind the end of the next one shows that this one wrote nothing there.
  application.exec("CREATE TABLE other(n INTEGER PRIMARY KEY)");
  insert(application, 50);
  checkpoint(application, "RESTART");
  insert(application, 10);
  await using first = scene.daemon();
  await first.line("Snapshot done");
  insert(application, 10);
  await scene.replicated();
  await first.stop(end);
  const [generation] = await scene.generations();
  assert(generation !== undefined);
  const before = await scene.restored({ kind: "latest", generation });
  const endBefore = await scene.store.end(generation);
  assert(endBefore !== undefined);
  await meanwhile({ scene, application, capturedBytes: endBefore.offset });
  await using again = scene.daemon();
  await again.ready();
  const after = application.isOpen ? application : scene.application();
  insert(after, 10);
  assertEquals(await again.stop(), 0);
  after.close();
  await scene.expectEqual();
  // Whatever was restorable is.
  const position = { generation, index: endBefore.index, offset: endBefore.offset };
  assertEquals(await scene.restored({ kind: "position", position, generation }), before);
  const reason = /A new generation begins .* reason="(.*)"$/.exec(again.saying("A new generation begins").join())?.[1];
  const resynced = /INFO {2}Resynced .* reason="(.*)" different_pages=/.exec(again.text)?.[1];
  const snapshots = again.saying("Making a snapshot").length;
  const generations = (await scene.generations()).length;
  const compared = again.saying("Looking for the pages that differ").length;
  return { reason, resynced, compared, snapshots, endBefore, end: await scene.store.end(generation), generations };
}

function continues(
  what: string,
  indexes: number,
  meanwhile: (away: Away) => Promise<void> | void,
  end?: Deno.Signal,
): void {
  Deno.test({
    name: `replicate goes on in the same generation after it was away ${what}`,
    timeout: 30_000,
    fn: () =>
      withScene(async (scene) => {
        const { reason, resynced, generations, endBefore, end: endAfter } = await goAway(scene, meanwhile, end);
        assertEquals([reason, resynced], [undefined, undefined]);
        assertEquals(generations, 1);
        assertEquals<number | undefined>(endAfter?.index, endBefore.index + indexes);
      }),
  });
}

/** With the page table the history is continued, and without it a new one begins; both say why. */
function breaksOff(what: string, wanted: string, meanwhile: (away: Away) => Promise<void> | void): void {
  resyncs(what, wanted, meanwhile);
  beginsAnew(`${what}, without a page table`, wanted, async (away) => {
    for (const { name } of Deno.readDirSync(away.scene.state)) {
      if (name.startsWith("pages-")) Deno.removeSync(`${away.scene.state}/${name}`);
    }
    await meanwhile(away);
  });
}

/** One is stored as soon as all pages were read once; a process that is killed before has nothing to compare with later. */
function hasPageTable({ state }: Scene): boolean {
  return [...Deno.readDirSync(state)].filter(({ name }) => name.startsWith("pages-")).some(({ name }) => {
    const bytes = Deno.readFileSync(`${state}/${name}`);
    return [0, HEADER_SLOT_SIZE].some((at) => parsePageTableHeader(bytes.subarray(at)) !== undefined);
  });
}

function removeIndex(folder: string, index: Index): void {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) removeIndex(`${folder}/${name}`, index);
    else if (name.startsWith(`${formatIndex(index)}.`)) Deno.removeSync(`${folder}/${name}`);
  }
}

function resyncs(what: string, wanted: string, meanwhile: (away: Away) => Promise<void> | void): void {
  Deno.test({
    name: `replicate resyncs after ${what}: ${wanted}`,
    timeout: 30_000,
    fn: () =>
      withScene(async (scene) => {
        const { reason, resynced, snapshots, generations } = await goAway(scene, meanwhile);
        assertEquals([reason, resynced], [undefined, wanted]);
        assertEquals([generations, snapshots], [1, 0]);
      }),
  });
}

function beginsAnew(what: string, wanted: string, meanwhile: (away: Away) => Promise<void> | void): void {
  Deno.test({
    name: `replicate begins a new generation after ${what}: ${wanted}`,
    timeout: 30_000,
    fn: () =>
      withScene(async (scene) => {
        const { reason, generations } = await goAway(scene, meanwhile);
        assertEquals(reason?.replaceAll(scene.folder, "").replace(/[0-9a-f]{16}\//, "GENERATION/"), wanted);
        assertEquals(generations, 2);
      }),
  });
}

function checkpoint(application: DatabaseSync, mode: string): void {
  const { busy } = application.prepare(`PRAGMA wal_checkpoint(${mode})`).get() ?? {};
  assertEquals(busy, 0);
}

function files(scene: Scene): readonly string[] {
  return [scene.database, scene.wal];
}

/** The database and its WAL as they are, to be put back when nobody has them open. */
function keep({ scene, application }: Pick<Away, "scene" | "application">): () => void {
  const kept = files(scene).map((path) => [path, Deno.readFileSync(path)] as const);
  return () => {
    application.close();
    for (const [path, bytes] of kept) Deno.writeFileSync(path, bytes);
  };
}

for (const end of ["SIGTERM", "SIGKILL"] as const) {
  continues(`by ${end}, with nothing written`, 0, () => {}, end);
  continues(`by ${end}, with rows written`, 0, ({ application }) => insert(application, 30), end);
  continues(`by ${end}, with one restart of the WAL`, 1, ({ application }) => {
    checkpoint(application, "RESTART");
    insert(application, 1);
  }, end);
}

continues("with a checkpoint after which the next commit restarts the WAL", 1, ({ application }) => {
  insert(application, 5);
  checkpoint(application, "PASSIVE");
});

continues("with a restart that nobody has written after", 1, ({ application }) => checkpoint(application, "RESTART"));

continues("and both were killed", 0, ({ scene, application }) => {
  insert(application, 5);
  keep({ scene, application })();
  insert(scene.connect(), 1); // It is there again: else the WAL is soon emptied, as after a last close.
});

const UNKNOWN = "it is not known which database file was captured";
const ANOTHER = "the database file is another one than that which was captured";

/** The files as a killed application leaves them, but with another database that was put under its name. */
function putAnother(away: Away, put: (path: string, bytes: Uint8Array) => void): void {
  const { scene } = away;
  const kept = [scene.database, scene.wal].map((path) => Deno.readFileSync(path));
  away.application.close();
  const other = new DatabaseSync(scene.database);
  other.exec("INSERT INTO other VALUES(77)"); // On a page that no frame has.
  other.close();
  const bytes = Deno.readFileSync(scene.database);
  Deno.writeFileSync(scene.database, kept[0] ?? fail("There was no database"));
  Deno.writeFileSync(scene.wal, kept[1] ?? fail("There was no WAL"));
  put(scene.database, bytes);
  // The application takes that WAL for the other one's.
  scene.connect().prepare("SELECT * FROM other").all();
}

function renameInto(path: string, bytes: Uint8Array): void {
  Deno.writeFileSync(`${path}.other`, bytes);
  Deno.renameSync(`${path}.other`, path);
}

breaksOff("another database was renamed beside the same WAL", ANOTHER, (away) => putAnother(away, renameInto));

breaksOff("another database took the place, and maybe the number, of one that was removed", ANOTHER, (away) => {
  putAnother(away, (path, bytes) => {
    Deno.removeSync(path);
    Deno.writeFileSync(path, bytes);
  });
});

breaksOff(
  "another database was renamed beside the same WAL, which was copied into it and restarted",
  ANOTHER,
  (away) => {
    putAnother(away, renameInto);
    const application = away.scene.connect();
    checkpoint(application, "RESTART");
    insert(application, 1);
  },
);

breaksOff("another database was renamed away and back, and its state knows of no file", UNKNOWN, ({ scene }) => {
  Deno.writeTextFileSync(`${scene.state}/database`, "1 unknown\n");
});

const WRITTEN = "the database file may have been written while nobody watched";

/** As `cp` and `dd` do, with the time put back as `cp -p` does. */
function copyOver(path: string, bytes: Uint8Array): void {
  const { mtime } = Deno.statSync(path);
  Deno.writeFileSync(path, bytes);
  Deno.utimeSync(path, mtime ?? 0, mtime ?? 0);
}

breaksOff("another database was copied over it in place beside the same WAL", WRITTEN, (away) => {
  putAnother(away, copyOver);
});

breaksOff("another database was copied over it in place beside a WAL that was all copied", WRITTEN, (away) => {
  checkpoint(away.application, "PASSIVE");
  putAnother(away, copyOver);
});

breaksOff("another database was copied over it in place, and the WAL restarted in it", WRITTEN, (away) => {
  putAnother(away, copyOver);
  const application = away.scene.connect();
  checkpoint(application, "RESTART");
  insert(application, 1);
});

/** How the file looked was noted 10 s after it had been written. */
function noteLater({ scene }: Away): void {
  const path = `${scene.state}/seen`;
  const noted = Deno.readTextFileSync(path).trim().split(" ");
  Deno.writeTextFileSync(path, [...noted.slice(0, 4), Date.now() + 10_000].join(" "));
}

for (
  const [what, meanwhile, looks] of [
    ["no", noteLater, 0],
    ["every", ({ scene }: Away) => Deno.utimeSync(scene.database, 1, 1), 1],
  ] as const
) {
  Deno.test({
    name: `replicate reads ${what} page after it was away where its file ${
      looks ? "may have" : "has not"
    } been written`,
    timeout: 30_000,
    fn: () =>
      withScene(async (scene) => {
        const { compared, reason, resynced } = await goAway(scene, meanwhile);
        assertEquals([compared, reason, resynced], [looks, undefined, undefined]);
      }),
  });
}

continues("when nothing is known of how the database file looked", 0, ({ scene }) => {
  Deno.removeSync(`${scene.state}/seen`);
});

resyncs("an earlier version of the program, which did not note the file", UNKNOWN, ({ scene }) => {
  Deno.removeSync(`${scene.state}/database`);
});

breaksOff("several restarts", "the WAL was restarted or removed while nobody watched", ({ application }) => {
  for (let i = 0; i < 2; i++) {
    checkpoint(application, "RESTART");
    insert(application, 1);
  }
});

breaksOff(
  "the last connection was closed",
  "the WAL was restarted or removed while nobody watched",
  ({ application }) => application.close(),
);

breaksOff(
  "a long life after one restart",
  "the WAL was restarted and has overwritten the end of what was captured",
  ({ application }) => {
    checkpoint(application, "RESTART");
    insert(application, 60);
  },
);

/** One more transaction, on a page that no other frame has; a restart, whose first commit cuts the file at that size. */
function restartAndCut({ application }: Away, sizeBytes: number): void {
  application.exec("INSERT INTO other VALUES(2)");
  checkpoint(application, "PASSIVE");
  application.exec(`PRAGMA journal_size_limit = ${sizeBytes}`);
  insert(application, 1);
}

const CUT = "the WAL was restarted and ends where what was captured ends: more may have stood there";
const MORE = "the WAL was restarted after more had been written than captured";
const cuts: readonly (readonly [string, number, string])[] = [
  ["exactly where what was captured ends", 0, CUT],
  ["a byte behind what was captured", 1, CUT],
  ["a frame's header behind what was captured", FRAME_HEADER_SIZE, CUT],
  ["a byte more than a frame's header behind what was captured", FRAME_HEADER_SIZE + 1, CUT],
  ["a frame behind what was captured", FRAME, MORE],
  ["a byte before the end of what was captured", -1, "the WAL was restarted after other frames than those captured"],
];
for (const [where, bytes, wanted] of cuts) {
  breaksOff(`a transaction whose frames were cut off, ${where}`, wanted, (away) => {
    restartAndCut(away, away.capturedBytes + bytes);
  });
}

const OTHER = "the WAL was restarted after other frames than those captured";
breaksOff("a transaction in whose place the next life was rolled back", OTHER, ({ application }) => {
  application.exec("INSERT INTO other VALUES(2)");
  checkpoint(application, "RESTART");
  application.exec("PRAGMA cache_size = 1; BEGIN");
  insert(application, 100); // Spills into the WAL, and is taken back.
  application.exec("ROLLBACK");
  insert(application, 1);
});

beginsAnew(
  "an earlier copy of the files was put back behind a life that was over, and restarted",
  OTHER,
  async (away) => {
    const { scene, application } = away;
    const putBack = keep(away);
    checkpoint(application, "RESTART");
    insert(application, 1);
    const between = scene.daemon();
    await between.ready();
    assertEquals(await between.stop(), 0);
    // As when it was killed after the last life was over for it, and before it had anything of the next one.
    for (const folder of [scene.state, scene.replica]) removeIndex(folder, asIndex(1));
    putBack();
    Deno.truncateSync(scene.wal, WAL_HEADER_SIZE + 6 * FRAME);
    const other = scene.connect();
    checkpoint(other, "RESTART");
    insert(other, 1);
  },
);

breaksOff(
  "more was written, and then one restart",
  "the WAL was restarted after more had been written than captured",
  ({ application }) => {
    insert(application, 1);
    checkpoint(application, "RESTART");
    insert(application, 1);
  },
);

breaksOff(
  "a truncated WAL",
  "the WAL was restarted after other frames than those captured",
  ({ application }) => checkpoint(application, "TRUNCATE"),
);

breaksOff(
  "one restart on a machine that was restarted too",
  "the WAL was restarted, and the machine too",
  ({ scene, application }) => {
    Deno.writeTextFileSync(`${scene.state}/boot`, "00000000-0000-0000-0000-000000000000\n");
    checkpoint(application, "RESTART");
    insert(application, 1);
  },
);

breaksOff(
  "one restart, and a page that is not what the WAL led to",
  "the WAL was restarted, and the database file is not what it led to",
  ({ scene, application }) => {
    checkpoint(application, "RESTART");
    insert(application, 1);
    flipBit(scene.database, 4_096 + 200); // In the free space of page 2, which is captured.
  },
);

breaksOff(
  "a page of the database was written in place, of which the WAL says that it was copied",
  "the database file was overwritten in place",
  ({ scene, application }) => {
    checkpoint(application, "PASSIVE");
    flipBit(scene.database, 4_096 + 200); // In the free space of page 2, which is captured.
  },
);

breaksOff("the files of an earlier moment were put back", "the WAL ends before what was captured", (away) => {
  const { scene } = away;
  const putBack = keep(away);
  putBack();
  Deno.truncateSync(scene.wal, WAL_HEADER_SIZE + 6 * FRAME);
});

breaksOff(
  "the files of an earlier moment were put back and written on",
  "the WAL holds other frames than those captured",
  async (away) => {
    const { scene } = away;
    keep(away)();
    Deno.truncateSync(scene.wal, WAL_HEADER_SIZE + 6 * FRAME);
    const other = scene.connect();
    insert(other, 30);
    keep({ scene, application: other })();
    await sleep(0);
  },
);

beginsAnew(
  "its shadow WAL was damaged",
  "the shadow WAL cannot be continued (Cannot continue the shadow WAL " +
    "/data/.app.db-tailrace/shadow/GENERATION/0000000000000000.wal: frames that were recorded are gone)",
  ({ scene }) => {
    const [{ name } = { name: "" }] = [...Deno.readDirSync(`${scene.state}/shadow`)];
    const path = `${scene.state}/shadow/${name}/0000000000000000.wal`;
    const bytes = Deno.readFileSync(path);
    bytes[WAL_HEADER_SIZE + 100] = (bytes[WAL_HEADER_SIZE + 100] ?? 0) ^ 1;
    Deno.writeFileSync(path, bytes);
  },
);

Deno.test({
  name: "replicate goes on in the same generation with a database of which nothing had been captured",
  timeout: 30_000,
  fn: () =>
    withScene(async (scene) => {
      const application = scene.application();
      checkpoint(application, "TRUNCATE");
      await using daemon = scene.daemon();
      await daemon.line("Snapshot done");
      assertEquals(await daemon.stop(), 0);
      await using again = scene.daemon();
      await again.ready();
      assertMatch(again.text, /Resynced .* reason="nothing had been captured before .*" different_pages=0 frames=0/);
      insert(application, 3);
      assertEquals(await again.stop(), 0);
      assertEquals((await scene.generations()).length, 1);
      application.close();
      await scene.expectEqual();
    }),
});

Deno.test({
  name: "replicate goes on after it was killed again and again while an application writes",
  timeout: 60_000,
  fn: () =>
    withScene(async (scene) => {
      const application = scene.application();
      // Else it may copy and restart a WAL of which we have not seen the end, while nobody watches.
      application.exec("PRAGMA wal_autocheckpoint = 0");
      insert(application, 10);
      const begun: string[] = [];
      for (let round = 0; round < 8; round++) {
        await using daemon = scene.daemon();
        await daemon.ready();
        for (let i = 0; i < 10 + round; i++) {
          insert(application, 10, 1_000);
          await sleep(3);
        }
        await until(() => hasPageTable(scene), "the page table to be stored");
        assertEquals(await daemon.stop("SIGKILL"), 137);
        begun.push(...daemon.saying("A new generation begins"));
        insert(application, round, 1_000);
      }
      await using daemon = scene.daemon();
      await daemon.ready();
      assertEquals(await daemon.stop(), 0);
      begun.push(...daemon.saying("A new generation begins"));
      application.close();
      await scene.expectEqual();
      assertEquals((await scene.generations()).length, 1, begun.join("\n"));
    }),
});
