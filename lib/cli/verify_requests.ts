/** What `verify` is asked for: which replicas, and of each how far and by which means. */
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Secret } from "../base/secret.ts";
import type { DatabaseConfig, ReplicaConfig, VerifyConfig } from "../config/config.ts";
import { parseDuration } from "../config/duration.ts";
import { parseSize } from "../config/size.ts";
import { liveDatabase } from "../daemon/live_database.ts";
import { openReplicaOf } from "../daemon/open_replica.ts";
import { sourceLook } from "../daemon/source_look.ts";
import { statePathOf } from "../daemon/status.ts";
import type { Platform } from "../platform/platform.ts";
import { RateLimit, withRateLimit } from "../platform/limited_files.ts";
import type { SqliteDriver } from "../sqlite/driver.ts";
import { pointsToTryAgain, type ProofMemory, recallProof } from "../verify/proof_memory.ts";
import { type Rung, rungNamed, RUNGS } from "../verify/report.ts";
import { parseSlice } from "../verify/slice.ts";
import type { LadderOptions, ReplicaRequest } from "../verify/verify.ts";
import { chooseReplicas, noSuchReplica } from "./chosen_replicas.ts";
import type { CommandContext } from "./command.ts";
import { loadConfigFor } from "./load_config.ts";
import { targetFrom } from "./restore_target.ts";
import { idleUpTo } from "./verify_command.ts";

export interface VerifyRequest extends ReplicaRequest {
  readonly pingUrl?: Secret;
  readonly options: LadderOptions;
  /** Where what is found is remembered: the database's state, and the replica's place in it. */
  readonly state?: { readonly path: string; readonly place: string };
}

/** More than a verification ever has under way. */
const READS_AHEAD_MAX = 64;

interface RequestTools {
  readonly seed: number;
  /** By which replicas are read. */
  readonly platform: Pick<Platform, "files" | "clock">;
  readonly patienceMs: number;
  readonly until: AbortSignal;
  /** Only where a live database is compared with. */
  readonly driver?: SqliteDriver;
}

async function requestTools(context: CommandContext, seed: number, until: AbortSignal): Promise<RequestTools> {
  const rate = parseSize(context.arguments.text("limit-rate") ?? "");
  const { files, clock } = context.platform;
  const platform = rate === undefined ? context.platform : {
    clock,
    files: withRateLimit(files, new RateLimit(clock, rate)),
  };
  // A call that waits for its turn under the limit is not one that the device leaves without an answer.
  const waitMs = rate === undefined ? 0 : READS_AHEAD_MAX * limits.restoreChunkBytes / rate * 1_000;
  const tools = { seed, platform, patienceMs: limits.deviceAnswerMaxMs + waitMs, until };
  if (!context.arguments.isOn("against-live")) return tools;
  const { sqliteLibrary } = await loadConfigFor(context);
  const { selectDriver } = await import("../sqlite/select_driver.ts");
  return { ...tools, driver: await selectDriver(sqliteLibrary) };
}

/** Of the database or URL that was named; without one, every replica of the config. `until`: while replicas are waited for. */
export async function requestsFrom(
  context: CommandContext,
  seed: number,
  until: AbortSignal,
): Promise<VerifyRequest[]> {
  const requests = await chosenRequests(context, seed, until);
  const highest = highestOf(requests.map(({ options }) => options.level));
  const idle = idleUpTo(context.arguments, highest);
  if (idle !== undefined) {
    const [flag, rung] = idle;
    throw new ReplicationError(
      "usage",
      `Cannot use --${flag}: the config goes no further than ${highest}, and it does nothing below ${rung} (add --level full)`,
    );
  }
  const isSampled = requests.some(({ options: { sample } }) => sample > 0);
  if (isSampled || context.arguments.text("seed") === undefined) return requests;
  throw new ReplicationError("usage", "Cannot use --seed: no past points are chosen (it should stand beside --sample)");
}

async function chosenRequests(context: CommandContext, seed: number, until: AbortSignal): Promise<VerifyRequest[]> {
  const tools = await requestTools(context, seed, until);
  if (context.arguments.positionals.length > 0) {
    const { database, replicas } = await chooseReplicas(context);
    if (database === undefined && context.arguments.isOn("against-live")) {
      throw new ReplicationError(
        "usage",
        "Cannot use --against-live with a replica: it needs a database of the config",
      );
    }
    return replicas.map((replica) => requestOf(context, tools, replica, database));
  }
  const config = await loadConfigFor(context);
  const name = context.arguments.text("replica");
  const requests = config.databases.flatMap((database) =>
    database.replicas.filter((replica) => name === undefined || replica.name === name)
      .map((replica) => requestOf(context, tools, replica, database))
  );
  if (requests.length > 0) return requests;
  if (name !== undefined && config.databases.length > 0) throw noSuchReplica(name, config.databases);
  throw new ReplicationError("config-invalid", `Cannot verify: ${config.source} names no database (expected dbs)`);
}

function requestOf(
  context: CommandContext,
  tools: RequestTools,
  replica: ReplicaConfig,
  database?: DatabaseConfig,
): VerifyRequest {
  const { files } = context.platform;
  const { patienceMs, until } = tools;
  const request = {
    replica: { name: replica.name, store: openReplicaOf(tools.platform, replica, database, { patienceMs, until }) },
    url: replica.url,
  };
  if (database === undefined) return { ...request, options: optionsFrom(context, tools.seed) };
  const { driver } = tools;
  const { store } = request.replica;
  const state = { path: statePathOf(files, database), place: replica.path };
  const memory = recallProof(files, state.path, state.place);
  const before = memory?.inside;
  return {
    ...request,
    options: optionsFrom(context, tools.seed, database.verify, memory),
    database: database.path,
    source: sourceLook(context.platform, database, replica),
    checks: database.verify.checks,
    ...(database.verify.pingUrl === undefined ? {} : { pingUrl: database.verify.pingUrl }),
    ...(driver === undefined ? {} : { live: liveDatabase(context.platform, driver, database, store) }),
    ...(before === undefined ? {} : { before }),
    state,
  };
}

/** What the command line says, else the database's config, else the default. */
function optionsFrom(
  context: CommandContext,
  seed: number,
  config: Partial<VerifyConfig> = {},
  memory?: ProofMemory,
): LadderOptions {
  const { arguments: arguments_, platform: { clock } } = context;
  const level = arguments_.text("level");
  const maxAgeMs = parseDuration(arguments_.text("max-age") ?? "") ?? config.maxAgeMs;
  const slice = parseSlice(arguments_.text("slice") ?? "");
  return {
    level: level === undefined ? config.level ?? rungNamed("full") : rungNamed(level),
    isLevelExplicit: level !== undefined,
    target: targetFrom(arguments_, clock.now().getTime()),
    sample: arguments_.integer("sample") ?? config.sample ?? 0,
    seed,
    isSeedChosen: arguments_.text("seed") !== undefined,
    again: pointsToTryAgain(memory),
    ...(slice === undefined ? {} : { slice }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
  };
}

export function seedFrom({ arguments: arguments_, platform: { random } }: CommandContext): number {
  const [a = 0, b = 0, c = 0] = random.bytes(3);
  return arguments_.integer("seed") ?? (a << 16 | b << 8 | c);
}

export function highestOf(levels: readonly Rung[]): Rung {
  return RUNGS.findLast((rung) => levels.includes(rung)) ?? rungNamed("full");
}
