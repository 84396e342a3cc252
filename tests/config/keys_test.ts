import { defaults, replicaDefaults } from "../../lib/config/defaults.ts";
import { formatDuration, parseDuration } from "../../lib/config/duration.ts";
import { limits } from "../../lib/base/limits.ts";
import { CONFIG_KEYS, type ConfigKey, findKey } from "../../lib/config/keys.ts";
import { UNSUPPORTED_KEYS } from "../../lib/config/unsupported_keys.ts";
import { parseSize } from "../../lib/config/size.ts";
import { CONFIG_DOCUMENT, renewDocument } from "../../scripts/config_docs.ts";
import { assert, assertEquals, assertStrictEquals } from "../support/assert.ts";

const rows: readonly ConfigKey[] = CONFIG_KEYS;

/** The default that the table of keys gives, without its quotes. */
function writtenDefault(key: string): string {
  return rows.find((row) => row.key === key)?.default.replaceAll("`", "") ?? "";
}

Deno.test("CONFIG_KEYS names each key once a level, and none that is refused", () => {
  const places = rows.flatMap((row) => row.levels.map((level) => `${level} ${row.key}`));
  assertEquals(places.length, new Set(places).size);
  for (const { keys, levels } of UNSUPPORTED_KEYS) {
    for (const level of levels) {
      for (const key of keys) assertEquals(findKey(level, key), undefined, `${level} ${key}`);
    }
  }
});

Deno.test("CONFIG_KEYS gives the defaults that hold", () => {
  assertEquals(parseDuration(writtenDefault("monitor-interval")), defaults.monitorIntervalMs);
  assertEquals(parseDuration(writtenDefault("absent-after")), defaults.absentAfterMs);
  assertEquals(parseDuration(writtenDefault("proven-within")), limits.provenWithinMs);
  assertEquals(parseDuration(writtenDefault("checkpoint-interval")), defaults.checkpointIntervalMs);
  assertEquals(Number(writtenDefault("min-checkpoint-page-count")), defaults.minCheckpointPages);
  assertEquals(Number(writtenDefault("max-checkpoint-page-count")), defaults.maxCheckpointPages);
  assertEquals(writtenDefault("lock-budget"), formatDuration(defaults.lockBudgetMs));
  assertEquals(parseSize(writtenDefault("max-wal-size")), defaults.maxWalSizeBytes);
  assertEquals(parseSize(writtenDefault("max-state-size")), defaults.maxStateSizeBytes);
  assertEquals(parseDuration(writtenDefault("scrub-interval")), defaults.scrubIntervalMs);
  assertEquals(replicaDefaults.syncIntervalMs, undefined);
  assertEquals(
    CONFIG_KEYS.find(({ key }) => key === "sync-interval")?.default,
    "`0` in the layout `raw`, `1s` in `litestream`",
  );
  assertEquals(limits.objectSyncIntervalMs, 1_000);
  assertEquals(parseDuration(writtenDefault("retention")), replicaDefaults.retentionMs);
  assertEquals(parseDuration(writtenDefault("replica-check-interval")), replicaDefaults.checkIntervalMs);
  assertEquals(parseDuration(writtenDefault("retention-check-interval")), replicaDefaults.retentionCheckIntervalMs);
  assertEquals(parseDuration(writtenDefault("snapshot-interval")), replicaDefaults.snapshotIntervalMs);
  assertEquals(writtenDefault("enable-wal"), String(defaults.enableWal));
});

Deno.test("docs/config.md has the tables of keys as they are", () => {
  const text = Deno.readTextFileSync(CONFIG_DOCUMENT);
  assertStrictEquals(renewDocument(text), text, "run: deno run -A scripts/config_docs.ts");
  for (const row of rows) assert(text.includes(`| \`${row.key}\``), row.key);
});
