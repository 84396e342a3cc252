import { cleanEnvironment } from "../../lib/base/environment_value.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import type { Config } from "../../lib/config/config.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import {
  assertEquals,
  assertFalse,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";

interface Options {
  readonly environment?: Readonly<Record<string, string>>;
  readonly expand?: boolean;
}

function parse(text: string, { environment = {}, expand = true }: Options = {}): Config {
  const surroundings = { environment: cleanEnvironment((name) => environment[name]), currentFolder: "/work", expand };
  return parseConfig(text, "t.yml", surroundings).config;
}

function problemOf(text: string, options: Options = {}): string {
  const error = assertThrows(() => parse(text, options), ReplicationError);
  assertStrictEquals(error.code, "config-invalid");
  return error.message;
}

// Made for these tests; nothing was ever encrypted with them.
const RECIPIENT = `age1${"qpzry9x8gf2tvdw0s3jn54khce6mua7l".repeat(2).slice(0, 58)}`;
const IDENTITY = `AGE-SECRET-KEY-1${"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".repeat(2).slice(0, 58)}`;

/** A config of one database with one replica; lines are added to the top level, the database, or the replica. */
function aConfig({ global = "", database = "", replica = "path: /backup/app" } = {}): string {
  const indent = (text: string, by: number) => text.split("\n").map((line) => " ".repeat(by) + line).join("\n");
  return `${global}\ndbs:\n  - path: /data/app.db\n${indent(database, 4)}\n    replicas:\n      -\n${
    indent(replica, 8)
  }\n`;
}

Deno.test("parseConfig() fills in the defaults", () => {
  assertEquals(parse(aConfig()), {
    databases: [{
      path: "/data/app.db",
      statePath: "/data/.app.db-tailrace",
      monitorIntervalMs: 1_000,
      absentAfterMs: 300_000,
      checkpointIntervalMs: 60_000,
      minCheckpointPages: 700,
      maxCheckpointPages: 10_000,
      lockBudgetMs: 50,
      maxWalSizeBytes: 1 << 30,
      maxStateSizeBytes: 4 * 2 ** 30,
      scrubIntervalMs: 86_400_000,
      enableWal: false,
      verify: { checks: [] },
      replicas: [{
        type: "file",
        name: "file",
        path: "/backup/app",
        url: "file:///backup/app",
        syncIntervalMs: undefined,
        layout: undefined,
        defaultLayout: "raw",
        retentionMs: 86_400_000,
        retentionCheckIntervalMs: 3_600_000,
        checkIntervalMs: 300_000,
        snapshotIntervalMs: 0,
      }],
    }],
    logging: { level: "info", format: "text" },
    shutdownTimeoutMs: 30_000,
    source: "t.yml",
    warnings: [],
  });
});

Deno.test("parseConfig() reads every key", () => {
  const config = parse(
    `
exec: ./server --port 8000
sqlite-library: lib/libsqlite3.so
logging: {level: WARNING, type: json, stderr: true}
dbs:
  - path: app.db
    meta-path: ~/state
    monitor-interval: 2s
    absent-after: 90s
    checkpoint-interval: 30s
    min-checkpoint-page-count: 500
    max-checkpoint-page-count: 0
    lock-budget: 20ms
    max-wal-size: 64MiB
    max-state-size: 8GiB
    scrub-interval: 12h
    enable-wal: true
    verify: {schedule: 0 3 * * *, level: equal, sample: 3, max-age: 2h, ping-url: "@url", checks: [{name: rows, query: SELECT 1, min: 1}]}
    replicas:
      - {type: file, name: near, path: ../backup, sync-interval: 1s, layout: raw}
      - name: far
        url: "file:///mnt/backup"
        retention: 720h
        retention-check-interval: 2h
        replica-check-interval: 90s
        snapshot-interval: 24h
        age:
          recipients: [${RECIPIENT}]
          identities: [${IDENTITY}]
`,
    { environment: { HOME: "/home/me" } },
  );
  assertEquals(config.exec, "./server --port 8000");
  assertEquals(config.sqliteLibrary, "/work/lib/libsqlite3.so");
  assertEquals(config.logging, { level: "warn", format: "json" });
  const [database] = config.databases;
  assertEquals(database?.verify.pingUrl?.reveal(), "@url");
  assertEquals([...database?.verify.schedule?.hours ?? []], [3]);
  const { schedule: _schedule, pingUrl: _pingUrl, ...verify } = database?.verify ?? { checks: [] };
  assertEquals({ ...database, verify, replicas: database?.replicas.map(({ name, path }) => ({ name, path })) }, {
    path: "/work/app.db",
    statePath: "/home/me/state/tailrace",
    monitorIntervalMs: 2_000,
    absentAfterMs: 90_000,
    checkpointIntervalMs: 30_000,
    minCheckpointPages: 500,
    maxCheckpointPages: Number.MAX_SAFE_INTEGER,
    lockBudgetMs: 20,
    maxWalSizeBytes: 64 << 20,
    maxStateSizeBytes: 8 * 2 ** 30,
    scrubIntervalMs: 43_200_000,
    enableWal: true,
    verify: { level: "equal", sample: 3, maxAgeMs: 7_200_000, checks: [{ name: "rows", query: "SELECT 1", min: 1 }] },
    replicas: [{ name: "near", path: "/backup" }, { name: "far", path: "/mnt/backup" }],
  });
  assertEquals(database?.replicas.map((replica) => replica.syncIntervalMs), [1_000, undefined]);
  assertEquals(database?.replicas.map((replica) => replica.layout), ["raw", undefined]);
  assertEquals(database?.replicas.map((replica) => replica.defaultLayout), ["raw", "litestream"]);
  const [, far] = database?.replicas ?? [];
  assertEquals(far?.retentionMs, 720 * 3_600_000);
  assertEquals(far?.retentionCheckIntervalMs, 2 * 3_600_000);
  assertEquals(far?.checkIntervalMs, 90_000);
  assertEquals(far?.snapshotIntervalMs, 24 * 3_600_000);
  assertEquals(far?.age?.recipients, [RECIPIENT]);
  assertEquals(far?.age?.identities.map((identity) => identity.reveal()), [IDENTITY]);
});

Deno.test("parseConfig() prefers the replica's value, then the database's, then the global one", () => {
  const syncInterval = (config: Config) => config.databases[0]?.replicas[0]?.syncIntervalMs;
  const lockBudget = (config: Config) => config.databases[0]?.lockBudgetMs;
  const global = "sync-interval: 1s\nlock-budget: 10ms";
  assertEquals(syncInterval(parse(aConfig({ global }))), 1_000);
  assertEquals(lockBudget(parse(aConfig({ global }))), 10);
  const database = "sync-interval: 2s\nlock-budget: 20ms";
  assertEquals(syncInterval(parse(aConfig({ global, database }))), 2_000);
  assertEquals(lockBudget(parse(aConfig({ global, database }))), 20);
  const replica = "path: /b\nsync-interval: 0";
  assertEquals(syncInterval(parse(aConfig({ global, database, replica }))), 0);
});

Deno.test("parseConfig() reads a bare number as nanoseconds for a duration and as bytes for a size", () => {
  const [database] = parse(aConfig({ database: "monitor-interval: 5000000000\nmax-wal-size: 2097152" })).databases;
  assertEquals(database?.monitorIntervalMs, 5_000);
  assertEquals(database?.maxWalSizeBytes, 2_097_152);
});

Deno.test("parseConfig() names file, line and column of an unknown key, with the key that was meant", () => {
  const message = problemOf("dbs:\n  - path: /a\n    monitor-intervall: 1s\n");
  assertEquals(
    message,
    'Cannot use config t.yml:3:5: unknown key "monitor-intervall" (did you mean "monitor-interval"?)',
  );
  assertStringIncludes(problemOf(aConfig({ global: "colour: red" })), "known here: dbs, exec,");
});

Deno.test("parseConfig() tells a key at the wrong place from an unknown one", () => {
  assertStringIncludes(
    problemOf(aConfig({ replica: "path: /b\nmonitor-interval: 1s" })),
    'the key "monitor-interval" does not belong to a replica (it belongs to the top level or a database)',
  );
});

Deno.test("parseConfig() refuses keys of Litestream that this version would not act on, and says so", () => {
  const refused = [
    aConfig({ global: "access-key-id: x" }),
    aConfig({ replica: "path: /b\nbucket: x" }),
    aConfig({ replica: "type: s3\nbucket: x" }),
    aConfig({ replica: "url: s3://bucket/x" }),
    aConfig({ global: "logging: {stderr: false}" }),
  ];
  for (const text of refused) {
    assertStringIncludes(problemOf(text), "not supported by this version", text);
    assertFalse(problemOf(text).includes("unknown"), text);
  }
});

Deno.test("parseConfig() refuses values of the wrong type, each with what it must be", () => {
  const cases: readonly (readonly [text: string, expected: string])[] = [
    [aConfig({ database: "min-checkpoint-page-count: many" }), "a whole number"],
    [aConfig({ database: 'min-checkpoint-page-count: "500"' }), "a whole number"],
    [aConfig({ database: "min-checkpoint-page-count: 0500" }), "a whole number"],
    [aConfig({ database: "min-checkpoint-page-count: 1.5" }), "a whole number"],
    [aConfig({ database: "min-checkpoint-page-count: -1" }), "a whole number"],
    [aConfig({ database: "min-checkpoint-page-count: 0" }), "at least 1"],
    [aConfig({ database: "monitor-interval: 10" }), "a bare number is nanoseconds"],
    [aConfig({ database: "monitor-interval: 1w" }), "a duration such as"],
    [aConfig({ database: 'monitor-interval: "5000000000"' }), "a duration such as"],
    [aConfig({ database: "monitor-interval: 0" }), "at least 1ms"],
    [aConfig({ database: "monitor-interval: 999us" }), "at least 1ms"],
    [aConfig({ database: "monitor-interval: 1000h" }), "at most 596h"],
    [aConfig({ database: "checkpoint-interval: -1s" }), "no negative duration"],
    [aConfig({ database: "max-wal-size: big" }), "a size such as"],
    [aConfig({ database: "max-wal-size: 1024" }), "at least 1MiB"],
    [aConfig({ database: "enable-wal: perhaps" }), "true or false"],
    [aConfig({ database: 'enable-wal: "true"' }), "true or false"],
    [aConfig({ database: "meta-path: [a]" }), "a list (it must be a path)"],
    [aConfig({ database: "meta-path: {a: b}" }), "a map (it must be a path)"],
    [aConfig({ database: "meta-path:" }), "missing (it must be a path)"],
    [aConfig({ database: "meta-path: file:///x" }), 'a URL belongs to the key "url"'],
    [aConfig({ database: "meta-path: ~/x" }), "HOME is not set"],
    [aConfig({ database: 'meta-path: "a\\0b"' }), "a path"],
    [aConfig({ global: "exec: true" }), "in quotes"],
    [aConfig({ replica: "path: /b\nname: ''" }), "not empty"],
    [aConfig({ global: "validation-interval: 1s" }), "at least 1m"],
    [aConfig({ global: "retention: {enabled: false}" }), 'a map (it must be a duration such as 24h; "retention: 0" is'],
    [aConfig({ global: "logging: {level: loud}" }), "debug, info, warn"],
    [aConfig({ global: "logging: text" }), "a map of keys and values"],
    [aConfig({ global: "logging: [text]" }), "a map of keys and values"],
    [aConfig({ replica: "path: /b\ntype: fiel" }), "it must be file"],
    [aConfig({ replica: "path: /b\nname: {}" }), "a text"],
    [aConfig({ replica: "path: /b\nlayout: tar" }), "it must be raw, litestream"],
    [aConfig({ replica: "path: /b\nretention: -1h" }), "no negative duration"],
    [aConfig({ replica: "path: /b\nretention: 24" }), "a bare number is nanoseconds"],
    [aConfig({ replica: "path: /b\nretention-check-interval: 0" }), "at least 1ms"],
    [aConfig({ replica: "path: /b\nsnapshot-interval: 10000000h" }), "at most 2562047h"],
    [aConfig({ database: "max-state-size: 1KiB" }), "at least 1MiB"],
    [aConfig({ replica: "path: /b\nage: yes" }), "a map of keys and values"],
    [aConfig({ replica: `path: /b\nage: {recipients: ${RECIPIENT}}` }), "a list"],
    [aConfig({ replica: "path: /b\nage: {recipients: [age1x]}" }), '"age1x" (it must be a recipient of age'],
    [aConfig({ replica: 'path: /b\nage: {recipients: ["# nobody"]}' }), "a recipient of age"],
    [aConfig({ replica: "path: /b\nage: {recipients: [{}]}" }), "is a map (it must be a recipient of age"],
    [aConfig({ replica: "path: /b\nage: {recipients: [null]}" }), "is missing (it must be a recipient of age"],
    ["dbs: app.db\n", "a list"],
    ["dbs: {path: app.db}\n", "a list"],
    ["dbs:\n", "missing (it must be a list)"],
    ["dbs: [app.db]\n", "a database must be a map"],
    ["dbs: [{path: /a, replicas: [/b]}]\n", "a replica must be a map"],
    ["[]", "the top level must be a map"],
    ["text", "the top level must be a map"],
  ];
  for (const [text, expected] of cases) {
    const message = problemOf(text);
    assertStringIncludes(message, expected, text);
    assertStringIncludes(message, "Cannot use config t.yml:", text);
    assertFalse(message.includes("\n"), text);
  }
});

Deno.test("parseConfig() lets keys stand that say by their value that they are off", () => {
  const off = 'addr: ""\nvalidation-interval: 0\nmcp-addr: ""\nexec: ""\nsocket: {enabled: false, path: /x}\n' +
    "verify-compaction: false\nlogging: {source: false}";
  assertEquals(parse(aConfig({ global: off })), parse(aConfig()));
  parse(aConfig({ global: "addr:\nexec:", replica: "path: /b\nvalidation-interval: 0s\nauto-recover: false" }));
  parse(aConfig({ database: "restore-if-db-not-exists: false" }));
});

Deno.test("parseConfig() leaves keys of the top level alone that begin with x-", () => {
  const text = "x-common: &common {lock-budget: 10ms}\nx-other: {nothing: [known]}\n" +
    "dbs:\n  - <<: *common\n    path: /a\n    replicas: [{path: /b}]\n";
  assertEquals(parse(text).databases[0]?.lockBudgetMs, 10);
  assertStringIncludes(problemOf(aConfig({ database: "x-common: 1" })), 'unknown key "x-common"');
});

Deno.test("parseConfig() says all that is wrong in one run, in the order of the file, each once", () => {
  const text = `colour: red
x-db: &db {lock-budget: soon}
verify: {level: deep}
dbs:
  - <<: *db
    path: $NOWHERE
    replicas: [{type: s3, bucket: x}, {path: /b, layout: tar}]
  - <<: *db
    path: /a
    replicas:
      - {path: /c}
      - {path: /d}
  - replicas: [/e]
`;
  const error = assertThrows(() => parse(text), ReplicationError);
  const messages = [error.message, ...error.others];
  assertEquals(messages.map((message) => message.split(": ")[0]?.replace("Cannot use config t.yml:", "")), [
    "1:1",
    "2:25",
    "3:17",
    "6:11",
    "7:23",
    "7:58",
    "12:9",
    "13:5",
    "13:16",
  ]);
  assertEquals(new Set(messages).size, messages.length);
});

Deno.test("parseConfig() takes the keys of Litestream 0.5 that say what ours say", () => {
  const replica = "replica: {path: /backup/app}";
  const [database] = parse(
    `snapshot: {interval: 6h, retention: 7d}\ndbs:\n  - path: sqlite:///data/app.db\n    ${replica}\n`,
  ).databases;
  assertEquals(database?.path, "/data/app.db");
  assertEquals(
    database?.replicas.map(({ path, retentionMs, snapshotIntervalMs }) => [path, retentionMs, snapshotIntervalMs]),
    [
      ["/backup/app", 7 * 86_400_000, 6 * 3_600_000],
    ],
  );
  const own = `snapshot: {retention: 7d}\ndbs:\n  - path: /a\n    snapshot: {retention: 2d}\n    ${replica}\n`;
  assertEquals(parse(own).databases[0]?.replicas[0]?.retentionMs, 2 * 86_400_000);
  assertStringIncludes(problemOf(aConfig({ database: replica })), 'both "replica" and "replicas"');
  assertStringIncludes(problemOf(`dbs: [{path: /a, replica: [{path: /b}]}]`), "it must be a map");
  assertStringIncludes(
    problemOf(aConfig({ global: "retention: 1h\nsnapshot: {retention: 2h}" })),
    't.yml:2:23: "retention" of "snapshot" is "retention", which is there as well (write one of them)',
  );
});

Deno.test("parseConfig() refuses the other keys of Litestream 0.5 by name, with the way out", () => {
  const cases: readonly (readonly [text: string, wayOut: string])[] = [
    [aConfig({ global: "socket: {enabled: true}" }), "remove it"],
    [aConfig({ global: "levels: [{interval: 1m}]" }), "LTX files"],
    [aConfig({ global: "l0-retention: 5m" }), "LTX files"],
    [aConfig({ global: "validation: {interval: 6h}" }), 'write "validation-interval: 24h"'],
    [aConfig({ global: "heartbeat-url: http://x" }), "ping-url"],
    [aConfig({ global: "shutdown-sync-timeout: 30s" }), 'write "shutdown-timeout: 30s"'],
    ["dbs: [{dir: /data, pattern: '*.db', replica: {path: /b}}]\n", 'list each of them under "dbs"'],
    [aConfig({ database: "busy-timeout: 1s" }), '"lock-budget"'],
    [aConfig({ database: "truncate-page-n: 0" }), '"max-wal-size"'],
    [aConfig({ database: "restore-if-db-not-exists: true" }), "run tailrace restore --if-db-not-exists"],
    [aConfig({ replica: "path: /b\nauto-recover: true" }), "remove it"],
    [aConfig({ replica: "path: /b\npart-size: 5MiB" }), "object stores"],
  ];
  for (const [text, wayOut] of cases) {
    const message = problemOf(text);
    assertStringIncludes(message, "not supported by this version", text);
    assertStringIncludes(message, wayOut, text);
  }
});

Deno.test("parseConfig() takes validation-interval for how often a database is verified, of its replicas the shortest", () => {
  const intervalMs = (parts: Parameters<typeof aConfig>[0]) => parse(aConfig(parts)).databases[0]?.verify.intervalMs;
  assertEquals(intervalMs({ global: "validation-interval: 6h" }), 6 * 3_600_000);
  assertEquals(intervalMs({ global: "validation-interval: 6h", database: "validation-interval: 1h" }), 3_600_000);
  assertEquals(
    intervalMs({ global: "validation-interval: 6h", replica: "path: /b\nvalidation-interval: 0" }),
    undefined,
  );
  const two =
    "dbs: [{path: /a, replicas: [{path: /b, validation-interval: 3h}, {name: x, path: /c, validation-interval: 2h}]}]";
  assertEquals(parse(two).databases[0]?.verify.intervalMs, 2 * 3_600_000);
  assertStringIncludes(
    problemOf(aConfig({ global: 'validation-interval: 6h\nverify: {schedule: "0 3 * * *"}' })),
    '"validation-interval" beside "schedule" of "verify": both say when to verify (write one of them)',
  );
});

Deno.test("parseConfig() warns of what it takes off the ends of variables, with the place and without the value", () => {
  const environment = { DB: "/data/secret.db\n", FOLDER: "'/backup/secret'", KEY: `${IDENTITY}\n` };
  const text = "dbs:\n  - path: $DB\n    replicas:\n      - {path: $FOLDER, age: {identities: [$KEY]}}\n";
  const config = parse(text, { environment });
  assertEquals([config.databases[0]?.path, config.databases[0]?.replicas[0]?.path], [
    "/data/secret.db",
    "/backup/secret",
  ]);
  assertEquals(config.warnings, [
    'config t.yml:2:11: the environment variable "DB" in the value of "path" is taken without the line feed at its end',
    'config t.yml:4:16: the environment variable "FOLDER" in the value of "path" is taken without the quotes around it',
  ]);
});

Deno.test("parseConfig() knows where metrics and health are to be served, and where not at all", () => {
  const cases: readonly (readonly [text: string, hostname: string | undefined, port: number])[] = [
    ["127.0.0.1:9090", "127.0.0.1", 9090],
    ["localhost:1", "localhost", 1],
    ['":9090"', undefined, 9090],
    ['"[::1]:65535"', "::1", 65_535],
    ["127.0.0.1:0", "127.0.0.1", 0],
  ];
  for (const [text, hostname, port] of cases) {
    assertEquals(parse(aConfig({ global: `addr: ${text}` })).monitoring, { hostname, port }, text);
  }
  for (const text of ["addr:", 'addr: ""', "addr: $ADDRESS"]) {
    assertEquals(parse(aConfig({ global: text }), { environment: { ADDRESS: "" } }).monitoring, undefined, text);
  }
  for (const text of ["9090", "localhost", "host:", "host:99999", "host:90 90", "http://host:80", "::1:80", "a:b:80"]) {
    const message = problemOf(aConfig({ global: `addr: "${text}"` }));
    assertStringIncludes(message, `it must be an address with a port, such as 127.0.0.1:9090`, text);
  }
});

Deno.test("parseConfig() knows the names by which others may ask at addr", () => {
  const names = (text: string) => parse(aConfig({ global: `addr-names: ${text}` })).monitoringNames;
  assertEquals(names("backup.example.com"), ["backup.example.com"]);
  assertEquals(names("backup  b.example.com"), ["backup", "b.example.com"]);
  assertEquals([names(""), names('""')], [undefined, undefined]);
  for (const text of ["backup:9090", "http://backup", "a,b", "'*'", "[a]"]) {
    const message = problemOf(aConfig({ global: `addr-names: ${text}` }));
    assertStringIncludes(message, "it must be names of hosts with a space between two", text);
  }
});

Deno.test("parseConfig() tells of a replica's kind before the keys that only that kind has", () => {
  for (const kind of ["type: s3", "url: s3://bucket/app"]) {
    const message = problemOf(aConfig({ replica: `access-key-id: x\nbucket: y\n${kind}` }));
    assertStringIncludes(message, "t.yml:9:", kind);
    assertStringIncludes(message, "s3", kind);
    assertStringIncludes(message, "not supported by this version", kind);
  }
});

Deno.test("parseConfig() gives a replica the layout that its config and its keys ask for", () => {
  const layouts = (text: string, fromLitestreamConfig: boolean) => {
    const surroundings = { environment: () => undefined, currentFolder: "/", expand: true, fromLitestreamConfig };
    const { layout, defaultLayout } = parseConfig(text, "t.yml", surroundings).config.databases[0]?.replicas[0] ?? {};
    return [layout, defaultLayout];
  };
  assertEquals(layouts(aConfig(), false), [undefined, "raw"]);
  assertEquals(layouts(aConfig(), true), [undefined, "litestream"]);
  assertEquals(layouts(aConfig({ replica: "path: /b\nlayout: RAW" }), true), ["raw", "raw"]);
  assertEquals(layouts(aConfig({ replica: "path: /b\nlayout: litestream" }), false), ["litestream", "litestream"]);
  const age = `path: /b\nage: {recipients: [${RECIPIENT}]}`;
  assertEquals(layouts(aConfig({ replica: age }), false), [undefined, "litestream"]);
  assertEquals(
    problemOf(aConfig({ replica: `${age}\nlayout: raw` })),
    'Cannot use config t.yml:9:17: "layout: raw" cannot be encrypted (remove one of "layout" and "age")',
  );
});

Deno.test("parseConfig() looks at retention at least once in its span, and never when it is 0", () => {
  const checkIntervalMs = (lines: string) =>
    parse(aConfig({ replica: `path: /b\n${lines}` })).databases[0]?.replicas[0]?.retentionCheckIntervalMs;
  assertEquals(checkIntervalMs("retention: 10m"), 600_000);
  assertEquals(checkIntervalMs("retention: 0"), 3_600_000);
  assertEquals(checkIntervalMs("retention: 48h\nretention-check-interval: 6h"), 21_600_000);
});

Deno.test("parseConfig() inherits retention and snapshots like every key of a replica", () => {
  const [replica] = parse(aConfig({ global: "retention: 48h\nsnapshot-interval: 6h", database: "retention: 12h" }))
    .databases[0]?.replicas ?? [];
  assertEquals([replica?.retentionMs, replica?.snapshotIntervalMs], [12 * 3_600_000, 6 * 3_600_000]);
});

Deno.test("parseConfig() takes the lines of key files for keys of age, without their comments", () => {
  const environment = { KEY: `# created: today\n${IDENTITY}\n` };
  const age = "age:\n  identities:\n    - $KEY\n  recipients:\n    - |\n      # me\n      " +
    `${RECIPIENT}\n\n      ${RECIPIENT}\n`;
  const replica = parse(aConfig({ replica: `path: /b\n${age}` }), { environment }).databases[0]?.replicas[0];
  assertEquals(replica?.age?.recipients, [RECIPIENT, RECIPIENT]);
  assertEquals(replica?.age?.identities.map((identity) => identity.reveal()), [IDENTITY]);
  assertFalse(JSON.stringify(replica).includes(IDENTITY));
  assertFalse(Deno.inspect(replica).includes(IDENTITY));
});

Deno.test("parseConfig() never shows an identity, wherever it was written by mistake", () => {
  const cases = [
    `identities: ${IDENTITY}`,
    `identities: [${IDENTITY.slice(0, -1)}]`,
    `identities: [{${IDENTITY}: x}]`,
    `identities: ["\${${IDENTITY}}"]`,
    `recipients: [${IDENTITY}]`,
    `recipients: ${IDENTITY}`,
    `recipients: [${IDENTITY.toLowerCase()}]`,
  ];
  for (const line of cases) {
    const message = problemOf(aConfig({ replica: `path: /b\nage:\n  ${line}` }));
    assertFalse(message.toUpperCase().includes("AGE-SECRET-KEY-1QPZRY"), message);
  }
});

Deno.test("parseConfig() refuses what is missing or twice", () => {
  const cases: readonly (readonly [text: string, expected: string])[] = [
    ["", "it is empty"],
    ["# nothing\n", "it is empty"],
    ["exec: x\n", "it names no database"],
    ["dbs: []\n", "t.yml:1:6: it names no database"],
    ["dbs: [{replicas: [{path: /b}]}]\n", 't.yml:1:7: a database needs a "path"'],
    ["dbs: [{path: /a}]\n", "has no replica"],
    ["dbs: [{path: /a, replicas: []}]\n", "has no replica"],
    [aConfig({ replica: "name: x" }), 'a replica needs a "path" or a "url"'],
    [aConfig({ replica: "path: /b\nurl: file:///b" }), 'both "path" and "url"'],
    [aConfig({ replica: "path: /b\npath: /c" }), 'the key "path" is written twice'],
    [aConfig({ replica: 'path: /b\nname: "a\\tb"' }), "control characters"],
    [
      "dbs: [{path: /a, replicas: [{path: /b}, {path: /c}]}]\n",
      't.yml:1:41: the replica name "file" is used twice for /a',
    ],
    [
      "dbs:\n  - path: /a\n    replicas:\n      - {name: x, path: /b}\n      - {name: x, path: /c}\n",
      't.yml:5:16: the replica name "x" is used twice',
    ],
  ];
  for (const [text, expected] of cases) assertStringIncludes(problemOf(text), expected, text);
});

Deno.test("parseConfig() expands variables in values, after YAML, and gives plain ones the type they look like", () => {
  const environment = { PAGES: "500", ON: "true", INTERVAL: "5s", FOLDER: "/b: [not yaml", NANOSECONDS: "2000000" };
  const database = "min-checkpoint-page-count: $PAGES\nenable-wal: ${ON}\nmonitor-interval: $INTERVAL\n" +
    "lock-budget: $NANOSECONDS";
  const [parsed] = parse(aConfig({ database, replica: "path: $FOLDER" }), { environment }).databases;
  assertEquals(parsed?.minCheckpointPages, 500);
  assertEquals(parsed?.enableWal, true);
  assertEquals(parsed?.monitorIntervalMs, 5_000);
  assertEquals(parsed?.lockBudgetMs, 2);
  assertEquals(parsed?.replicas[0]?.path, "/b: [not yaml");
});

Deno.test("parseConfig() names line, key and variable when a variable is not set", () => {
  assertEquals(
    problemOf("dbs:\n  - path: $FOLDER/app.db\n    replicas: []\n"),
    'Cannot use config t.yml:2:11: the environment variable "FOLDER" in the value of "path" is not set ' +
      "(set it, or use --no-expand-env)",
  );
  assertStringIncludes(problemOf(aConfig({ replica: "path: ${X:-/b}" })), '"${X:-/b}" in the value of "path"');
});

Deno.test("parseConfig() leaves dollars alone with --no-expand-env", () => {
  const config = parse(aConfig({ replica: "path: /b/$X/${Y:-z}" }), { expand: false });
  assertEquals(config.databases[0]?.replicas[0]?.path, "/b/$X/${Y:-z}");
});

Deno.test("parseConfig() shows a value as it is written, never what a variable holds", () => {
  const environment = { KEY: "hunter2" };
  for (const key of ["enable-wal", "monitor-interval", "max-wal-size", "min-checkpoint-page-count"]) {
    const message = problemOf(aConfig({ database: `${key}: $KEY` }), { environment });
    assertStringIncludes(message, "$KEY");
    assertFalse(message.includes("hunter2"), message);
  }
  const message = problemOf(aConfig({ replica: "url: sftp://me:$KEY@host/x" }), { environment });
  assertFalse(message.includes("hunter2"), message);
});

Deno.test("parseConfig() follows aliases and merges maps, the map's own keys first", () => {
  const config = parse(`
dbs:
  - &first
    path: /a
    lock-budget: 10ms
    enable-wal: true
    replicas: [&replica {path: /b}]
  - <<: *first
    path: /c
    enable-wal: false
    replicas:
      - {<<: [*replica, {sync-interval: 3s}], path: /d}
`);
  const [, second] = config.databases;
  assertEquals(second?.path, "/c");
  assertEquals(second?.lockBudgetMs, 10);
  assertEquals(second?.enableWal, false);
  assertEquals(second?.replicas.map(({ path, syncIntervalMs }) => ({ path, syncIntervalMs })), [
    { path: "/d", syncIntervalMs: 3_000 },
  ]);
});

Deno.test("parseConfig() refuses aliases and merges that lead nowhere or in a circle", () => {
  assertStringIncludes(problemOf("dbs: *nothing\n"), 'there is no anchor "&nothing"');
  assertStringIncludes(problemOf("dbs: &x [*x]\n"), "a database must be a map");
  assertStringIncludes(problemOf("dbs: [&x {<<: *x}]\n"), 'a database needs a "path"');
  assertStringIncludes(problemOf("dbs: [{<<: text}]\n"), "must be a map or a list of maps");
});

Deno.test("parseConfig() refuses what is not YAML with the place of it", () => {
  for (
    const text of [
      "dbs: [",
      "a: 'x\n",
      "\tdbs: []",
      "a: b: c",
      "dbs: !tag []",
      "dbs: []\n---\ndbs: []\n",
      "? [a]\n: b\n",
    ]
  ) {
    const message = problemOf(text);
    assertStringIncludes(message, "it is not valid YAML", text);
    assertFalse(message.includes("\n"), text);
  }
  assertStringIncludes(problemOf("[".repeat(200_000)), "it is not valid YAML");
});

Deno.test("parseConfig() says where each part of the config stands", () => {
  const surroundings = { environment: () => undefined, currentFolder: "/", expand: true };
  const { config, placeOf } = parseConfig(
    "dbs:\n  - path: /a\n    replicas:\n      - url: file:///b\n",
    "t.yml",
    surroundings,
  );
  const [database] = config.databases;
  assertEquals(database && placeOf(database), "t.yml:2:11");
  assertEquals(database?.replicas[0] && placeOf(database.replicas[0]), "t.yml:4:14");
});
