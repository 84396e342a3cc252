/** What people have of Litestream 0.3, its config and its command lines, is used here as it is. */
import { parseArguments } from "../../lib/cli/arguments.ts";
import { findCommand } from "../../lib/cli/commands.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ReplicaBuilder } from "../support/replica_builder.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf } from "../support/wal_builder.ts";

const timeout = 60_000;

/** Of each command every flag that Litestream 0.3.13 has; a switch has no value. The last words are the positionals. */
const COMMAND_LINES: readonly (readonly [
  command: string,
  flags: Readonly<Record<string, string | undefined>>,
  positionals: readonly string[],
])[] = [
  ["databases", { config: "l.yml", "no-expand-env": undefined }, []],
  ["generations", { config: "l.yml", "no-expand-env": undefined, replica: "near" }, ["/a.db"]],
  ["snapshots", { config: "l.yml", "no-expand-env": undefined, replica: "near" }, ["/a.db"]],
  [
    "wal",
    { config: "l.yml", "no-expand-env": undefined, replica: "near", generation: "00000000000000aa" },
    ["/a.db"],
  ],
  ["replicate", { config: "l.yml", "no-expand-env": undefined, exec: "sh -c 'exit 3'" }, []],
  ["replicate", { exec: "server" }, ["/a.db", "file:///b", "file:///c"]],
  [
    "restore",
    {
      o: "/out.db",
      config: "l.yml",
      "no-expand-env": undefined,
      replica: "near",
      generation: "00000000000000aa",
      timestamp: "2025-06-01T12:00:00Z",
      parallelism: "8",
      "if-db-not-exists": undefined,
      "if-replica-exists": undefined,
    },
    ["/a.db"],
  ],
  ["restore", { o: "/out.db", index: "0000001a" }, ["file:///b"]],
  ["version", {}, []],
];

function parse(command: string, words: readonly string[]) {
  const found = findCommand(command);
  assert(found !== undefined, command);
  return parseArguments(found, words);
}

Deno.test("parseArguments() takes every command line of Litestream 0.3, flags before or after the rest", () => {
  for (const [command, flags, positionals] of COMMAND_LINES) {
    const pairs = Object.entries(flags);
    const words = (dashes: string, isInline: boolean) =>
      pairs.flatMap(([flag, value]) => {
        if (value === undefined) return [`${dashes}${flag}`];
        return isInline ? [`${dashes}${flag}=${value}`] : [`${dashes}${flag}`, value];
      });
    for (const dashes of ["-", "--"]) {
      for (const isInline of [false, true]) {
        const given = words(dashes, isInline);
        for (const line of [[...given, ...positionals], [...positionals, ...given]]) {
          const parsed = parse(command, line);
          assertEquals(parsed.positionals, positionals, line.join(" "));
          for (const [flag, value] of pairs) {
            const name = flag === "o" ? "output" : flag === "timestamp" ? "at" : flag;
            assertEquals(parsed.text(name), value ?? "true", `${line.join(" ")}: ${flag}`);
          }
        }
      }
    }
  }
});

/** Every key of a file replica that Litestream 0.3.13 has and that is not off. */
const LITESTREAM_YML = `
# A config as Litestream's handbook writes it.
exec: "server -port 8000"
logging:
  level: WARN
  type: json
  stderr: true
dbs:
  - path: $DATA/app.db
    meta-path: \${DATA}/meta
    monitor-interval: 1s
    checkpoint-interval: 1m
    min-checkpoint-page-count: 1000
    max-checkpoint-page-count: 10000
    replicas:
      - path: \${BACKUP}/app
        retention: 24h
        retention-check-interval: 1h
        sync-interval: 1s
        snapshot-interval: 0
        validation-interval: 0
      - url: file://$BACKUP/second
        name: second
        retention: 1h30m
        retention-check-interval: 600000000000
  - path: other.db
    replicas:
      - type: file
        path: other
`;

async function withLitestream(
  text: string,
  work: (folder: string, run: (...words: string[]) => ReturnType<typeof runTailrace>) => Promise<void>,
): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/litestream.yml`, text);
    const environment = { DATA: `${folder}/data`, BACKUP: `${folder}/backup`, LITESTREAM_CONFIG: "litestream.yml" };
    await work(folder, (...words) => runTailrace(words, { folder, environment }));
  });
}

Deno.test({
  name: "databases reads a litestream.yml as it is",
  timeout,
  fn: () =>
    withLitestream(LITESTREAM_YML, async (folder, run) => {
      const { code, stdout, stderr } = await run("databases", "-json");
      assertEquals([code, stderr], [0, ""]);
      const replica = (name: string, path: string) => ({
        name,
        type: "file",
        url: `file://${folder}/${path}`,
        layout: "litestream",
      });
      assertEquals(JSON.parse(stdout).databases, [
        {
          path: `${folder}/data/app.db`,
          state_path: `${folder}/data/meta/tailrace`,
          replicas: [replica("file", "backup/app"), replica("second", "backup/second")],
        },
        {
          path: `${folder}/other.db`,
          state_path: `${folder}/.other.db-tailrace`,
          replicas: [replica("file", "other")],
        },
      ]);
    }),
});

Deno.test({
  name: "databases takes dollars of a litestream.yml as they stand with -no-expand-env",
  timeout,
  fn: () =>
    withLitestream("dbs: [{path: $DATA/a$$b.db, replicas: [{path: '${BACKUP}'}]}]\n", async (folder, run) => {
      const { code, stdout } = await run("databases", "-no-expand-env", "-config", "litestream.yml", "-json");
      assertEquals(code, 0);
      const [database] = JSON.parse(stdout).databases;
      assertEquals(database.path, `${folder}/$DATA/a$$b.db`);
      assertEquals(database.replicas[0].url, `file://${folder}/\${BACKUP}`);
    }),
});

/** One sentence with file, line and key, and what to do; the same whatever the command. */
async function expectRefusal(text: string, sentence: string): Promise<void> {
  await withLitestream(text, async (folder, run) => {
    for (const words of [["databases"], ["replicate"], ["generations", "a.db"], ["restore", "a.db"]]) {
      const { code, stdout, stderr } = await run(...words);
      assertEquals(
        { code, stdout, stderr: stderr.replaceAll(folder, "").replace(/Advice: put that right; .*\n$/, "") },
        { code: 2, stdout: "", stderr: `Cannot use config /litestream.yml:${sentence}\n` },
        words.join(" "),
      );
    }
  });
}

const REFUSALS: readonly (readonly [what: string, text: string, sentence: string])[] = [
  [
    "keys for S3 at the top",
    "access-key-id: x\ndbs:\n  - path: a.db\n    replicas:\n      - bucket: b\n        type: s3\n",
    '1:1: the key "access-key-id" is not supported by this version: it belongs to object stores and servers, and only ' +
    "file replicas are supported (remove it, with the replicas that need it)\n" +
    'Cannot use config /litestream.yml:6:15: the type "s3" of a replica is not supported by this version, only file ' +
    'replicas are (remove this replica, or give it the "path" of a folder)',
  ],
  [
    "a replica on S3 by its type",
    "dbs:\n  - path: a.db\n    replicas:\n      - bucket: b\n        type: s3\n",
    '5:15: the type "s3" of a replica is not supported by this version, only file replicas are ' +
    '(remove this replica, or give it the "path" of a folder)',
  ],
  [
    "a replica on S3 by its URL",
    "dbs:\n  - path: a.db\n    replicas:\n      - access-key-id: x\n        url: s3://bucket/a\n",
    '5:14: the url s3://bucket/a: replicas of type "s3" are not supported by this version ' +
    "(only file:///absolute/path)",
  ],
  [
    "a validation that would never pause",
    "dbs:\n  - path: a.db\n    replicas:\n      - path: r\n        validation-interval: 30s\n",
    '5:30: the value of "validation-interval" is "30s" (it must be at least 1m)',
  ],
  [
    "an unknown key, which Litestream ignores",
    "dbs:\n  - path: a.db\n    replicas:\n      - path: r\n        retension: 6h\n",
    '5:9: unknown key "retension" (did you mean "retention"?)',
  ],
  [
    "two replicas without a name",
    "dbs:\n  - path: a.db\n    replicas:\n      - path: r\n      - path: s\n",
    '5:9: the replica name "file" is used twice for /a.db (give each of its replicas a "name" of its own)',
  ],
];

for (const [what, text, sentence] of REFUSALS) {
  Deno.test({
    name: `trouble: a litestream.yml with ${what}`,
    timeout,
    fn: () => expectRefusal(text, sentence),
  });
}

Deno.test({
  name: "restore takes every number for -parallelism that Litestream takes",
  timeout,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const replica = new ReplicaBuilder(`${folder}/r`);
      await replica.snapshot(0, 0, imageOf(4096, 1, 2));
      for (const number of ["-1", "0", "1", "8", "1000"]) {
        const words = ["restore", "-parallelism", number, "-o", `${number}.db`, `file://${folder}/r`];
        const { code, stderr } = await runTailrace(words, { folder });
        assertEquals(code, 0, stderr);
        assertEquals(Deno.statSync(`${folder}/${number}.db`).size, 8192);
      }
      const { code, stderr } = await runTailrace(["restore", "-v", `file://${folder}/r`], { folder });
      assertEquals(code, 2);
      assertStringIncludes(stderr, "-v: there is no such flag");
    }),
});
