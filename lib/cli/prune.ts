import { exitCodeOf, ReplicationError, worstExitCode } from "../base/errors.ts";
import { operands, ownCommandLine } from "../base/command_line.ts";
import type { DatabaseConfig, ReplicaConfig } from "../config/config.ts";
import { parseDuration } from "../config/duration.ts";
import { openReplicaOf } from "../daemon/open_replica.ts";
import { readGenerationRecord, realStatePath } from "../database/state_folder.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Generation } from "../position/generation.ts";
import { applyRetention, type DeletionOutcome, lookAtRetention } from "../replica/retention.ts";
import type { RetentionPolicy } from "../replica/retention_plan.ts";
import { complain } from "./advice.ts";
import { chooseReplicas } from "./chosen_replicas.ts";
import type { CommandContext } from "./command.ts";
import { withSignals } from "./interruption.ts";
import { writeJson, writeLine } from "./output.ts";
import { pruneDocument, type PrunedReplica, pruneNotes, pruneTable, summaryLine } from "./prune_report.ts";
import { printable } from "./table.ts";

const SCHEMA_VERSION = 1;

export function run(context: CommandContext): Promise<number> {
  return withSignals(context, (signal) => prune(context, signal));
}

async function prune(context: CommandContext, signal: AbortSignal): Promise<number> {
  const { database, replicas } = await chooseReplicas(context);
  // Looked up anew each time: a daemon may begin another one meanwhile.
  const own = () => database === undefined ? undefined : ownGeneration(context.platform.files, database);
  const isDryRun = context.arguments.isOn("dry-run");
  const pruned: PrunedReplica[] = [];
  const errors: ReplicationError[] = [];
  for (const replica of replicas) { // One that cannot be reached does not keep the others from being pruned.
    if (signal.aborted) break;
    try {
      const planned = await plan(context, replica, database, own());
      pruned.push(planned);
      if (!isDryRun) await apply(context, planned, database, own, signal);
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      errors.push(error);
    }
  }
  report(context, pruned, isDryRun);
  complain(context, errors);
  const isUnfinished = pruned.some(({ plan, outcomes }) => outcomes.length < plan.deletions.length);
  if (signal.aborted && (isUnfinished || pruned.length + errors.length < replicas.length)) throw interrupted(context);
  if (errors.length === 0 && pruned.every(({ isEmpty }) => isEmpty)) {
    const where = replicas.map(({ url }) => url).join(", ");
    throw new ReplicationError("not-found", `Cannot prune ${where}: there is no backup`);
  }
  return worstExitCode(errors.map(exitCodeOf));
}

async function plan(
  context: CommandContext,
  replica: ReplicaConfig,
  database: DatabaseConfig | undefined,
  own: Generation | undefined,
): Promise<PrunedReplica> {
  const policy = policyFor(context, replica);
  const store = openReplicaOf(context.platform, replica, database);
  const nowMs = () => context.platform.clock.now().getTime();
  const made = await lookAtRetention({ store, policy, nowMs, own: () => own });
  return { replica, policy, own, plan: made, outcomes: [], isEmpty: (await store.generations()).length === 0 };
}

async function apply(
  context: CommandContext,
  pruned: PrunedReplica,
  database: DatabaseConfig | undefined,
  own: () => Generation | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { replica, policy, outcomes } = pruned;
  await applyRetention(pruned.plan, {
    store: openReplicaOf(context.platform, replica, database),
    policy,
    nowMs: () => context.platform.clock.now().getTime(),
    own,
    signal,
    note: (outcome: DeletionOutcome) => void outcomes.push(outcome),
  });
}

function policyFor(context: CommandContext, replica: ReplicaConfig): RetentionPolicy {
  const typed = parseDuration(context.arguments.text("retention") ?? "");
  return { retentionMs: typed ?? replica.retentionMs };
}

/** What the state folder says, whether or not a daemon runs; no lock is taken. */
function ownGeneration(files: FileSystem, { path, statePath }: DatabaseConfig): Generation | undefined {
  const real = files.status(path) === undefined ? path : files.realPath(path);
  return readGenerationRecord(files, realStatePath(statePath, path, real))?.generation;
}

function report(context: CommandContext, pruned: readonly PrunedReplica[], isDryRun: boolean): void {
  if (context.arguments.isOn("json")) {
    writeJson(context.stdout, SCHEMA_VERSION, pruneDocument(pruned, isDryRun));
  } else {
    context.stdout.write(pruneTable(pruned, isDryRun));
  }
  for (const one of pruned) {
    for (const note of pruneNotes(one)) say(context, `Note: ${note}`);
    say(context, summaryLine(one, isDryRun));
  }
}

function interrupted({ arguments: arguments_ }: CommandContext): ReplicationError {
  return new ReplicationError("cancelled", "Cannot prune to the end: it was interrupted (what is left is whole)", {
    advice: ownCommandLine([arguments_.command, ...arguments_.typed(), ...operands(arguments_.positionals)]),
  });
}

function say(context: CommandContext, sentence: string): void {
  writeLine(context.stderr, printable(sentence));
}
