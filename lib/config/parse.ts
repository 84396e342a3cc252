import { refuseAll, type ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Check } from "../verify/check.ts";
import { rungNamed } from "../verify/report.ts";
import type { LogLevel } from "../base/log.ts";
import type { AgeConfig, Config, DatabaseConfig, LoggingConfig, ReplicaConfig, VerifyConfig } from "./config.ts";
import { defaultLogging, defaults, defaultStatePath, replicaDefaults, statePathInside } from "./defaults.ts";
import type { Layout } from "../position/object_names.ts";
import { ConfigDocument, type ConfigNode } from "./document.ts";
import type { ConfigLevel, ValueKey, ValueOf } from "./keys.ts";
import { chooseLayout } from "./layout.ts";
import { FILE_REPLICA, formatReplicaUrl } from "./replica_url.ts";
import { Section } from "./section.ts";
import type { Surroundings } from "./value.ts";

export interface ParsedConfig {
  readonly config: Config;
  /** `<file>:<line>:<column>` of a part of this config, for messages about it. */
  readonly placeOf: (part: Part) => string;
}

export interface ReadConfig extends ParsedConfig {
  /** All that is wrong, in the order of the file; then only those databases are in the config that could be read. */
  readonly problems: readonly ReplicationError[];
}

type Part = DatabaseConfig | ReplicaConfig | AgeConfig;

export interface ParseSurroundings extends Surroundings {
  /** Whether the config was made for Litestream: its replicas are then likely to be shared with it. */
  readonly fromLitestreamConfig?: boolean;
}

/** Reads a config's text. Throws `ReplicationError` "config-invalid" with file, line and column, and nothing else. */
export function parseConfig(text: string, source: string, surroundings: ParseSurroundings): ParsedConfig {
  const { problems, ...parsed } = readConfig(text, source, surroundings);
  refuseAll(problems);
  return parsed;
}

/** The same with every problem that can be found; throws only for what is no config at all. */
export function readConfig(text: string, source: string, surroundings: ParseSurroundings): ReadConfig {
  return new ConfigParser(text, source, surroundings).read();
}

class ConfigParser {
  readonly #document: ConfigDocument;
  readonly #source: string;
  readonly #surroundings: ParseSurroundings;
  readonly #places = new Map<Part, string>();
  #itemsRead = 0;

  constructor(text: string, source: string, surroundings: ParseSurroundings) {
    this.#document = new ConfigDocument(text, source);
    this.#source = source;
    this.#surroundings = surroundings;
  }

  read(): ReadConfig {
    const document = this.#document;
    if (document.isEmpty) throw document.problem(undefined, 'it is empty (list the databases under "dbs")');
    const global = this.#section(document.root, "global");
    const nodes = this.#items(global, "dbs");
    if (nodes !== undefined && nodes.length > limits.databasesMax) {
      const problem =
        `it names ${nodes.length} databases (at most ${limits.databasesMax}; have several processes follow them)`;
      throw document.problem(global.child("dbs"), problem);
    }
    const isEmpty = global.child("dbs") !== undefined || global.lacks("dbs");
    if (nodes !== undefined && nodes.length === 0 && isEmpty) {
      document.report(global.child("dbs"), 'it names no database (list them under "dbs")');
    }
    const databases = (nodes ?? []).map((node) => document.attempt(() => this.#database(node, global)));
    const exec = global.get("exec");
    const library = global.get("sqlite-library");
    const address = global.get("addr");
    const names = global.get("addr-names");
    const logging = document.attempt(() => this.#logging(global)) ?? defaultLogging;
    const config: Config = {
      databases: databases.filter((database) => database !== undefined),
      logging,
      shutdownTimeoutMs: global.get("shutdown-timeout") ?? limits.shutdownTimeoutMs,
      source: this.#source,
      warnings: document.warnings,
      ...(exec === undefined ? {} : { exec }),
      ...(address === undefined ? {} : { monitoring: address }),
      ...(names === undefined ? {} : { monitoringNames: names }),
      ...(library === undefined ? {} : { sqliteLibrary: library }),
    };
    const placeOf = (part: Part) => this.#places.get(part) ?? this.#source;
    return { config, placeOf, problems: document.problems };
  }

  #section(node: ConfigNode, level: ConfigLevel): Section {
    return new Section(this.#document, node, level, this.#surroundings);
  }

  /** None when the key is absent; undefined when its value is no list, which has been noted. */
  #items(section: Section, key: string): ConfigNode[] | undefined {
    const node = section.child(key);
    const items = node === undefined ? [] : this.#document.items(node);
    this.#itemsRead += items?.length ?? 0;
    if (this.#itemsRead <= limits.configItemsMax) return items;
    const problem =
      `its lists have more than ${limits.configItemsMax} members, those that an alias repeats counted again`;
    throw this.#document.problem(node, problem);
  }

  #logging(global: Section): LoggingConfig {
    const node = global.child("logging");
    if (node === undefined) return defaultLogging;
    const section = this.#section(node, "logging");
    if (section.get("stderr") === false) {
      const problem = 'logging "stderr: false" is not supported by this version (the log always goes to stderr)';
      throw this.#document.problem(section.child("stderr"), problem);
    }
    const level = section.get("level") ?? defaultLogging.level;
    return {
      level: (level === "warning" ? "warn" : level) as LogLevel,
      format: (section.get("type") ?? defaultLogging.format) as LoggingConfig["format"],
    };
  }

  /** Undefined when it cannot be said which database is meant, or where it goes. */
  #database(node: ConfigNode, global: Section): DatabaseConfig | undefined {
    const section = this.#section(node, "database");
    const path = section.get("path");
    if (section.lacks("path")) this.#document.report(node, 'a database needs a "path"');
    const replicas = this.#replicas(section, global);
    const verify = this.#verify(section, global, replicas);
    if (path === undefined) return undefined;
    const metaPath = section.get("meta-path");
    const maxPages = inherited("max-checkpoint-page-count", [section, global]) ?? defaults.maxCheckpointPages;
    const database: DatabaseConfig = {
      path,
      statePath: metaPath === undefined ? defaultStatePath(path) : statePathInside(metaPath),
      monitorIntervalMs: inherited("monitor-interval", [section, global]) ?? defaults.monitorIntervalMs,
      absentAfterMs: inherited("absent-after", [section, global]) ?? defaults.absentAfterMs,
      checkpointIntervalMs: inherited("checkpoint-interval", [section, global]) ?? defaults.checkpointIntervalMs,
      minCheckpointPages: inherited("min-checkpoint-page-count", [section, global]) ?? defaults.minCheckpointPages,
      maxCheckpointPages: maxPages === 0 ? Number.MAX_SAFE_INTEGER : maxPages,
      lockBudgetMs: inherited("lock-budget", [section, global]) ?? defaults.lockBudgetMs,
      maxWalSizeBytes: inherited("max-wal-size", [section, global]) ?? defaults.maxWalSizeBytes,
      maxStateSizeBytes: inherited("max-state-size", [section, global]) ?? defaults.maxStateSizeBytes,
      scrubIntervalMs: inherited("scrub-interval", [section, global]) ?? defaults.scrubIntervalMs,
      enableWal: inherited("enable-wal", [section, global]) ?? defaults.enableWal,
      verify,
      replicas: replicas.map(({ replica }) => replica),
    };
    this.#places.set(database, this.#document.place(section.child("path")));
    return database;
  }

  /** Key by key, the database's own before that of the top level. */
  #verify(database: Section, global: Section, replicas: readonly ReadReplica[]): VerifyConfig {
    const sections = [database, global].flatMap((level) => {
      const node = level.child("verify");
      const section = node === undefined ? undefined : this.#document.attempt(() => this.#section(node, "verify"));
      return section === undefined ? [] : [section];
    });
    const schedule = inherited("schedule", sections);
    const level = inherited("level", sections);
    const sample = inherited("sample", sections);
    const maxAgeMs = inherited("max-age", sections);
    const provenWithinMs = inherited("proven-within", sections);
    const pingUrl = inherited("ping-url", sections);
    const intervalMs = this.#validationInterval(database, global, replicas, schedule !== undefined);
    const own = sections.find((section) => section.child("checks") !== undefined);
    return {
      ...(schedule === undefined ? {} : { schedule }),
      ...(intervalMs === undefined ? {} : { intervalMs }),
      ...(level === undefined ? {} : { level: rungNamed(level) }),
      ...(sample === undefined ? {} : { sample }),
      ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
      ...(provenWithinMs === undefined ? {} : { provenWithinMs }),
      ...(pingUrl === undefined ? {} : { pingUrl }),
      checks: own === undefined ? [] : this.#checks(own),
    };
  }

  /** The shortest of all replicas: what verifies one of them verifies them all. */
  #validationInterval(
    database: Section,
    global: Section,
    replicas: readonly ReadReplica[],
    hasSchedule: boolean,
  ): number | undefined {
    const sections = replicas.map(({ section }) => [section, database, global]);
    const intervals = sections.flatMap((levels) => inherited("validation-interval", levels) || []);
    if (intervals.length > 0 && hasSchedule) {
      const written = [...replicas.map(({ section }) => section), database, global]
        .find((level) => (level.get("validation-interval") ?? 0) > 0);
      this.#document.report(
        written?.child("validation-interval"),
        '"validation-interval" beside "schedule" of "verify": both say when to verify (write one of them)',
      );
    }
    return intervals.length === 0 ? undefined : Math.min(...intervals);
  }

  #checks(verify: Section): Check[] {
    const checks: Check[] = [];
    for (const node of this.#items(verify, "checks") ?? []) {
      const check = this.#document.attempt(() => this.#check(node));
      if (check === undefined) continue;
      if (checks.some(({ name }) => name === check.name)) {
        this.#document.report(node, `the check name "${check.name}" is used twice (give each a name of its own)`);
      }
      checks.push(check);
    }
    return checks;
  }

  #check(node: ConfigNode): Check | undefined {
    const section = this.#section(node, "check");
    if (section.child("name") === undefined || section.child("query") === undefined) {
      throw this.#document.problem(node, 'a check needs a "name" and a "query"');
    }
    const [name, query] = [section.get("name"), section.get("query")];
    if (name === undefined || query === undefined) return undefined;
    const [equals, min, max] = [section.get("equals"), section.get("min"), section.get("max")];
    const maxChange = section.get("max-change");
    if (["equals", "min", "max", "max-change"].every((bound) => section.child(bound) === undefined)) {
      throw this.#document.problem(
        node,
        `the check "${name}" expects nothing (write "equals", "min", "max" or "max-change")`,
      );
    }
    if (equals !== undefined && [min, max, maxChange].some((bound) => bound !== undefined)) {
      throw this.#document.problem(node, `the check "${name}" has "equals" beside a range (write one of them)`);
    }
    return {
      name,
      query,
      ...(equals === undefined ? {} : { equals }),
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
      ...(maxChange === undefined ? {} : { maxChange }),
    };
  }

  #replicas(database: Section, global: Section): ReadReplica[] {
    const document = this.#document;
    const shown = database.get("path") ?? "";
    const listed = this.#items(database, "replicas");
    const single = database.child("replica");
    if (single !== undefined && database.child("replicas") !== undefined) {
      document.report(single, 'a database has both "replica" and "replicas" (write one of them)');
    }
    const nodes = [...(listed ?? []), ...(single === undefined ? [] : [single])];
    const isEmpty = database.child("replicas") !== undefined || database.lacks("replicas", "replica");
    if (nodes.length === 0 && listed !== undefined && isEmpty) {
      const place = database.child("replicas") ?? database.node;
      document.report(place, `the database ${shown} has no replica (list at least one under "replicas")`);
    }
    const names = new Set<string>();
    return nodes.flatMap((node) => {
      const read = document.attempt(() => this.#replica(this.#section(node, "replica"), database, global));
      if (read === undefined) return [];
      const { name } = read.replica;
      if (names.has(name)) {
        const problem = `the replica name "${name}" is used twice for ${shown} ` +
          '(give each of its replicas a "name" of its own)';
        document.report(read.section.child("name") ?? node, problem);
      }
      names.add(name);
      return [read];
    });
  }

  /** Undefined when it cannot be said where it is. */
  #replica(section: Section, database: Section, global: Section): ReadReplica | undefined {
    const path = this.#replicaPath(section);
    const name = section.get("name") ?? FILE_REPLICA;
    if (/\p{Cc}/u.test(name)) {
      this.#document.report(section.child("name"), "a replica's name must not hold control characters");
    }
    const sections = [section, database, global];
    const snapshots = this.#snapshots(section, database, global);
    const retentionMs = snapshots.retentionMs ?? replicaDefaults.retentionMs;
    const checkMs = inherited("retention-check-interval", sections) ?? replicaDefaults.retentionCheckIntervalMs;
    const age = this.#age(section);
    const layout = this.#layout(section);
    if (path === undefined) return undefined;
    const replica: ReplicaConfig = {
      type: FILE_REPLICA,
      name,
      path,
      url: formatReplicaUrl(path),
      syncIntervalMs: inherited("sync-interval", sections) ?? replicaDefaults.syncIntervalMs,
      ...layout,
      retentionMs,
      checkIntervalMs: inherited("replica-check-interval", sections) ?? replicaDefaults.checkIntervalMs,
      retentionCheckIntervalMs: retentionMs === 0 ? checkMs : Math.min(checkMs, retentionMs),
      snapshotIntervalMs: snapshots.intervalMs ?? replicaDefaults.snapshotIntervalMs,
      ...(age === undefined ? {} : { age }),
    };
    this.#places.set(replica, this.#document.place(section.child("path") ?? section.child("url")));
    return { replica, section };
  }

  #replicaPath(section: Section): string | undefined {
    const [path, url] = [section.child("path"), section.child("url")];
    if (path !== undefined && url !== undefined) {
      this.#document.report(url, 'a replica has both "path" and "url" (write one of them)');
    }
    if (section.lacks("path", "url")) {
      this.#document.report(section.node, 'a replica needs a "path" or a "url"');
    }
    return section.get("path") ?? section.get("url");
  }

  /** Written by our names or by those of Litestream 0.5, on each level by one of them. */
  #snapshots(replica: Section, ...levels: readonly Section[]) {
    const of = (level: Section) => ({ ms: level.get("retention"), intervalMs: level.get("snapshot-interval") });
    const written = [of(replica)];
    for (const level of levels) {
      const node = level.child("snapshot");
      const inner = node === undefined ? undefined : this.#document.attempt(() => this.#section(node, "snapshot"));
      for (const [name, ours] of [["retention", "retention"], ["interval", "snapshot-interval"]] as const) {
        if (inner?.child(name) === undefined || level.child(ours) === undefined) continue;
        const problem = `"${name}" of "snapshot" is "${ours}", which is there as well (write one of them)`;
        this.#document.report(inner.child(name), problem);
      }
      written.push(of(level), { ms: inner?.get("retention"), intervalMs: inner?.get("interval") });
    }
    return {
      retentionMs: written.find(({ ms }) => ms !== undefined)?.ms,
      intervalMs: written.find(({ intervalMs }) => intervalMs !== undefined)?.intervalMs,
    };
  }

  #layout(section: Section): Pick<ReplicaConfig, "layout" | "defaultLayout"> {
    const written = section.get("layout") as Layout | undefined;
    const choice = chooseLayout({
      held: undefined,
      written,
      fromLitestreamConfig: this.#surroundings.fromLitestreamConfig ?? false,
      hasAge: section.child("age") !== undefined,
    });
    if (choice.kind === "layout") return { layout: written, defaultLayout: choice.layout };
    this.#document.report(section.child("layout"), choice.problem);
    return { layout: written, defaultLayout: "raw" };
  }

  #age(replica: Section): AgeConfig | undefined {
    const node = replica.child("age");
    if (node === undefined) return undefined;
    const section = this.#document.attempt(() => this.#section(node, "age"));
    if (section === undefined) return undefined;
    const age = { identities: section.get("identities") ?? [], recipients: section.get("recipients") ?? [] };
    this.#places.set(age, this.#document.place(node));
    return age;
  }
}

interface ReadReplica {
  readonly replica: ReplicaConfig;
  readonly section: Section;
}

/** The value of the first section that has the key: replica before database before global. */
function inherited<K extends ValueKey>(key: K, sections: readonly Section[]): ValueOf<K> | undefined {
  for (const section of sections) {
    const value = section.get(key);
    if (value !== undefined) return value;
  }
  return undefined;
}
