import { assert } from "../base/assert.ts";
import { messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { dirname } from "../base/path.ts";
import type { Progress } from "../base/progress.ts";
import { EarlySync } from "../platform/early_sync.ts";
import type { FileUser } from "../platform/open_files.ts";
import type { PageWriter } from "../platform/page_writer.ts";
import type { Platform } from "../platform/platform.ts";
import { applyPlan, type ApplyTools, stoppedError } from "./apply.ts";
import { type Candidate, decisiveError, findChoices, type RestoreReplica, type Unfit } from "./choose.ts";
import { diagnose } from "./diagnosis.ts";
import { Draft } from "./draft.ts";
import { restoreError } from "./failure.ts";
import { decideOutput, inspectOutput, makeFolders, type OutputDecision, type OutputFacts } from "./output.ts";
import { putInPlace } from "./put_in_place.ts";
import { expectRoom } from "./room.ts";
import type { RestoreTarget } from "./target.ts";
import { expectChecksum } from "./wrong_checksum.ts";
import { DamagedWal } from "./wal_chunks.ts";

export interface RestoreRequest {
  /** In the order of the config. */
  readonly replicas: readonly RestoreReplica[];
  readonly target: RestoreTarget;
  readonly output: string;
  readonly force: boolean;
}

export interface RestoreTools extends Platform {
  readonly whoHasOpen: (path: string) => readonly FileUser[];
  /** For databases that are worth another thread. */
  readonly openPageWriter?: (path: string) => PageWriter;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly observe?: ApplyTools["observe"];
  /** Told what is to be removed should the process end before the restore has. */
  readonly holds?: (draft: Pick<Draft, "remove">) => void;
  /** A sentence for the person who waits. */
  readonly notice: (sentence: string) => void;
}

export interface RestoreResult extends Candidate {
  readonly output: string;
  /** Where the database that was replaced is now. */
  readonly keptAs?: string;
  /** Whether the database is the one of which the source kept a checksum at that position, or none was kept. */
  readonly checksum: "equal" | "absent";
  readonly durationMs: number;
}

/** Restores the newest copy that is whole, exactly or not at all: nothing appears under the output's name before that. */
export async function restore(request: RestoreRequest, tools: RestoreTools): Promise<RestoreResult> {
  const startedMs = tools.clock.monotonicMs();
  writableOutput(request, tools);
  const { candidates, unfit } = await findChoices(request.replicas, request.target);
  const failed: Unfit[] = [...unfit];
  if (candidates.length > 0) { for (const { replica, error } of unfit) tools.notice(unfitNotice(replica, error)); }
  for (const candidate of candidates) {
    candidate.plan.notices.forEach(tools.notice);
    const output = writableOutput(request, tools);
    const draft = await atOutput(() => {
      makeFolders(tools.files, dirname(output.path));
      return Draft.take(tools.files, output.path);
    });
    tools.holds?.(draft);
    try {
      writableOutput(request, tools); // Nobody else restores to it from here on.
      const checksum = await build(candidate, request, draft.path, tools);
      const atEnd = writableOutput(request, tools); // It took a while; somebody may have come.
      const { notice, ...kept } = await atOutput(() => putInPlace(tools, draft.path, atEnd, atEnd.keepAside));
      if (notice !== undefined) tools.notice(notice);
      const durationMs = tools.clock.monotonicMs() - startedMs;
      return { ...candidate, ...kept, output: output.path, checksum, durationMs };
    } catch (error) {
      if (!isReplicasFault(error)) throw error;
      failed.push({ replica: candidate.replica, error });
      if (candidate !== candidates.at(-1)) tools.notice(unfitNotice(candidate.replica, error));
    } finally {
      draft.remove();
    }
  }
  const error = decisiveError(failed);
  assert(error !== undefined, "a restore without a candidate has a reason");
  throw error;
}

/** Writes the whole database to the draft and to disk, and compares it with the checksum that was kept of it. */
async function build(
  { plan, replica }: Candidate,
  request: RestoreRequest,
  draft: string,
  tools: RestoreTools,
): Promise<RestoreResult["checksum"]> {
  expectRoom(tools.files, dirname(draft), plan.databaseBytes, "-o FILE restores elsewhere, on a device that has room");
  tools.progress.begin(plan.plannedBytes);
  const handle = await atOutput(() => tools.files.open(draft, "write"));
  const writer = plan.databaseBytes < limits.pageWriterMinBytes ? undefined : tools.openPageWriter?.(draft);
  try {
    const early = new EarlySync(handle, true);
    const checksum = await applyPlan(plan, replica.store, handle, { ...tools, writer, early });
    expectChecksum(plan, replica.store.description, checksum);
    await early.finish();
    return checksum === undefined ? "absent" : "equal";
  } catch (error) {
    if (tools.signal.aborted) throw stoppedError(); // Whoever was asked for something then says so in other words.
    if (!(error instanceof DamagedWal)) throw error;
    const failure = await diagnose(plan, replica.store, error);
    throw restoreError(request.target, replica.store.description, failure);
  } finally {
    await writer?.close();
    await handle.closeLater();
  }
}

/** What a restore would find at the place it writes to, at this moment. */
export function judgeOutput(
  request: RestoreRequest,
  tools: Pick<RestoreTools, "files" | "whoHasOpen">,
): OutputDecision {
  return decideOutput(inspectOutput(tools.files, tools.whoHasOpen, request.output), request.force);
}

function writableOutput(request: RestoreRequest, tools: RestoreTools): OutputFacts & { readonly keepAside: boolean } {
  const facts = inspectOutput(tools.files, tools.whoHasOpen, request.output);
  const decision = decideOutput(facts, request.force);
  if (decision.kind === "refuse") throw decision.error;
  return { ...facts, keepAside: decision.keepAside };
}

/** A folder that is missing where the database is to be is neither a replica's fault nor a missing backup. */
async function atOutput<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.code !== "not-found") throw error;
    throw new ReplicationError("failed", error.message, { cause: error });
  }
}

/** Whether another replica may do better. */
function isReplicasFault(error: unknown): error is ReplicationError {
  return error instanceof ReplicationError &&
    ["corrupt", "gap", "foreign", "not-found", "unavailable"].includes(error.code);
}

function unfitNotice(replica: RestoreReplica, error: unknown): string {
  return `replica ${replica.name} cannot serve: ${messageOf(error)}`;
}
