import { ExitCode, messageOf, ReplicationError, worstExitCode } from "../base/errors.ts";
import { basename, dirname, resolve } from "../base/path.ts";
import { product } from "../base/product.ts";
import type { WebAddress } from "../base/web_address.ts";
import { Progress } from "../base/progress.ts";
import { parseDuration } from "../config/duration.ts";
import { withTimeLimit } from "../platform/clock.ts";
import { replaceFile } from "../platform/atomic_write.ts";
import { nameKind } from "../platform/file_kind.ts";
import type { FileSystem } from "../platform/file_system.ts";
import { openPageWriter } from "../platform/page_writer.ts";
import { lowerPriority } from "../platform/priority.ts";
import { exitCodeFor } from "../verify/judgement.ts";
import { type NextCommand, type ReplicaReport, type VerifyReport, worstOutcome } from "../verify/report.ts";
import { type KeptRun, keptRunOf, recallProof, rememberProof, standingFailure } from "../verify/proof_memory.ts";
import { takeScratch } from "../verify/scratch.ts";
import { restoredPath, type TrialTools } from "../verify/trial.ts";
import { verifyReplica } from "../verify/verify.ts";
import { mendCommand, replicateCommand, replicaWords, restoreCommand, statusCommand } from "./advice.ts";
import { formatTime } from "./amounts.ts";
import type { CommandContext } from "./command.ts";
import { inspectInChild } from "./inspector.ts";
import { withSignals } from "./interruption.ts";
import { writeJson, writeLine } from "./output.ts";
import { printable } from "./table.ts";
import { junitText } from "./verify_junit.ts";
import { metricsText } from "./verify_metrics.ts";
import { lastWord, ping, pingAddress, type PingOutcome } from "./verify_ping.ts";
import { nagiosCode, nagiosLine } from "./verify_nagios.ts";
import { verifyDocument, verifyLines } from "./verify_report.ts";
import { highestOf, requestsFrom, seedFrom, type VerifyRequest } from "./verify_requests.ts";

const SCHEMA_VERSION = 1;
const SCRATCH_VARIABLE = "TMPDIR";
const DEFAULT_SCRATCH = "/tmp";

export function run(context: CommandContext): Promise<number> {
  return withSignals(context, (signal) => verify(context, signal));
}

async function verify(context: CommandContext, signal: AbortSignal): Promise<number> {
  const { platform: { clock }, arguments: arguments_ } = context;
  const seed = seedFrom(context);
  const reports = reportsOf(context);
  const ended = new AbortController();
  signal.addEventListener("abort", () => ended.abort());
  const requests = await requestsInTime(context, seed, { signal, ended });
  const listeners = listenersOf(context, requests);
  lowerPriority();
  const jitterMs = parseDuration(arguments_.text("jitter") ?? "") ?? 0;
  if (jitterMs > 0) await clock.sleep(jitterMs * fractionOf(context), signal);
  const over = lastWord(clock, signal);
  const tell = (address: WebAddress, outcome: PingOutcome, text: string) => {
    const complain = (problem: string) => writeLine(context.stderr, printable(problem));
    return ping({ ...context.platform, complain, over }, address, outcome, text);
  };
  for (const { address } of listeners) if (!signal.aborted) await tell(address, "/start", "");
  let report: VerifyReport;
  try {
    report = await prove(context, { signal, ended }, requests, seed);
  } catch (error) {
    for (const { address } of listeners) await tell(address, "/fail", messageOf(error));
    throw error;
  }
  const written = await writeReports(context, reports, report);
  const linesOf = (about: VerifyReport) => verifyLines(about, clock.now().getTime(), context.invocation).map(printable);
  for (const { address, slots } of listeners) {
    const replicas = report.replicas.filter((_, slot) => slots.includes(slot));
    const outcome = worstOutcome(replicas.map((replica) => replica.outcome));
    await tell(
      address,
      outcome === "pass" ? "" : "/fail",
      linesOf({ ...report, outcome, replicas }).join("\n"),
    );
  }
  const format = arguments_.text("format");
  if (format === "nagios") {
    writeLine(context.stdout, printable(nagiosLine(report)));
    return nagiosCode(report);
  }
  if (format === "junit") context.stdout.write(junitText(report));
  else if (format === "json") writeJson(context.stdout, SCHEMA_VERSION, verifyDocument(report));
  else if (report.outcome !== "pass" || isTalkative(context)) {
    for (const line of linesOf(report)) writeLine(context.stdout, line);
  }
  return worstExitCode([written, exitCodeFor(report.replicas.flatMap(({ findings }) => findings))]);
}

/** A service that is told, and of which requests. */
interface Listener {
  readonly address: WebAddress;
  readonly slots: readonly number[];
}

/** The one of the command line for all requests, else each database's own. */
function listenersOf(context: CommandContext, requests: readonly VerifyRequest[]): Listener[] {
  const toPath = (path: string) => resolve(context.currentFolder(), path);
  const everything = context.arguments.text("ping");
  const slotsOf = new Map<string, number[]>();
  for (const [slot, { pingUrl }] of requests.entries()) {
    const typed = everything ?? pingUrl?.reveal();
    if (typed !== undefined) slotsOf.set(typed, [...slotsOf.get(typed) ?? [], slot]);
  }
  return [...slotsOf].map(([typed, slots]) => ({
    address: pingAddress(context.platform.files, typed, toPath),
    slots,
  }));
}

interface Ends {
  readonly signal: AbortSignal;
  /** By the signal, or by the limit of `--timeout`. */
  readonly ended: AbortController;
}

/** The config and what it names may stand on a device that hangs: `--timeout` ends the wait for them, too. */
async function requestsInTime(context: CommandContext, seed: number, { signal, ended }: Ends) {
  const timeout = context.arguments.text("timeout");
  const timeoutMs = parseDuration(timeout ?? "");
  const request = () => requestsFrom({ ...context, until: ended.signal }, seed, ended.signal);
  if (timeoutMs === undefined) return await request();
  try {
    return await withTimeLimit(context.platform.clock, timeoutMs, (limit) => {
      limit.addEventListener("abort", () => ended.abort());
      return request();
    });
  } catch (error) {
    if (signal.aborted || !ended.signal.aborted) throw error;
    throw new ReplicationError("unavailable", `${messageOf(error)} (--timeout ${timeout} was over)`, { cause: error });
  }
}

async function prove(
  context: CommandContext,
  { signal, ended }: Ends,
  requests: readonly VerifyRequest[],
  seed: number,
): Promise<VerifyReport> {
  const { clock } = context.platform;
  const startedAtMs = clock.now().getTime();
  const beganMs = clock.monotonicMs();
  const timeoutMs = parseDuration(context.arguments.text("timeout") ?? "");
  const replicas = timeoutMs === undefined
    ? await inScratch(context, signal, undefined, requests)
    : await withTimeLimit(clock, timeoutMs, (limit) => {
      limit.addEventListener("abort", () => ended.abort());
      return inScratch(context, signal, limit, requests);
    });
  return {
    startedAtMs,
    durationMs: clock.monotonicMs() - beganMs,
    level: highestOf(requests.map(({ options }) => options.level)),
    outcome: worstOutcome(replicas.map(({ outcome }) => outcome)),
    ...(requests.some(({ options }) => options.sample > 0) ? { seed } : {}),
    replicas,
  };
}

/** Cron mails what is written: of what is proven it need not hear. */
function isTalkative({ arguments: arguments_, stdout }: CommandContext): boolean {
  return !arguments_.isOn("quiet") && stdout.isTerminal;
}

async function inScratch(
  context: CommandContext,
  interruption: AbortSignal,
  deadline: AbortSignal | undefined,
  requests: readonly VerifyRequest[],
): Promise<ReplicaReport[]> {
  const signal = deadline === undefined ? interruption : AbortSignal.any([interruption, deadline]);
  const { platform, arguments: arguments_, userId } = context;
  const keep = arguments_.isOn("keep");
  const home = { parent: resolve(context.currentFolder(), scratchParent(context)), userId };
  const scratch = takeScratch(platform, home, requests.map(({ url }) => url).join("\n"));
  const tools: TrialTools = {
    ...platform,
    whoHasOpen: () => [], // The folder is ours alone.
    openPageWriter,
    progress: new Progress(),
    signal,
    notice: () => undefined, // What a plan passes over stands in the report.
    folder: scratch.folder,
    keep,
    inspect: (order, signal) => inspectInChild(context, order, signal),
    ...(deadline === undefined ? {} : { deadline }),
  };
  try {
    const reports: ReplicaReport[] = [];
    for (const request of requests) {
      const atMs = platform.clock.now().getTime();
      const known = failuresKnown(platform.files, request);
      const report = withCommands(context, await verifyReplica(request, request.options, tools));
      await remember(context, request, keptRunOf(report, atMs), known);
      reports.push(withStandingFailure(context, request, report));
    }
    const isKept = keep && platform.files.status(restoredPath(scratch.folder)) !== undefined;
    if (isKept && (!arguments_.isOn("quiet") || reports.some(({ outcome }) => outcome !== "pass"))) {
      writeLine(context.stderr, `What was restored last is kept in ${scratch.folder}, until the next run`);
    }
    return reports;
  } finally {
    scratch.release(keep);
  }
}

/** A variable that is set to nothing names no folder. */
function scratchParent({ arguments: arguments_, environment, stderr }: CommandContext): string {
  const typed = arguments_.text("scratch");
  if (typed !== undefined) return typed;
  const { text = "", removed } = environment(SCRATCH_VARIABLE) ?? {};
  if (removed !== undefined) {
    writeLine(stderr, `Warning: the environment variable ${SCRATCH_VARIABLE} is taken without ${removed}`);
  }
  return text === "" ? DEFAULT_SCRATCH : text;
}

/** Of a replica whose database is not known here. */
const ASK_THERE = `ask on the machine of the database why nothing newer came (${product.name} status)`;

/** What was found, with the command that helps where there is one. */
function withCommands(context: CommandContext, report: ReplicaReport): ReplicaReport {
  const isNamed = report.database === undefined || context.arguments.text("replica") !== undefined;
  const words = [...(isNamed ? [] : ["--replica", report.replica]), ...replicaWords(context, report.database)];
  const output = `${basename(report.database ?? "restored.db")}.restored`;
  const commandOf = (next: NextCommand | undefined): string | undefined => {
    switch (next?.kind) {
      case "restore":
        return restoreCommand(next.position, ["--output", output, ...words]);
      case "snapshot":
        return mendCommand(words, report.database !== undefined);
      case "replicate":
        return replicateCommand(context);
      case "status":
        return statusCommand(context, report.database);
      case undefined:
        return undefined;
    }
  };
  const findings = report.findings.map((finding) => {
    const ofUrl = finding.code === "stale" && report.database === undefined ? ASK_THERE : undefined;
    const advice = finding.advice ?? commandOf(finding.next) ?? ofUrl;
    return advice === undefined ? finding : { ...finding, advice };
  });
  return { ...report, findings };
}

/** A run that goes less far than one that failed says so: it passes, and the failure stands. */
function withStandingFailure(context: CommandContext, { state }: VerifyRequest, report: ReplicaReport): ReplicaReport {
  if (state === undefined || report.outcome !== "pass") return report;
  const failure = standingFailure(recallProof(context.platform.files, state.path, state.place));
  if (failure === undefined) return report;
  const note = `a failure still stands, of ${
    formatTime(failure.atMs)
  }, which only a run that goes as far can disprove: ${failure.problem ?? "no reason is kept"}`;
  return { ...report, suspicions: [note, ...report.suspicions] };
}

function failuresKnown(files: FileSystem, { state }: VerifyRequest): readonly KeptRun[] {
  return (state && recallProof(files, state.path, state.place))?.failures ?? [];
}

/** In the state of the database, so that `status` can tell; a proof does not depend on it. */
async function remember(
  context: CommandContext,
  { state }: VerifyRequest,
  run: KeptRun | undefined,
  known: readonly KeptRun[],
): Promise<void> {
  const { platform, userId } = context;
  if (state === undefined || run === undefined) return;
  try {
    await rememberProof(platform, { statePath: state.path, place: state.place, userId }, run, known);
  } catch (error) {
    // Another user than the daemon's may not write there, night after night: to cron that is no news, but a failure is.
    if (isTalkative(context) || run.outcome === "fail") {
      writeLine(context.stderr, printable(`The result is not remembered: ${messageOf(error)}`));
    }
  }
}

function fractionOf({ platform: { random } }: CommandContext): number {
  const [a = 0, b = 0] = random.bytes(2);
  return (a << 8 | b) / 65_535;
}

/** What writes a report into the file of a flag; refused before the work when there is no folder for it. */
type Report = { readonly path: string; readonly textOf: (report: VerifyReport) => string };

function reportsOf(context: CommandContext): Report[] {
  const { platform: { files }, arguments: arguments_ } = context;
  const reportOf = (flag: string, textOf: (report: VerifyReport, path: string) => string): Report[] => {
    const typed = arguments_.text(flag);
    if (typed === undefined) return [];
    const path = resolve(context.currentFolder(), typed);
    if (files.status(dirname(path))?.kind !== "folder") {
      throw new ReplicationError("usage", `Cannot use --${flag} ${typed}: there is no folder ${dirname(path)}`);
    }
    const { kind = "file" } = files.status(path) ?? {};
    if (kind !== "file") {
      throw new ReplicationError("usage", `Cannot use --${flag} ${typed}: it is ${nameKind(kind)}, not a file`);
    }
    return [{ path, textOf: (report) => textOf(report, path) }];
  };
  const json = (report: VerifyReport) => ({ schema_version: SCHEMA_VERSION, ...verifyDocument(report) });
  return [
    ...reportOf("report", (report) => `${JSON.stringify(json(report), null, 2)}\n`),
    ...reportOf("metrics-textfile", (report, path) => metricsText(report, files.readText(path) ?? "")),
  ];
}

/** What was found is said in any case. The exit code. */
async function writeReports(
  context: CommandContext,
  reports: readonly Report[],
  report: VerifyReport,
): Promise<number> {
  let code: number = ExitCode.done;
  for (const { path, textOf } of reports) {
    try {
      await replaceFile(context.platform.files, path, new TextEncoder().encode(textOf(report)), 0o644);
    } catch (error) {
      writeLine(context.stderr, printable(messageOf(error)));
      code = ExitCode.failed;
    }
  }
  return code;
}
