import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { EPOCH_MS, ReplicaBuilder } from "../support/replica_builder.ts";
import { runInProcess } from "../support/command_in_process.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf, WalBuilder } from "../support/wal_builder.ts";
import { databaseChecksum } from "../support/xxh64.ts";

type Verify = (...words: string[]) => ReturnType<typeof runTailrace>;

/** A config with one database and two whole replicas of it, and a scratch folder that must be empty at the end. */
function verifyTest(name: string, work: (folder: string, verify: Verify, one: ReplicaBuilder) => Promise<void>): void {
  const run = () =>
    withTemporaryFolder(async (folder) => {
      const wal = new WalBuilder();
      const end = wal.commit(2, [1, 10]);
      const replicas = await Promise.all(["one", "two"].map(async (replica) => {
        const built = new ReplicaBuilder(`${folder}/${replica}`, { startMs: EPOCH_MS });
        await built.snapshot(0, 0, imageOf(4096, 1, 2));
        const checksum = databaseChecksum(imageOf(4096, 10, 2), 4096);
        return await built.wal(0, wal.bytes(), { end, databasePages: 2, checksum });
      }));
      Deno.writeTextFileSync(`${folder}/app.db`, "");
      Deno.utimeSync(`${folder}/app.db`, new Date(EPOCH_MS), new Date(EPOCH_MS));
      Deno.writeTextFileSync(
        `${folder}/config.yml`,
        `dbs:\n  - path: ${folder}/app.db\n    replicas:\n` +
          ["one", "two"].map((replica) => `      - name: ${replica}\n        path: ${folder}/${replica}\n`).join(""),
      );
      Deno.mkdirSync(`${folder}/scratch`);
      const [one] = replicas;
      assert(one !== undefined);
      await work(folder, (...words) =>
        runTailrace(["verify", ...words], { folder, environment: { TMPDIR: `${folder}/scratch` } }), one);
      const left = [...Deno.readDirSync(`${folder}/scratch`)].flatMap((home) =>
        [...Deno.readDirSync(`${folder}/scratch/${home.name}`)].filter(({ isDirectory }) =>
          isDirectory
        )
      );
      assertEquals(left, []);
    });
  Deno.test({ name, timeout: 60_000, fn: run });
}

function flip(path: string, at: number): void {
  const bytes = Deno.readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  Deno.writeFileSync(path, bytes);
}

verifyTest("verify without a terminal is silent when every replica of the config is proven", async (folder, verify) => {
  for (const words of [["--config", "config.yml"], ["--config", "config.yml", "app.db"], [`file://${folder}/two`]]) {
    assertEquals(await verify(...words), { code: 0, stdout: "", stderr: "" });
  }
});

verifyTest(
  "verify shows one screen of what is wrong, first what failed, and ends with 4",
  async (_folder, verify, one) => {
    flip(one.path(0, "wal"), 3_000);
    const { code, stdout, stderr } = await verify("--quiet", "--config", "config.yml");
    assertEquals([code, stderr], [4, ""]);
    const lines = stdout.trimEnd().split("\n");
    assertMatch(
      lines[0] ?? "",
      /^FAILED {2}\S+app\.db, replica one \(file:\/\/\S+one\): generations\/\S+\.wal, .* is damaged/,
    );
    assertStringIncludes(stdout, "wal/0000000000000000.wal");
    assertMatch(stdout, /\n {2}proven up to "chain"\n/);
    assertMatch(stdout, /newest state that was proven good: 00000000000000aa\/0000000000000000:0 of /);
    assertMatch(
      stdout,
      /\n {2}Try: tailrace restore --position 00000000000000aa\/0{16}:0 --output app\.db\.restored --replica one --config \S+ \S+app\.db\n/,
    );
    assertMatch(stdout, /\nPROVEN {2}\S+app\.db, replica two /);
    assert(lines.length <= 24, `${lines.length} lines`);
  },
);

verifyTest("verify finds a flipped bit in a snapshot by the source's checksum", async (folder, verify, one) => {
  flip(one.path(0, "snapshot"), 5_000); // A page that the WAL does not bring.
  const { code, stdout } = await verify(`file://${folder}/one`);
  assertEquals(code, 4);
  assertMatch(stdout, /equal +fail +.*its checksum is [0-9a-f]{16} \(expected [0-9a-f]{16}\)/);
  assertMatch(stdout, /newest state that was proven good: /);
});

verifyTest("verify --format json and --report tell the same, whatever the outcome", async (folder, verify, one) => {
  const whole = JSON.parse(
    (await verify("--format", "json", "--sample", "1", "--seed", "4", `file://${folder}/one`)).stdout,
  );
  assertEquals([whole.schema_version, whole.outcome, whole.level, whole.seed], [1, "pass", "checks", 4]);
  const [replica] = whole.replicas;
  assertEquals([replica.database, replica.replica, replica.reached], [null, "file", "equal"]);
  assertEquals(replica.rungs.map(({ outcome }: { outcome: string }) => outcome), [
    ...Array(5).fill("pass"),
    "not-available", // What these pages hold is no SQLite database.
    "not-available",
  ]);
  assertEquals(replica.proven, {
    position: "00000000000000aa/0000000000000000:4152",
    index: 0,
    index_hex: "0000000000000000",
    offset: 4152,
    captured_at: "2025-06-01T12:00:01.000Z",
  });
  assertEquals(replica.proofs.map(({ why, compared }: { why: string; compared: boolean }) => [why, compared])[0], [
    "asked for",
    true,
  ]);
  flip(one.path(0, "wal"), 3_000);
  const { code, stdout } = await verify("--format", "json", "--report", "out.json", `file://${folder}/one`);
  assertEquals(code, 4);
  assertEquals(JSON.parse(Deno.readTextFileSync(`${folder}/out.json`)), JSON.parse(stdout));
  assertEquals(JSON.parse(stdout).replicas[0].findings[0].code, "corrupt");
});

verifyTest("verify --max-age tells a database without writes from a replica that is behind", async (folder, verify) => {
  const age = ["--max-age", "1h", "--config", "config.yml"];
  assertEquals((await verify(...age)).code, 0);
  Deno.utimeSync(`${folder}/app.db`, new Date(), new Date());
  const { code, stdout } = await verify(...age);
  assertEquals(code, 5);
  assertMatch(
    stdout,
    /the newest state, of 2025-06-01T12:00:01\.000Z, is \d+\.\d s behind the database \(at most 3600\.0 s\)/,
  );
});

verifyTest(
  "verify ends with 3 where there is no backup, 2 for what cannot be meant, 75 beside another run",
  async (folder, verify) => {
    Deno.mkdirSync(`${folder}/none`);
    const none = await verify(`file://${folder}/none`);
    assertEquals(none.code, 3);
    assertStringIncludes(none.stdout, "holds no backup");
    assertEquals((await verify("--level", "sky", "app.db")).code, 2);
    assertEquals((await verify("--at", "-1m", "--index", "0", `file://${folder}/one`)).code, 2);
    assertEquals((await verify("--config", "config.yml", `file://${folder}/one`)).code, 2);
    assertEquals((await verify("--config", "config.yml", "other.db")).code, 2);
    assertEquals((await verify(`file://${folder}/app.db`)).code, 2); // A file is no replica, whenever one tries.
    const [first, second] = await Promise.all([verify(`file://${folder}/one`), verify(`file://${folder}/one`)]);
    assert([first, second].every(({ code, stderr }) => code === 0 || (code === 75 && stderr.includes("another run"))));
  },
);

verifyTest("verify --keep leaves what was restored until the next run", async (folder, verify) => {
  const { code, stderr } = await verify("--keep", `file://${folder}/one`);
  assertEquals(code, 0);
  const kept = /is kept in (\S+), until the next run/.exec(stderr)?.[1] ?? "";
  assertEquals(Deno.readFileSync(`${kept}/restored.db`), imageOf(4096, 10, 2));
  assertEquals((await verify(`file://${folder}/one`)).code, 0);
});

verifyTest(
  "verify --format nagios says one line with performance data, and ends with a plugin's codes",
  async (folder, verify, one) => {
    const whole = await verify("--format", "nagios", "--config", "config.yml");
    assertEquals([whole.code, whole.stderr], [0, ""]);
    assertMatch(
      whole.stdout,
      /^VERIFY OK - 2 replicas proven \(equal\) \| '\S+app\.db one duration'=\d+\.\d{3}s '\S+ one restore'=\S+s '\S+ one behind'=0\.000s '/,
    );
    assertEquals(whole.stdout.trimEnd().split("\n").length, 1);
    flip(one.path(0, "wal"), 3_000);
    const broken = await verify("--format", "nagios", `file://${folder}/one`);
    assertEquals(broken.code, 2);
    assertMatch(
      broken.stdout,
      /^VERIFY CRITICAL - file:\S+one: generations\S+\.wal, .*; good at 0+aa\/0+:0 \| 'file:\S+one duration'=/,
    );
  },
);

verifyTest(
  "verify --metrics-textfile keeps the last success of a replica that is no longer proven",
  async (folder, verify, one) => {
    const metrics = async (...words: string[]) => {
      await verify("--metrics-textfile", "verify.prom", "--config", "config.yml", ...words);
      const text = Deno.readTextFileSync(`${folder}/verify.prom`);
      return (name: string, more = "") =>
        new RegExp(`^tailrace_verify_${name}\\{database="[^"]+app.db",replica="one"${more}\\} (.+)$`, "m").exec(text)
          ?.[1];
    };
    const first = await metrics();
    assert(first("last_run_timestamp_seconds") !== undefined);
    assertEquals(first("last_success_timestamp_seconds"), first("last_run_timestamp_seconds"));
    assertEquals([first("rung", ',rung="equal"'), first("behind_seconds"), first("restored_bytes")], [
      "1",
      "0",
      "8192",
    ]);
    // A state that somebody chose proves nothing of the newest one, however far the run goes.
    const chosen = await metrics("--generation", "00000000000000aa");
    assertEquals(chosen("rung", ',rung="equal"'), "1");
    assertEquals(chosen("last_success_timestamp_seconds"), first("last_success_timestamp_seconds"));
    flip(one.path(0, "wal"), 3_000);
    const second = await metrics();
    assertEquals(second("last_success_timestamp_seconds"), first("last_success_timestamp_seconds"));
    assert(Number(second("last_run_timestamp_seconds")) > Number(second("last_success_timestamp_seconds")));
    // Neither goes as far as a restore of the newest state.
    for (const words of [["--level", "reach"], ["--generation", "00000000000000aa", "--level", "restore"]]) {
      const shallow = await metrics(...words);
      assertEquals(shallow("rung", ',rung="reach"'), "1");
      assertEquals(shallow("last_success_timestamp_seconds"), first("last_success_timestamp_seconds"), words.join(" "));
    }
    Deno.removeSync(`${folder}/verify.prom`);
    assertEquals((await metrics("--level", "reach"))("last_success_timestamp_seconds"), "0");
    assertEquals([second("rung", ',rung="chain"'), second("rung", ',rung="intact"'), second("rung", ',rung="equal"')], [
      "1",
      "0",
      "-3",
    ]);
  },
);

verifyTest("verify takes $TMPDIR as every other variable, and an empty one for none", async (folder) => {
  Deno.mkdirSync(`${folder}/t m p`);
  const words = ["verify", "--keep", `file://${folder}/one`];
  const quoted = await runInProcess(words, folder, { TMPDIR: `"${folder}/t m p"\n` });
  assertEquals(quoted.code, 0);
  assertStringIncludes(quoted.stderr, "TMPDIR is taken without the line feed at its end and the quotes around it");
  assertEquals([...Deno.readDirSync(`${folder}/t m p`)].length, 1);
  const empty = await runInProcess(["verify", `file://${folder}/one`], folder, { TMPDIR: "" });
  assertEquals([empty.code, empty.stderr], [0, ""]);
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.includes("verify")), []);
});

verifyTest(
  "verify says of a run that passes less far than one that failed that the failure stands",
  async (folder, _, one) => {
    Deno.mkdirSync(`${folder}/.app.db-tailrace`, { mode: 0o700 });
    const verify = async (...words: string[]) => {
      const all = ["verify", "--config", "config.yml", "--replica", "one", "--report", "out.json", ...words];
      const { code } = await runInProcess(all, folder, { TMPDIR: `${folder}/scratch` });
      const { replicas: [replica] } = JSON.parse(Deno.readTextFileSync(`${folder}/out.json`));
      return { code, note: replica.suspicions.find((note: string) => note.startsWith("a failure still stands")) };
    };
    const bytes = Deno.readFileSync(one.path(0, "wal"));
    flip(one.path(0, "wal"), 3_000);
    assertEquals(await verify(), { code: 4, note: undefined });
    const shallow = await verify("--level", "reach");
    assertEquals(shallow.code, 0);
    assertMatch(shallow.note, /only a run that goes as far can disprove: .*\.wal, .* is damaged/);
    Deno.writeFileSync(one.path(0, "wal"), bytes);
    assertEquals(await verify(), { code: 0, note: undefined });
  },
);

verifyTest(
  "verify tries a past point that failed again, until it passes: another sample disproves nothing",
  async (folder, verify, one) => {
    Deno.mkdirSync(`${folder}/.app.db-tailrace`);
    const wal = new WalBuilder({ salt: { salt1: 9, salt2: 8 } });
    const [past, newest] = [wal.commit(2, [1, 11]), wal.commit(2, [2, 21])];
    const sum = (...fills: number[]) => databaseChecksum(imageOf(4096, ...fills), 4096);
    await one.close(0);
    await one.wal(
      1,
      wal.bytes(),
      { end: past, databasePages: 2, checksum: sum(7, 7) },
      { end: newest, databasePages: 2, checksum: sum(11, 21) },
    );
    // Of every index that is read all states are proven: this one is not.
    const words = ["--config", "config.yml", "--replica", "one", "--slice", "1/2"];
    assertEquals((await verify(...words)).code, 0);
    assertEquals((await verify(...words, "--sample", "9")).code, 4);
    for (let run = 0; run < 2; run++) {
      const { code, stdout } = await verify(...words);
      assertEquals(code, 4);
      assertStringIncludes(stdout, `0000000000000001:${past}`);
    }
  },
);

verifyTest("verify runs at a low priority", async (folder, verify) => {
  let isOver = false;
  const running = verify(`file://${folder}/one`, "--sample", "2000").finally(() => isOver = true);
  let lowest = 0;
  while (!isOver) {
    lowest = Math.max(lowest, ...nicenessBelow(Deno.pid));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assertEquals((await running).code, 0);
  assert(lowest >= 10, `${lowest}`);
});

/** Of the processes that this one has started. */
function nicenessBelow(parent: number): number[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    try {
      const fields = Deno.readTextFileSync(`/proc/${name}/stat`).split(") ")[1]?.split(" ") ?? [];
      return Number(fields[1]) === parent ? [Number(fields[16])] : [];
    } catch {
      return [];
    }
  });
}

verifyTest(
  "verify refuses a report without a folder before it begins, and tells what it found when one cannot be written",
  async (folder, verify, one) => {
    const url = `file://${folder}/one`;
    const refused = await verify("--report", "no/out.json", url);
    assertEquals([refused.code, refused.stdout], [2, ""]);
    assertStringIncludes(refused.stderr, `there is no folder ${folder}/no`);
    const tooLong = "o".repeat(255); // As long as a name can be, and so the draft's is longer.
    const whole = await verify("--report", tooLong, url);
    assertEquals([whole.code, whole.stdout], [1, ""]);
    assertStringIncludes(whole.stderr, `${folder}/ooo`);
    flip(one.path(0, "wal"), 3_000);
    const broken = await verify("--report", tooLong, url);
    assertEquals(broken.code, 4);
    assertMatch(broken.stdout, /^FAILED /);
  },
);
