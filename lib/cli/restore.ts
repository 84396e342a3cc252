import { ExitCode, ReplicationError } from "../base/errors.ts";
import { resolve } from "../base/path.ts";
import { Progress } from "../base/progress.ts";
import { openPageWriter } from "../platform/page_writer.ts";
import { whoHasOpen } from "../platform/open_files.ts";
import { decisiveError, findChoices, type RestoreReplica } from "../restore/choose.ts";
import type { Draft } from "../restore/draft.ts";
import { isNoDatabase } from "../restore/output.ts";
import {
  judgeOutput,
  restore,
  type RestoreRequest,
  type RestoreResult,
  type RestoreTools,
} from "../restore/restore.ts";
import { withRestoreAdvice } from "./advice.ts";
import { chooseReplicas } from "./chosen_replicas.ts";
import type { CommandContext } from "./command.ts";
import { PARALLELISM_MAX } from "./commands.ts";
import { withSignals } from "./interruption.ts";
import { mayDecorate, writeJson, writeLine } from "./output.ts";
import { showProgress } from "./progress_bar.ts";
import { openReplicaOf } from "../daemon/open_replica.ts";
import { planDocument, planLines, resultDocument, resultLine } from "./restore_report.ts";
import { targetFrom } from "./restore_target.ts";
import { printable } from "./table.ts";

const SCHEMA_VERSION = 1;

export async function run(context: CommandContext): Promise<number> {
  const { arguments: arguments_, platform: { files } } = context;
  const stopped = new AbortController();
  const { request, isOfDatabase } = await requestFrom(context, stopped.signal);
  const isUnwanted = () =>
    arguments_.isOn("if-db-not-exists") && !isNoDatabase(files.status(request.output)) &&
    files.status(request.output)?.kind === "file";
  const skipThere = () => skip(context, "database-exists", `${request.output} exists already; nothing is restored`);
  if (isUnwanted()) return skipThere();
  try {
    return arguments_.isOn("dry-run") ? await showPlan(context, request) : await restoreNow(context, request, stopped);
  } catch (error) {
    if (isInTheWay(error) && isUnwanted()) return skipThere(); // Another process was faster.
    const isNothing = arguments_.isOn("if-replica-exists") && isNothingThere(error);
    if (!isNothing || !await areAllEmpty(request.replicas)) throw withRestoreAdvice(error, context, isOfDatabase);
    return skip(context, "no-backup", `There is no backup of ${request.output} yet; nothing is restored`);
  }
}

interface Asked {
  readonly request: RestoreRequest;
  /** And not of a place that was named. */
  readonly isOfDatabase: boolean;
}

async function requestFrom(context: CommandContext, until: AbortSignal): Promise<Asked> {
  const { arguments: arguments_, platform } = context;
  const target = targetFrom(arguments_, platform.clock.now().getTime());
  const { database, replicas } = await chooseReplicas(context);
  const readsAtOnce = boundedReads(arguments_.integer("parallelism"));
  const typed = arguments_.text("output");
  const output = typed === undefined ? database?.path : resolve(context.currentFolder(), typed);
  if (output === undefined) throw new ReplicationError("usage", "Cannot restore: nothing says where to (add -o FILE)");
  const otherwise = arguments_.isOn("if-replica-exists") ? "nothing" : "folder";
  const request = {
    replicas: replicas.map((replica) => ({
      name: replica.name,
      store: openReplicaOf(platform, replica, database, { readsAtOnce, otherwise, until }),
    })),
    target,
    output,
    force: arguments_.isOn("force"),
  };
  return { request, isOfDatabase: database !== undefined };
}

/** Refused because of what stands at the path. */
function isInTheWay(error: unknown): boolean {
  return error instanceof ReplicationError && (error.code === "failed" || error.code === "busy");
}

/** What is too much or too little is taken for the nearest that is not, as Litestream does with the latter. */
function boundedReads(asked: number | undefined): number | undefined {
  return asked === undefined ? undefined : Math.min(Math.max(asked, 1), PARALLELISM_MAX);
}

async function showPlan(context: CommandContext, request: RestoreRequest): Promise<number> {
  const { candidates, unfit } = await findChoices(request.replicas, request.target);
  const [best] = candidates;
  if (best === undefined) throw decisiveError(unfit) ?? new ReplicationError("not-found", "Cannot restore: no replica");
  for (const { replica, error } of unfit) note(context, `replica ${replica.name} cannot serve: ${error.message}`);
  for (const notice of best.plan.notices) note(context, notice);
  const output = judgeOutput(request, { ...context.platform, whoHasOpen });
  if (output.kind === "refuse") note(context, `nothing would be restored now: ${output.error.message}`);
  else if (output.keepAside) note(context, `what is at ${request.output} would be kept under another name`);
  if (context.arguments.isOn("json")) {
    const would = {
      refused: output.kind === "refuse" ? output.error.message : null,
      keeps: output.kind === "write" && output.keepAside,
    };
    writeJson(context.stdout, SCHEMA_VERSION, { restored: false, ...planDocument(best, request.output), ...would });
  } else {
    const nowMs = context.platform.clock.now().getTime();
    for (const line of planLines(best, request.output, nowMs)) writeLine(context.stdout, printable(line));
  }
  return ExitCode.done;
}

async function restoreNow(context: CommandContext, request: RestoreRequest, stopped: AbortController): Promise<number> {
  const drafts: Pick<Draft, "remove">[] = [];
  const ended = await withSignals(
    context,
    (signal) => {
      signal.addEventListener("abort", () => stopped.abort());
      return restoreWatched(context, request, signal, (draft) => void drafts.push(draft));
    },
    () => drafts.forEach((draft) => draft.remove()),
  );
  if (typeof ended === "number") return ended;
  if (context.arguments.isOn("json")) writeJson(context.stdout, SCHEMA_VERSION, resultDocument(ended));
  say(context, resultLine(ended, context.platform.clock.now().getTime()));
  if (ended.keptAs !== undefined) say(context, `What was there before is kept as ${ended.keptAs}`);
  return ExitCode.done;
}

/** With a line that moves, where one may. */
async function restoreWatched(
  context: CommandContext,
  request: RestoreRequest,
  signal: AbortSignal,
  holds: NonNullable<RestoreTools["holds"]>,
): Promise<RestoreResult> {
  const { platform, stderr } = context;
  const progress = new Progress();
  const finished = new AbortController();
  const isShown = mayDecorate(stderr, context.environment);
  const shown = isShown
    ? showProgress("Restoring", progress, { clock: platform.clock, stream: stderr, signal: finished.signal })
    : undefined;
  const notices: string[] = [];
  const notice = (sentence: string) => isShown ? void notices.push(sentence) : note(context, sentence);
  try {
    return await restore(request, { ...platform, whoHasOpen, openPageWriter, progress, signal, notice, holds });
  } finally {
    finished.abort();
    await shown;
    for (const sentence of notices) note(context, sentence);
  }
}

function isNothingThere(error: unknown): boolean {
  return error instanceof ReplicationError && error.code === "not-found";
}

/** A generation that cannot be restored is something; an app must not start with an empty database beside it. */
async function areAllEmpty(replicas: readonly RestoreReplica[]): Promise<boolean> {
  for (const { store } of replicas) if ((await store.generations()).length > 0) return false;
  return true;
}

function skip(context: CommandContext, reason: string, sentence: string): number {
  if (context.arguments.isOn("json")) writeJson(context.stdout, SCHEMA_VERSION, { restored: false, reason });
  say(context, sentence);
  return ExitCode.done;
}

function note(context: CommandContext, sentence: string): void {
  say(context, `Note: ${sentence}`);
}

function say(context: CommandContext, sentence: string): void {
  writeLine(context.stderr, printable(sentence));
}
