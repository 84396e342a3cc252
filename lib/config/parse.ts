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

type Part = DatabaseConfig | ReplicaConfig | AgeConfig;

export interface ParseSurroundings extends Surroundings {
  /** Whether the config was made for Litestream: its replicas are then likely to be shared with it. */
  readonly fromLitestreamConfig?: boolean;
}

/** Reads a config's text. Throws `ReplicationError` "config-invalid" with file, line and column, and nothing else. */
export function parseConfig(text: string, source: string, surroundings: ParseSurroundings): ParsedConfig {
  return new ConfigParser(text, source, surroundings).parse();
}

class ConfigParser {
  readonly #document: ConfigDocument;
  readonly #source: string;
  readonly #surroundings: ParseSurroundings;
  readonly #places = new Map<Part, string>();

  constructor(text: string, source: string, surroundings: ParseSurroundings) {
    this.#document = new ConfigDocument(text, source);
    this.#source = source;
    this.#surroundings = surroundings;
  }

  parse(): ParsedConfig {
    const document = this.#document;
    if (document.isEmpty) throw document.problem(undefined, 'it is empty (list the databases under "dbs")');
    const global = this.#section(document.root, "global");
    const databases = this.#items(global, "dbs").map((node) => this.#database(node, global));
    if (databases.length === 0) {
      throw document.problem(global.child("dbs"), 'it names no database (list them under "dbs")');
    }
    const exec = global.get("exec");
    const library = global.get("sqlite-library");
    const address = global.get("addr") ?? "off";
    const config: Config = {
      databases,
      logging: this.#logging(global),
      source: this.#source,
      ...(exec === undefined ? {} : { exec }),
      ...(address === "off" ? {} : { monitoring: address }),
      ...(library === undefined ? {} : { sqliteLibrary: library }),
    };
    return { config, placeOf: (part) => this.#places.get(part) ?? this.#source };
  }

  #section(node: ConfigNode, level: ConfigLevel): Section {
    return new Section(this.#document, node, level, this.#surroundings);
  }

  #items(section: Section, key: string): ConfigNode[] {
    return this.#document.items(section.child(key)) ?? [];
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

  #database(node: ConfigNode, global: Section): DatabaseConfig {
    const section = this.#section(node, "database");
    const path = section.get("path");
    if (path === undefined) throw this.#document.problem(node, 'a database needs a "path"');
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
      verify: this.#verify([section, global]),
      replicas: this.#replicas(section, path, global),
    };
    this.#places.set(database, this.#document.place(section.child("path")));
    return database;
  }

  /** Key by key, the database's own before that of the top level. */
  #verify(levels: readonly Section[]): VerifyConfig {
    const sections = levels.flatMap((level) => {
      const node = level.child("verify");
      return node === undefined ? [] : [this.#section(node, "verify")];
    });
    const schedule = inherited("schedule", sections);
    const level = inherited("level", sections);
    const sample = inherited("sample", sections);
    const maxAgeMs = inherited("max-age", sections);
    const provenWithinMs = inherited("proven-within", sections);
    const pingUrl = inherited("ping-url", sections);
    const own = sections.find((section) => section.child("checks") !== undefined);
    return {
      ...(schedule === undefined ? {} : { schedule }),
      ...(level === undefined ? {} : { level: rungNamed(level) }),
      ...(sample === undefined ? {} : { sample }),
      ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
      ...(provenWithinMs === undefined ? {} : { provenWithinMs }),
      ...(pingUrl === undefined ? {} : { pingUrl }),
      checks: own === undefined ? [] : this.#checks(own),
    };
  }

  #checks(verify: Section): Check[] {
    const checks: Check[] = [];
    for (const node of this.#items(verify, "checks")) {
      const check = this.#check(node);
      if (checks.some(({ name }) => name === check.name)) {
        throw this.#document.problem(
          node,
          `the check name "${check.name}" is used twice (give each a name of its own)`,
        );
      }
      checks.push(check);
    }
    return checks;
  }

  #check(node: ConfigNode): Check {
    const section = this.#section(node, "check");
    const [name, query] = [section.get("name"), section.get("query")];
    if (name === undefined || query === undefined) {
      throw this.#document.problem(node, 'a check needs a "name" and a "query"');
    }
    const [equals, min, max] = [section.get("equals"), section.get("min"), section.get("max")];
    const maxChange = section.get("max-change");
    if ([equals, min, max, maxChange].every((bound) => bound === undefined)) {
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

  #replicas(database: Section, databasePath: string, global: Section): ReplicaConfig[] {
    const replicas: ReplicaConfig[] = [];
    for (const node of this.#items(database, "replicas")) {
      const section = this.#section(node, "replica");
      const replica = this.#replica(section, database, global);
      if (replicas.some(({ name }) => name === replica.name)) {
        const problem = `the replica name "${replica.name}" is used twice for ${databasePath} ` +
          '(give each of its replicas a "name" of its own)';
        throw this.#document.problem(section.child("name") ?? node, problem);
      }
      replicas.push(replica);
    }
    if (replicas.length === 0) {
      const problem = `the database ${databasePath} has no replica (list at least one under "replicas")`;
      throw this.#document.problem(database.child("replicas") ?? database.node, problem);
    }
    return replicas;
  }

  #replica(section: Section, database: Section, global: Section): ReplicaConfig {
    const path = this.#replicaPath(section);
    const name = section.get("name") ?? FILE_REPLICA;
    if (/\p{Cc}/u.test(name)) {
      throw this.#document.problem(section.child("name"), "a replica's name must not hold control characters");
    }
    const sections = [section, database, global];
    const retentionMs = inherited("retention", sections) ?? replicaDefaults.retentionMs;
    const checkMs = inherited("retention-check-interval", sections) ?? replicaDefaults.retentionCheckIntervalMs;
    const age = this.#age(section);
    const replica: ReplicaConfig = {
      type: FILE_REPLICA,
      name,
      path,
      url: formatReplicaUrl(path),
      syncIntervalMs: inherited("sync-interval", sections) ?? replicaDefaults.syncIntervalMs,
      ...this.#layout(section),
      retentionMs,
      retentionCheckIntervalMs: retentionMs === 0 ? checkMs : Math.min(checkMs, retentionMs),
      snapshotIntervalMs: inherited("snapshot-interval", sections) ?? replicaDefaults.snapshotIntervalMs,
      ...(age === undefined ? {} : { age }),
    };
    this.#places.set(replica, this.#document.place(section.child("path") ?? section.child("url")));
    return replica;
  }

  #replicaPath(section: Section): string {
    const path = section.get("path");
    const url = section.get("url");
    if (path !== undefined && url !== undefined) {
      throw this.#document.problem(section.child("url"), 'a replica has both "path" and "url" (write one of them)');
    }
    const folder = path ?? url;
    if (folder !== undefined) return folder;
    throw this.#document.problem(section.node, 'a replica needs a "path" or a "url"');
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
    throw this.#document.problem(section.child("layout"), choice.problem);
  }

  #age(replica: Section): AgeConfig | undefined {
    const node = replica.child("age");
    if (node === undefined) return undefined;
    const section = this.#section(node, "age");
    const age = { identities: section.get("identities") ?? [], recipients: section.get("recipients") ?? [] };
    this.#places.set(age, this.#document.place(node));
    return age;
  }
}

/** The value of the first section that has the key: replica before database before global. */
function inherited<K extends ValueKey>(key: K, sections: readonly Section[]): ValueOf<K> | undefined {
  for (const section of sections) {
    const value = section.get(key);
    if (value !== undefined) return value;
  }
  return undefined;
}
