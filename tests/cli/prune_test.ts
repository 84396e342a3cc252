import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { type CommandResult, runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const HOUR = 3_600_000;
const OURS = "00000000000000aa";

interface Pruned {
  readonly folder: string;
  readonly root: string;
  readonly url: string;
  readonly prune: (...words: string[]) => Promise<CommandResult>;
  /** The same with the config and its database. */
  readonly pruneDatabase: (...words: string[]) => Promise<CommandResult>;
}

/**
 * Ours with five indexes, snapshots in 0 and 2 days ago and in 4 an hour ago; a foreign generation that was left long ago
 * and one that was not. The state folder names ours.
 */
async function withPruned(work: (pruned: Pruned) => Promise<void>): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const now = Date.now();
    const ours = new ReplicaBuilder(root, { generation: OURS, startMs: now - 100 * HOUR });
    for (let index = 0; index < 5; index++) {
      if (index % 2 === 0) {
        await ours.snapshot(index, 0, imageOf(4096, 1, 2), now - (index === 4 ? 1 : 90 - index) * HOUR);
      }
      const wal = new WalBuilder();
      const end = wal.commit(2, [1, index]);
      await ours.wal(index, wal.bytes(), { end, databasePages: 2 });
      if (index < 4) await ours.close(index);
    }
    for (const [generation, hours] of [["00000000000000bb", 400], ["00000000000000cc", 30]] as const) {
      const other = new ReplicaBuilder(root, { generation, startMs: now - hours * HOUR });
      await other.snapshot(0, 0, imageOf(4096, 1));
      const folder = `${root}/generations/${generation}/snapshots`;
      for (const { name } of Deno.readDirSync(folder)) {
        Deno.utimeSync(`${folder}/${name}`, new Date(now - hours * HOUR), new Date(now - hours * HOUR));
      }
    }
    Deno.mkdirSync(`${folder}/empty`);
    Deno.mkdirSync(`${folder}/.app.db-tailrace`);
    Deno.writeTextFileSync(`${folder}/.app.db-tailrace/generation`, `${OURS}\n2025-06-01T12:00:00.000Z\nfirst\n`);
    Deno.writeTextFileSync(
      `${folder}/config.yml`,
      `dbs:\n  - path: ${folder}/app.db\n    replicas:\n      - path: ${root}\n      - name: empty\n        path: ${folder}/empty\n`,
    );
    const prune = (...words: string[]) => runTailrace(["prune", ...words], { folder });
    const pruneDatabase = (...words: string[]) => prune("--config", "config.yml", ...words, "app.db");
    await work({ folder, root, url: `file://${root}`, prune, pruneDatabase });
  });
}

function pruneTest(name: string, work: Parameters<typeof withPruned>[0]): void {
  Deno.test({ name, timeout: 60_000, fn: () => withPruned(work) });
}

function namesBelow(path: string): string[] {
  return [...Deno.readDirSync(path)].flatMap(({ name, isDirectory }) =>
    isDirectory ? namesBelow(`${path}/${name}`).map((below) => `${name}/${below}`) : [name]
  ).sort();
}

pruneTest(
  "prune --dry-run shows line by line what would go and what stays, and why",
  async ({ root, pruneDatabase }) => {
    const before = namesBelow(root);
    const { code, stdout, stderr } = await pruneDatabase("--dry-run", "--replica", "file");
    assertEquals(code, 0);
    const lines = stdout.trimEnd().split("\n").map((line) => line.replace(/ {2,}/g, " | "));
    assertEquals(lines[0], "replica | fate | object | generation | index | size | reason");
    const since = "from which every moment since \\S+Z is restored";
    for (
      const [slot, pattern] of [
        `delete . snapshot . ${OURS} . 0{16} . 8.2 kB . it lies before snapshot 0{15}2, ${since}`,
        `delete . wal . ${OURS} . 0{16} to 0{15}1 . 8.3 kB . it lies before snapshot 0{15}2, ${since}`,
        "delete . generation . 00000000000000bb . - . 4.1 kB . not ours, and nothing was written since \\S+Z, .*",
        `keep . snapshot . ${OURS} . 0{15}2 . 8.2 kB . every moment since \\S+Z is restored from it or a later one`,
        `keep . snapshot . ${OURS} . 0{15}4 . 8.2 kB . not older than \\S+Z`,
        `keep . wal . ${OURS} . 0{15}2 to 0{15}4 . 12.5 kB . it follows snapshot 0{15}2`,
        "keep . generation . 00000000000000cc . - . 4.1 kB . not ours, and written at \\S+Z .*",
      ].entries()
    ) assertMatch(lines[slot + 1] ?? "", new RegExp(`^file . ${pattern.replaceAll(" . ", " \\| ")}$`));
    assertEquals(lines.length, 8);
    assertEquals(stderr, "Replica file: would remove 4 objects, 20.6 kB\n");
    assertEquals(namesBelow(root), before);
  },
);

pruneTest("prune removes exactly that, and then has nothing to do", async ({ root, url, pruneDatabase, folder }) => {
  const { code, stdout, stderr } = await pruneDatabase();
  assertEquals(code, 0);
  assertEquals(stdout.match(/ deleted /g)?.length, 3);
  assert(!stdout.includes(" keep "));
  assertStringIncludes(stderr, "Replica file: removed 4 objects, 20.6 kB\n");
  assertEquals(namesBelow(`${root}/generations`).map((path) => path.slice(14)), [
    "aa/snapshots/0000000000000002.record",
    "aa/snapshots/0000000000000002.snapshot",
    "aa/snapshots/0000000000000004.record",
    "aa/snapshots/0000000000000004.snapshot",
    ...["2", "3", "4"].flatMap((
      index,
    ) => [`aa/wal/000000000000000${index}.commits`, `aa/wal/000000000000000${index}.wal`]),
    "cc/snapshots/0000000000000000.record",
    "cc/snapshots/0000000000000000.snapshot",
  ]);
  const again = await pruneDatabase("--replica", "file");
  assertEquals([again.code, again.stdout, again.stderr], [0, "", "Replica file: nothing to remove\n"]);
  assertEquals((await runTailrace(["restore", "-o", `${folder}/copy.db`, "--generation", OURS, url])).code, 0);
});

pruneTest("prune --json is the document that docs/json.md describes", async ({ pruneDatabase, url }) => {
  const planned = JSON.parse((await pruneDatabase("--json", "--dry-run")).stdout);
  assertEquals([planned.schema_version, planned.dry_run, planned.replicas.length], [1, true, 2]);
  const [file, empty] = planned.replicas;
  const { deletions, kept, ...members } = file;
  assertEquals(members, { replica: "file", url, retention_ms: 24 * HOUR, generation: OURS, snapshot_due: null });
  const [first, , , last] = deletions;
  const { reason, ...plain } = first;
  assertMatch(reason, /^it lies before snapshot/);
  assertEquals(plain, {
    kind: "snapshot",
    generation: OURS,
    index: 0,
    index_hex: "0000000000000000",
    bytes: 8192,
    outcome: "planned",
    skipped: null,
  });
  assertEquals([last.kind, last.index, last.index_hex], ["generation", null, null]);
  const { reason: why, ...range } = kept[2];
  assertMatch(why, /^it follows snapshot/);
  assertEquals(range, {
    kind: "wal",
    generation: OURS,
    index: 2,
    index_hex: "0000000000000002",
    last_index: 4,
    last_index_hex: "0000000000000004",
    bytes: 12456,
  });
  assertEquals([kept[3].kind, kept[3].index, kept[3].last_index_hex], ["generation", null, null]);
  assertEquals(empty.deletions, []);
  assertMatch(empty.snapshot_due, /^there is no whole snapshot/);
  const done = JSON.parse((await pruneDatabase("--json")).stdout);
  const outcomes = done.replicas[0].deletions.map(({ outcome }: { outcome: string }) => outcome);
  assertEquals([done.dry_run, outcomes], [false, ["deleted", "deleted", "deleted", "deleted"]]);
});

pruneTest("prune by a URL knows no generation as this host's, and says so", async ({ url, prune }) => {
  const { code, stdout, stderr } = await prune("--dry-run", url);
  assertEquals(code, 0);
  assertEquals(stdout.match(/^file +delete .*/gm)?.map((line) => line.split(/ +/)[3]), ["00000000000000bb"]);
  assertStringIncludes(stderr, "Note: replica file: no generation is known to be this host's");
  const short = await prune("--dry-run", "--retention", "1h", url);
  assertEquals(short.stdout.match(/^file +delete /gm)?.length, 2);
  const long = await prune("--retention", "1000h", url);
  assertEquals([long.code, long.stdout], [0, ""]);
});

pruneTest("prune --retention is a duration longer than 0", async ({ url, prune }) => {
  for (const value of ["0", "-24h", "24", "a day"]) {
    const { code, stderr } = await prune("--retention", value, url);
    assertEquals(code, 2);
    assertStringIncludes(stderr, "a duration such as 24h, longer than 0");
  }
});

pruneTest("prune ends with 3 where there is nothing, and says what keeps it from one replica", async (pruned) => {
  const { folder, prune, pruneDatabase } = pruned;
  Deno.mkdirSync(`${folder}/none`);
  const none = await prune(`file://${folder}/none`);
  assertEquals([none.code, none.stdout], [3, ""]);
  assertStringIncludes(none.stderr, `Cannot prune file://${folder}/none: there is no backup\n`);
  Deno.removeSync(`${folder}/empty`);
  Deno.writeTextFileSync(`${folder}/empty`, "a file");
  const { code, stdout, stderr } = await pruneDatabase();
  assertEquals([code, stdout.match(/ deleted /g)?.length], [2, 3]);
  assertStringIncludes(stderr, `Cannot use ${folder}/empty: it is a file (expected a folder)\n`);
});
