import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { oldDatabaseWithWal } from "../support/old_database.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { EPOCH_MS, ReplicaBuilder } from "../support/replica_builder.ts";
import { RecordedDatabase } from "../support/recorded_database.ts";
import { type CommandResult, runTailrace, tailraceCommand } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

const GENERATION = "00000000000000aa";

interface Stage {
  readonly folder: string;
  readonly replica: ReplicaBuilder;
  readonly url: string;
  readonly output: string;
  readonly restore: (...words: readonly string[]) => Promise<CommandResult>;
}

/** A recorded real database in the replica `replica`; `restore` runs the real program. */
async function withReplica(work: (stage: Stage & { readonly recorded: RecordedDatabase }) => Promise<void>) {
  await withTemporaryFolder(async (folder) => {
    const recorded = await RecordedDatabase.make(folder, { seed: 5, actions: 12, restarts: 25, snapshots: 0 });
    await work({ ...stageOf(folder, recorded.replica), recorded });
  });
}

function stageOf(folder: string, replica: ReplicaBuilder): Stage {
  return {
    folder,
    replica,
    url: `file://${replica.root}`,
    output: `${folder}/restored.db`,
    restore: (...words) => runTailrace(["restore", ...words], { folder }),
  };
}

function trouble(row: string, work: () => Promise<void>): void {
  Deno.test({ name: `trouble: ${row}`, timeout: 60_000, fn: work });
}

function endToEnd(name: string, work: () => Promise<void>): void {
  Deno.test({ name, timeout: 60_000, fn: work });
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Names in the folder that begin so. */
function names(folder: string, start: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.startsWith(start)).sort();
}

trouble("restore over an existing file", () =>
  withReplica(async ({ folder, url, output, restore }) => {
    Deno.writeTextFileSync(output, "precious");
    const refused = await restore("-o", output, url);
    assertEquals([refused.code, refused.stdout], [1, ""]);
    assertEquals(
      refused.stderr,
      `Cannot restore to ${output}: it exists already ` +
        "(-o FILE restores elsewhere, --force keeps what is there under another name)\n",
    );
    assertEquals(Deno.readTextFileSync(output), "precious");
    const skipped = await restore("--if-db-not-exists", "-o", output, url);
    assertEquals(skipped, { code: 0, stdout: "", stderr: `${output} exists already; nothing is restored\n` });
    const inFolder = await restore("-o", folder, url);
    assertEquals([inFolder.code, inFolder.stderr.split("\n")[0]], [
      2,
      `Cannot restore to ${folder}: it is a folder (expected the path of a file)`,
    ]);
    Deno.writeTextFileSync(`${folder}/gone.db-wal`, "of an older database");
    const orphan = await restore("-o", `${folder}/gone.db`, url);
    assertEquals(orphan.code, 1);
    assertStringIncludes(orphan.stderr, `${folder}/gone.db-wal is left of an older database`);
    assertEquals(names(folder, "gone"), ["gone.db-wal"]);
  }));

trouble(
  "restore --force with committed rows only in the old -wal",
  () =>
    withReplica(async ({ folder, url, output, restore, recorded }) => {
      oldDatabaseWithWal(output);
      Deno.writeTextFileSync(`${output}-shm`, "of the old one");
      const done = await restore("--force", "-o", output, url);
      assertEquals([done.code, done.stdout], [0, ""]);
      const [, kept = ""] = /What was there before is kept as (\S+)\n/.exec(done.stderr) ?? [];
      assertMatch(kept, /restored\.db\.before-restore-\d{8}T\d{6}Z$/);
      const keptName = kept.slice(folder.length + 1);
      assertEquals(names(folder, "restored.db"), ["restored.db", keptName, `${keptName}-wal`]);
      const database = new DatabaseSync(kept);
      const rows = database.prepare("SELECT x FROM t ORDER BY x").all().map((row) => row["x"]);
      database.close();
      assertEquals(rows, ["old 1", "old 2"]);
      assertEquals(Deno.readFileSync(output), recorded.imageAt(recorded.points.at(-1) ?? { index: 0, offset: 0 }));
    }),
);

trouble("restore over a path open in another process", () =>
  withReplica(async ({ folder, url, output, restore }) => {
    await using other = startOtherProcess();
    await other.open(output, { create: true });
    await other.runAll(["PRAGMA journal_mode = WAL", "CREATE TABLE t(x)"]);
    const before = names(folder, "restored.db");
    const refused = await restore("--force", "-o", output, url);
    assertEquals([refused.code, refused.stdout], [75, ""]);
    assertMatch(
      refused.stderr,
      /^Cannot restore to \S+restored\.db: process \d+ \(deno\) has it open \(stop it first\)\nAdvice: /,
    );
    assertStringIncludes(refused.stderr, `process ${other.pid} `);
    assertEquals(names(folder, "restored.db"), before);
    assertEquals(await other.run("SELECT count(*) FROM t"), [[0]]);
  }));

trouble("empty or half-made replica", () =>
  withTemporaryFolder(async (folder) => {
    const replica = new ReplicaBuilder(`${folder}/replica`);
    const { restore, output, url } = stageOf(folder, replica);
    Deno.mkdirSync(replica.root);
    const empty = await restore("-o", output, url);
    assertEquals([empty.code, empty.stdout], [3, ""]);
    assertEquals(empty.stderr, `Cannot restore the newest point from ${replica.root}: there is no backup\n`);
    const skipped = await restore("--if-replica-exists", "-o", output, url);
    assertEquals(skipped, {
      code: 0,
      stdout: "",
      stderr: `There is no backup of ${output} yet; nothing is restored\n`,
    });
    const wal = new WalBuilder();
    const end = wal.commit(2, [1, 1], [2, 2]);
    await replica.snapshot(0, 0, imageOf(4096, 1));
    Deno.removeSync(replica.path(0, "record")); // The crash between the image and its record.
    for (const flags of [[], ["--if-replica-exists"]]) {
      const halfMade = await restore(...flags, "-o", output, url);
      assertEquals(halfMade.code, 3);
      assertStringIncludes(halfMade.stderr, "it holds no complete snapshot yet (generation 00000000000000aa was begun");
    }
    await replica.wal(0, wal.bytes(), { end, databasePages: 2 }); // Only ever written behind a snapshot.
    const unrecorded = await restore("--if-replica-exists", "-o", output, url);
    assertEquals(unrecorded.code, 4);
    assertStringIncludes(unrecorded.stderr, `generations/${GENERATION}/snapshots/0000000000000000.record is missing`);
    Deno.removeSync(replica.path(0, "snapshot"));
    const lost = await restore("--if-replica-exists", "-o", output, url);
    assertEquals(lost.code, 4);
    assertStringIncludes(lost.stderr, `generations/${GENERATION}/snapshots/0000000000000000.snapshot is missing`);
    Deno.writeTextFileSync(`${replica.root}/generations/${GENERATION}/snapshots/snapshot.tmp`, "");
    assertEquals((await restore("-o", output, url)).code, 3, "it is being made");
    assertEquals(names(folder, "restored"), []);
  }));

trouble("snapshot truncated", () =>
  withReplica(async ({ folder, replica, url, output, restore }) => {
    const size = Deno.statSync(replica.path(0, "snapshot")).size;
    Deno.truncateSync(replica.path(0, "snapshot"), size - 1);
    const refused = await restore("-o", output, url);
    assertEquals([refused.code, refused.stdout], [4, ""]);
    assertStringIncludes(
      refused.stderr,
      `generations/${GENERATION}/snapshots/0000000000000000.snapshot has ${
        size - 1
      } bytes (expected ${size}, as its record says)`,
    );
    assertEquals(names(folder, "restored"), []);
  }));

trouble(
  "snapshot truncated, with no WAL after it",
  () =>
    withReplica(async ({ folder, replica, url, output, restore }) => {
      const size = Deno.statSync(replica.path(0, "snapshot")).size;
      Deno.truncateSync(replica.path(0, "snapshot"), size - 1);
      Deno.removeSync(`${replica.root}/generations/${GENERATION}/wal`, { recursive: true });
      const refused = await restore("-o", output, url);
      assertEquals([refused.code, refused.stdout], [4, ""]);
      assertStringIncludes(refused.stderr, `has ${size - 1} bytes (expected ${size}, as its record says)`);
      assertEquals(names(folder, "restored"), []);
    }),
);

trouble("WAL index missing", () =>
  withReplica(async ({ folder, replica, url, output, restore, recorded }) => {
    assert((recorded.points.at(-1)?.index ?? 0) >= 2, "there is an index in the middle");
    for (const suffix of ["wal", "commits"] as const) Deno.removeSync(replica.path(1, suffix));
    const refused = await restore("-o", output, url);
    assertEquals([refused.code, refused.stdout], [4, ""]);
    assertStringIncludes(
      refused.stderr,
      `generations/${GENERATION}/wal/0000000000000001.wal is missing (expected every index from 0000000000000000 to`,
    );
    assertEquals(names(folder, "restored"), []);
    const [, advised = ""] = /\nTry: tailrace restore --position (\S+) --output \S+ file:\S+\n/.exec(refused.stderr) ??
      [];
    assertStringIncludes(
      refused.stderr,
      `the newest position that can still be reached is ${advised} of 2025-06-01T12:`,
    );
    const reached = await restore("--position", advised, "-o", output, url);
    assertEquals(reached.code, 0, reached.stderr);
    const last = recorded.points.findLast((point) => point.index === 0);
    assertEquals(Deno.readFileSync(output), recorded.imageAt(last ?? { index: 0, offset: 0 }));
  }));

endToEnd(
  "restore gives the newest state and says on stderr, in one line, what it is",
  () =>
    withReplica(async ({ folder, url, output, restore, recorded }) => {
      const done = await restore("-o", "restored.db", url);
      assertEquals([done.code, done.stdout], [0, ""]);
      const last = recorded.points.at(-1);
      assertMatch(
        done.stderr,
        /^Restored \S+\/restored\.db from replica file: 00000000000000aa\/[0-9a-f]{16}:\d+, the state of 2025-06-01T12:\S+Z \(\S+.* ago\), [\d.]+ \wB in \d+\.\d s, no checksum to compare with: [a-z ]+\n$/,
      );
      assertStringIncludes(done.stderr, `:${last?.offset}, `);
      assertEquals(Deno.readFileSync(output), recorded.imageAt(last ?? { index: 0, offset: 0 }));
      assertEquals(names(folder, "restored"), ["restored.db"]);
      assertEquals((Deno.statSync(output).mode ?? 0) & 0o777, 0o600);
    }),
);

endToEnd(
  "restore goes to a time, an index, and a position",
  () =>
    withReplica(async ({ url, output, restore, recorded }) => {
      const middle = recorded.points[Math.floor(recorded.points.length / 2)];
      assert(middle !== undefined);
      const time = new Date(middle.atMs).toISOString();
      const position = `${GENERATION}/${middle.index.toString(16)}:${middle.offset}`;
      const endOfIndex = recorded.points.findLast((point) => point.index === middle.index);
      for (
        const [words, point] of [
          [["--at", time], middle],
          [["-timestamp", time.replace("Z", "+00:00")], middle],
          [["--position", position], middle],
          [["--index", middle.index.toString(16)], endOfIndex],
        ] as const
      ) {
        const done = await restore(...words, "-o", output, url);
        assertEquals(done.code, 0, done.stderr);
        assertEquals(Deno.readFileSync(output), recorded.imageAt(point ?? middle), words.join(" "));
        Deno.removeSync(output);
      }
      const late = await restore("--at", "-0s", "-o", output, url);
      assertEquals(late.code, 0);
      assertMatch(late.stderr, /^Note: \S+Z is later than the newest point, /);
      const early = await restore("--at", "2025-06-01T11:59:59Z", "-o", `${output}.2`, url);
      assertEquals(early.code, 3);
      assertStringIncludes(
        early.stderr,
        "before the first point, 00000000000000aa/0000000000000000:0 of 2025-06-01T12:00:00.000Z",
      );
    }),
);

endToEnd(
  "restore refuses targets that contradict each other or mean nothing",
  () =>
    withReplica(async ({ url, output, restore }) => {
      const cases: readonly (readonly [readonly string[], string])[] = [
        [["--at", "-1m", "--index", "1"], "--at beside --index"],
        [["--at", "2025-06-01T12:00:00"], "it is no such moment (expected 2026-11-30T02:10:00Z"],
        [["--at", "2025-02-30T12:00:00Z"], "it is no such moment"],
        [["--at", "+15m"], "-15m or -1d for so long ago"],
        [
          ["--generation", "00000000000000bb", "--position", `${GENERATION}/0:0`],
          "--generation beside --position: a position names its generation",
        ],
        [["--position", "nonsense"], "--position"],
        [["--index", "xyz"], "--index"],
      ];
      for (const [words, message] of cases) {
        const refused = await restore(...words, "-o", output, url);
        assertEquals([refused.code, refused.stdout], [2, ""], words.join(" "));
        assertStringIncludes(refused.stderr, message);
      }
      const elsewhere = await restore("--generation", "00000000000000bb", "-o", output, url);
      assertEquals(elsewhere.code, 3);
      assertStringIncludes(elsewhere.stderr, "there is no generation 00000000000000bb (it holds 00000000000000aa)");
      assertEquals(exists(output), false);
    }),
);

endToEnd(
  "restore --dry-run shows the plan and writes nothing; --json gives documents",
  () =>
    withReplica(async ({ folder, url, output, restore, recorded }) => {
      const last = recorded.points.at(-1);
      const plan = await restore("--dry-run", "-o", output, url);
      assertEquals([plan.code, plan.stderr], [0, ""]);
      assertMatch(plan.stdout, /^Plan for \S+ from replica file: [^]*Only names and records were read/);
      assertMatch(plan.stdout, /\n {2}snapshot 0000000000000000:0 {2}/);
      const planned = JSON.parse((await restore("--dry-run", "--json", "-o", output, url)).stdout);
      assertEquals(names(folder, "restored"), []);
      const done = await restore("--json", "-o", output, url);
      assertEquals(done.code, 0);
      assertMatch(done.stderr, /^Restored /);
      const { duration_ms, kept_as, checksum, ...restored } = JSON.parse(done.stdout);
      assertEquals([typeof duration_ms, kept_as, checksum], ["number", null, "absent"]);
      assertEquals({ ...restored, restored: false, refused: null, keeps: false }, planned);
      assertEquals(restored.schema_version, 1);
      assertEquals([restored.index, restored.offset], [last?.index, last?.offset]);
      assertEquals(restored.index_hex, (last?.index ?? 0).toString(16).padStart(16, "0"));
      assertEquals(restored.position, `${GENERATION}/${restored.index_hex}:${restored.offset}`);
      assertEquals(restored.bytes, Deno.statSync(output).size);
      const again = await restore("--dry-run", "-o", output, url);
      assertEquals(again.code, 0);
      assertMatch(again.stderr, /^Note: nothing would be restored now: Cannot restore to \S+: it exists already \(/);
      const skipped = await restore("--json", "--if-db-not-exists", "-o", output, url);
      assertEquals(JSON.parse(skipped.stdout), { schema_version: 1, restored: false, reason: "database-exists" });
    }),
);

endToEnd(
  "restore takes DB from the config, the best of its replicas, or the one that is named",
  () =>
    withReplica(async ({ folder, replica, restore, recorded }) => {
      const other = new ReplicaBuilder(`${folder}/other`, { startMs: EPOCH_MS - 1 });
      await other.snapshot(0, 0, imageOf(4096, 9));
      const config = `${folder}/config.yml`;
      const path = `${folder}/data.db`;
      Deno.mkdirSync(`${folder}/empty`);
      Deno.writeTextFileSync(
        config,
        `dbs:\n  - path: ${path}\n    replicas:\n` +
          ["empty", "other", "replica"].map((name) => `      - name: ${name}\n        path: ${folder}/${name}\n`).join(
            "",
          ),
      );
      const best = await restore("--config", config, path);
      assertEquals(best.code, 0, best.stderr);
      assertMatch(
        best.stderr,
        /^Note: replica empty cannot serve: .*there is no backup\nRestored \S+data\.db from replica replica: /,
      );
      assertEquals(Deno.readFileSync(path), recorded.imageAt(recorded.points.at(-1) ?? { index: 0, offset: 0 }));
      const named = await restore("--config", config, "--replica", "other", "-o", `${folder}/named.db`, path);
      assertEquals(named.code, 0, named.stderr);
      assertEquals(Deno.readFileSync(`${folder}/named.db`), imageOf(4096, 9));
      Deno.truncateSync(replica.path(0, "snapshot"), 1);
      const fallen = await restore("--config", config, "-o", `${folder}/fallen.db`, path);
      assertEquals(fallen.code, 0);
      assertStringIncludes(fallen.stderr, "Note: replica replica cannot serve: ");
      assertEquals(Deno.readFileSync(`${folder}/fallen.db`), imageOf(4096, 9));
    }),
);

endToEnd(
  "restore that cannot look into a replica is not told that there is none",
  () =>
    withTemporaryFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/replica`, "a file");
      const result = await runTailrace([
        "restore",
        "--if-replica-exists",
        "-o",
        `${folder}/out.db`,
        `file://${folder}/replica`,
      ]);
      assertEquals(result.code, 2);
      assertStringIncludes(result.stderr, "it is a file (expected a folder)");
    }),
);

endToEnd("restore removes its draft when a signal stops it", () =>
  withTemporaryFolder(async (folder) => {
    const pageSize = 65536;
    const replica = new ReplicaBuilder(`${folder}/replica`, { pageSize });
    const { output, url } = stageOf(folder, replica);
    await replica.snapshot(0, 0, new Uint8Array(pageSize * 1600));
    const child = tailraceCommand(["restore", "-o", output, url]).spawn();
    while (names(folder, "restored.db.tailrace-restore").length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    child.kill("SIGTERM");
    const { code, stderr } = await child.output();
    const isDone = code === 0; // It may have been quicker than the signal.
    assertEquals(names(folder, "restored.db"), isDone ? ["restored.db"] : []);
    if (!isDone) {
      assertEquals([code, new TextDecoder().decode(stderr)], [
        1,
        "Stopping (SIGTERM); once more to end at once\nCannot finish the restore: it was stopped by a signal\n",
      ]);
    }
  }));

endToEnd(
  "restore --if-replica-exists says 75 of a replica that this host wrote and that is gone",
  () =>
    withTemporaryFolder(async (folder) => {
      const [database, root] = [`${folder}/app.db`, `${folder}/mount/app`];
      Deno.writeTextFileSync(`${folder}/tailrace.yml`, `dbs: [{path: ${database}, replicas: [{path: ${root}}]}]\n`);
      const words = ["restore", "--config", `${folder}/tailrace.yml`, "--if-replica-exists", database];
      assertEquals((await runTailrace(words)).code, 0);
      Deno.mkdirSync(`${folder}/.app.db-tailrace`);
      Deno.writeTextFileSync(`${folder}/.app.db-tailrace/replicas`, `${root}\n`);
      assertEquals(await runTailrace(words), {
        code: 75,
        stdout: "",
        stderr: `Cannot use the replica ${root}: the folder does not exist (is it mounted?)\n`,
      });
    }),
);
