import { asIndex } from "../../lib/position/position.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { EPOCH_MS, ReplicaBuilder } from "../support/replica_builder.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";

/** Two generations: one whole with two indexes, one that is only begun; and a config that names it beside an empty replica. */
async function withListed(
  work: (folder: string, list: (...words: string[]) => ReturnType<typeof runTailrace>) => Promise<void>,
) {
  await withTemporaryFolder(async (folder) => {
    const replica = new ReplicaBuilder(`${folder}/replica`);
    const wal = new WalBuilder();
    const [first, second] = [wal.commit(2, [1, 10]), wal.commit(3, [2, 20], [3, 30])];
    await replica.snapshot(0, 0, imageOf(4096, 1, 2));
    const checksum = Uint8Array.of(0xfe, 1, 2, 3, 4, 5, 6, 7);
    const confirmedAt = { index: asIndex(0), offset: first };
    await replica.wal(
      0,
      wal.bytes(),
      { end: first, databasePages: 2 },
      { end: second, databasePages: 3, checksum, confirmedAt },
    );
    await replica.close(0);
    await replica.wal(0x1a, wal.bytes(), { end: first, databasePages: 2 });
    await replica.snapshot(0x1a, 4152, imageOf(4096, 10, 2));
    const begun = new ReplicaBuilder(`${folder}/replica`, {
      generation: "00000000000000bb",
      startMs: EPOCH_MS + 60_000,
    });
    await begun.snapshot(0, 0, imageOf(4096, 1));
    Deno.removeSync(begun.path(0, "record"));
    Deno.writeTextFileSync(
      `${folder}/config.yml`,
      `dbs:\n  - path: ${folder}/app.db\n    replicas:\n` +
        ["replica", "empty"].map((name) => `      - name: ${name}\n        path: ${folder}/${name}\n`).join(""),
    );
    await work(folder, (...words) => runTailrace(words, { folder }));
  });
}

function listingTest(name: string, work: Parameters<typeof withListed>[0]): void {
  Deno.test({ name, timeout: 60_000, fn: () => withListed(work) });
}

listingTest("generations lists what each replica holds", async (folder, list) => {
  const { code, stdout, stderr } = await list("generations", `file://${folder}/replica`);
  assertEquals([code, stderr], [0, ""]);
  const bytes = 2 * 4096 + 2 * 4096 + (32 + 3 * 4120) + (32 + 4120);
  const [titles, whole, begun] = stdout.split("\n");
  assertMatch(titles ?? "", /^replica {2}generation +snapshots +indexes +lag +start +end +size$/);
  assertMatch(
    whole ?? "",
    /^file +00000000000000aa +2 +2 +\d+h(\d+m)?(\d+s)? {2}2025-06-01T12:00:00.000Z {2}2025-06-01T12:00:04.000Z +\d+$/,
  );
  assert(whole?.endsWith(` ${bytes}`));
  assertMatch(begun ?? "", /^file +00000000000000bb +0 +0 +- {2}- +- +4096$/);
  const document = JSON.parse((await list("generations", "--json", `file://${folder}/replica`)).stdout);
  const [{ lag_ms }] = document.generations;
  assert(Number.isSafeInteger(lag_ms) && lag_ms > 0);
  assertEquals(document, {
    schema_version: 1,
    generations: [
      {
        replica: "file",
        generation: "00000000000000aa",
        snapshots: 2,
        indexes: 2,
        lag_ms,
        start: "2025-06-01T12:00:00.000Z",
        end: "2025-06-01T12:00:04.000Z",
        position: "00000000000000aa/000000000000001a:4152",
        bytes,
      },
      {
        replica: "file",
        generation: "00000000000000bb",
        snapshots: 0,
        indexes: 0,
        lag_ms: null,
        start: null,
        end: null,
        position: null,
        bytes: 4096,
      },
    ],
  });
});

listingTest("generations tells by how much a replica lags behind its database", async (folder, list) => {
  const lag = async () => {
    const { stdout } = await list("generations", "--json", "--config", "config.yml", "--replica", "replica", "app.db");
    return JSON.parse(stdout).generations.map(({ lag_ms }: { lag_ms: number | null }) => lag_ms);
  };
  const touch = (name: string, bytes: string, secondsAfterEnd: number) => {
    Deno.writeTextFileSync(`${folder}/${name}`, bytes);
    const seconds = EPOCH_MS / 1_000 + 4 + secondsAfterEnd;
    Deno.utimeSync(`${folder}/${name}`, seconds, seconds);
  };
  assertEquals(await lag(), [null, null]);
  touch("app.db", "x", 90);
  assertEquals(await lag(), [90_000, null]);
  touch("app.db-wal", "", 100);
  assertEquals(await lag(), [90_000, null]);
  touch("app.db-wal", "x", 0.5);
  assertEquals(await lag(), [500, null]); // A checkpoint has touched the database since.
  touch("app.db-wal", "x", -5);
  assertEquals(await lag(), [0, null]);
  touch("app.db-wal", "x", 12.345);
  const { stdout } = await list("generations", "--config", "config.yml", "--replica", "replica", "app.db");
  assertMatch(stdout, / 12s {2}2025-06-01T12:00:00.000Z/);
});

listingTest("snapshots lists images with their positions, and says which are not whole", async (folder, list) => {
  const { code, stdout } = await list("snapshots", `file://${folder}/replica`);
  assertEquals(code, 0);
  const [titles, first, second, third] = stdout.split("\n");
  assertMatch(titles ?? "", /^replica {2}generation +index +offset +size +created +state$/);
  assertMatch(
    first ?? "",
    /^file +00000000000000aa {2}0000000000000000 +0 +8192 {2}2025-06-01T12:00:00.000Z {2}whole$/,
  );
  assertMatch(second ?? "", /^file +00000000000000aa {2}000000000000001a +4152 +8192 {2}\S+ {2}whole$/);
  assertMatch(
    third ?? "",
    /^file +00000000000000bb {2}0000000000000000 +- +4096 {2}\S+ {2}incomplete: \S+\.record is missing/,
  );
  const one = await list("snapshots", "--json", "--generation", "00000000000000aa", `file://${folder}/replica`);
  const { snapshots } = JSON.parse(one.stdout);
  assertEquals(snapshots.length, 2);
  assertEquals(snapshots[1], {
    replica: "file",
    generation: "00000000000000aa",
    index: 26,
    index_hex: "000000000000001a",
    offset: 4152,
    bytes: 8192,
    created_at: "2025-06-01T12:00:05.000Z",
    checksum: null,
    confirmed: null,
    problem: null,
  });
});

listingTest("wal lists every index with its records, and what is wrong with it", async (folder, list) => {
  const url = `file://${folder}/replica`;
  Deno.truncateSync(new ReplicaBuilder(`${folder}/replica`).path(0x1a, "wal"), 100);
  const { code, stdout } = await list("wal", url);
  assertEquals(code, 0);
  const [titles, first, second] = stdout.split("\n");
  assertMatch(titles ?? "", /^replica {2}generation +index +size +end +records +closed +last +problem$/);
  assertMatch(
    first ?? "",
    /^file +00000000000000aa {2}0000000000000000 +12392 +12392 +3 +yes +2025-06-01T12:00:03.000Z$/,
  );
  assertMatch(
    second ?? "",
    /^file +00000000000000aa {2}000000000000001a +100 +- +1 +no +- +\S+001a\.wal has 100 bytes, its last/,
  );
  const { wal } = JSON.parse((await list("wal", "--json", url)).stdout);
  assertEquals(wal[0], {
    replica: "file",
    generation: "00000000000000aa",
    index: 0,
    index_hex: "0000000000000000",
    bytes: 12392,
    end: 12392,
    records: 3,
    closed: true,
    last_captured_at: "2025-06-01T12:00:03.000Z",
    checksum: null,
    confirmed: null,
    problem: null,
  });
  assertEquals([wal[1].index, wal[1].end, wal[1].last_captured_at], [26, null, null]);
});

listingTest("wal --records lists every point, with the checksum of the database there", async (folder, list) => {
  const url = `file://${folder}/replica`;
  const { code, stdout } = await list("wal", "--records", url);
  assertEquals(code, 0);
  const [titles, first, second, closing] = stdout.split("\n");
  assertMatch(
    titles ?? "",
    /^replica {2}generation +index +end +kind +captured +late +closed +pages +checksum$/,
  );
  assertMatch(first ?? "", /^file +00000000000000aa +0000000000000000 +4152 +sync +\S+01\.000Z +no +no +2 +-$/);
  assertMatch(second ?? "", /^file +00000000000000aa +0+ +12392 +sync +\S+02\.000Z +no +no +3 +fe01020304050607$/);
  assertMatch(closing ?? "", /^file +00000000000000aa +0+ +12392 +sync +\S+03\.000Z +no +yes +3 +-$/);
  const { records } = JSON.parse((await list("wal", "--records", "--json", url)).stdout);
  assertEquals(records.length, 4);
  assertEquals(records[1], {
    replica: "file",
    generation: "00000000000000aa",
    index: 0,
    index_hex: "0000000000000000",
    kind: "sync",
    start: 4152,
    end: 12392,
    captured_at: "2025-06-01T12:00:02.000Z",
    captured_late: false,
    closed: false,
    page_size: 4096,
    database_pages: 3,
    checksum: "fe01020304050607",
    confirmed: { index: 0, index_hex: "0000000000000000", offset: 4152 },
  });
});

listingTest("listings take a database from the config, and one of its replicas", async (folder, list) => {
  Deno.mkdirSync(`${folder}/empty`);
  const both = await list("generations", "--config", "config.yml", "app.db");
  assertEquals([both.code, both.stdout.split("\n").length], [0, 4]);
  const empty = await list("wal", "--config", "config.yml", "--replica", "empty", "app.db");
  assertEquals([empty.code, empty.stdout], [3, ""]);
  assertEquals(empty.stderr, `Cannot list wal of file://${folder}/empty: there is no backup\n`);
});

listingTest("listings end with 3 where there is nothing, in JSON with an empty document", async (folder, list) => {
  Deno.mkdirSync(`${folder}/none`);
  for (const command of ["generations", "snapshots", "wal"]) {
    const { code, stdout, stderr } = await list(command, "--json", `file://${folder}/none`);
    assertEquals(code, 3);
    assertEquals(JSON.parse(stdout), { schema_version: 1, [command]: [] });
    assertStringIncludes(stderr, "there is no backup");
  }
  const other = await list("wal", "--generation", "00000000000000cc", `file://${folder}/replica`);
  assertEquals([other.code, other.stdout], [3, ""]);
  assertStringIncludes(other.stderr, "there is no generation 00000000000000cc");
});

listingTest(
  "listings show the replicas that can be read, and end with the worst of what the others met",
  async (folder, list) => {
    Deno.writeTextFileSync(`${folder}/empty`, "a file");
    const { code, stdout, stderr } = await list("generations", "--config", "config.yml", "app.db");
    assertEquals([code, stdout.split("\n").length], [2, 4]);
    const advice = "Advice: give each replica a folder of its own";
    assertEquals(stderr, `Cannot use ${folder}/empty: it is a file (expected a folder)\n${advice}\n`);
  },
);

listingTest("points lists what can be restored, and the gaps", async (folder, list) => {
  const url = `file://${folder}/replica`;
  const { code, stdout, stderr } = await list("points", "--generation", "00000000000000aa", url);
  assertEquals(code, 4);
  assertMatch(stderr, /^Cannot restore everything: nothing between \S+02\.000Z and \S+04\.000Z can be restored\n$/);
  const [titles, first, gap, second] = stdout.split("\n");
  assertMatch(
    titles ?? "",
    /^replica {2}generation +kind +from +to +points +late +snapshots +longest restore +lost +last position$/,
  );
  assertMatch(first ?? "", /^file +0+aa +range +\S+00\.000Z +\S+02\.000Z +3 +0 +1 +20\.6 kB +0+aa\/0+:12392$/);
  assertMatch(gap ?? "", /^file +0+aa +gap +\S+02\.000Z +\S+04\.000Z +0 +0 +0 +0+aa\/000000000000001a:4152$/);
  assertMatch(
    second ?? "",
    /^file +0+aa +range +\S+04\.000Z +\S+04\.000Z +1 +0 +1 +8\.2 kB +0+aa\/000000000000001a:4152$/,
  );
  const { points } = JSON.parse((await list("points", "--json", "--generation", "00000000000000aa", url)).stdout);
  assertEquals(points.map(({ kind }: { kind: string }) => kind), ["range", "gap", "range"]);
  assertEquals(points[0].to, {
    position: "00000000000000aa/0000000000000000:12392",
    index: 0,
    index_hex: "0000000000000000",
    offset: 12392,
    captured_at: "2025-06-01T12:00:02.000Z",
  });
});

listingTest("points shows WAL that cannot be restored, with its size, and ends with 4", async (folder, list) => {
  const root = `${folder}/replica/generations/00000000000000aa`;
  Deno.truncateSync(`${root}/wal/000000000000001a.wal`, 100);
  const short = await list("points", `file://${folder}/replica`);
  assertEquals(short.code, 4);
  assertMatch(short.stdout, /\n\S+ +0+aa +lost +.* 4\.2 kB +0+aa\/0+1a:4152\n/);
  assertMatch(short.stderr, /wal\/0+1a\.wal ends at byte 0 of what it held \(expected 4152, as its records say\)/);
  for (const { name } of Deno.readDirSync(`${root}/snapshots`)) Deno.removeSync(`${root}/snapshots/${name}`);
  const none = await list("points", `file://${folder}/replica`);
  assertEquals(none.code, 4);
  assertMatch(none.stdout, /\n\S+ +0+aa +unusable +.* 12\.4 kB +0+aa\/0+:12392\n/);
  assertMatch(none.stderr, /snapshots\/0+\.snapshot is missing/);
});

listingTest("points --at names the nearest points before and after a time", async (folder, list) => {
  const at = async (time: string) => {
    const { stdout } = await list(
      "points",
      "--json",
      "--generation",
      "00000000000000aa",
      "--at",
      time,
      `file://${folder}/replica`,
    );
    return JSON.parse(stdout).points.map(({ kind, from }: { kind: string; from: { captured_at: string } }) =>
      `${kind} ${from.captured_at.slice(17, 19)}`
    );
  };
  assertEquals(await at("2025-06-01T12:00:03.500Z"), ["before 02", "after 04"]);
  assertEquals(await at("2025-06-01T12:00:02.000Z"), ["before 02", "after 04"]);
  assertEquals(await at("2025-05-31T12:00:00Z"), ["after 00"]);
  assertEquals(await at("2025-07-31T12:00:00Z"), ["before 04"]);
  assertEquals((await list("points", "--at", "noon", `file://${folder}/replica`)).code, 2);
});
