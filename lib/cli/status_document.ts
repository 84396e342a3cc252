/** The status as a JSON document; `docs/json.md` describes it. */
import { type Trouble, troublesOf } from "../base/engine_event.ts";
import { worstExitCode } from "../base/errors.ts";
import { EXIT_CODES } from "../daemon/safety.ts";
import type { DatabaseStatus } from "../daemon/status.ts";
import type { Event } from "../database/event_log.ts";
import { formatPosition } from "../position/position.ts";
import { proofDocument } from "../verify/proof_document.ts";
import { newestSuccess, standingFailure } from "../verify/proof_memory.ts";
import { formatTime } from "./amounts.ts";
import { timeMember } from "./listing.ts";
import { adviceText, type Row, type Shown } from "./status_text.ts";

export function statusDocument(shown: readonly Shown[], configWords: readonly string[]): Record<string, unknown> {
  const all = shown.flatMap(({ database, unsafe }) => unsafe.map((one) => ({ database, ...one })));
  return {
    safe: all.length === 0,
    exit_code: worstExitCode(all.map(({ grade }) => EXIT_CODES[grade])),
    problems: all.map(({ database, replica, grade, why, help }) => ({
      database: database.path,
      replica: replica ?? null,
      grade,
      problem: why,
      advice: adviceText(help, database, configWords),
    })),
    databases: shown.map(databaseDocument),
  };
}

function databaseDocument({ database, status, rows, unsafe }: Shown): Record<string, unknown> {
  const { daemon, generation, position, lastTurn, heard } = status;
  const answer = heard.kind === "answer" ? heard.answer : undefined;
  const recorded = status.recorded.database;
  return {
    path: database.path,
    safe: unsafe.length === 0,
    daemon_pid: daemon ?? null,
    daemon: answer === undefined ? null : {
      mode: answer.mode,
      version: answer.version,
      started_at: formatTime(answer.startedAtMs),
      condition: answer.condition,
      captured: answer.captured === undefined ? null : formatPosition(answer.captured),
    },
    generation: generation === undefined ? null : {
      name: generation.generation,
      began_at: generation.beganAt,
      reason: generation.reason,
    },
    position: position === undefined ? null : formatPosition(position),
    last_turn: eventDocument(lastTurn),
    trouble: troubleDocument(
      answer?.condition === "trouble" ? answer.problem : undefined,
      recorded,
      answer !== undefined,
    ),
    replicas: rows.map((row) => replicaDocument(row, status)),
  };
}

function replicaDocument({ view, oldestMs }: Row, { heard, recorded }: DatabaseStatus) {
  const { name, url, position, capturedAtMs, lagMs, error, proof } = view;
  const answer = heard.kind === "answer" ? heard.answer.replicas.find((own) => own.url === url) : undefined;
  const isFailing = answer?.condition === "trouble" && answer.cause !== "proof";
  const [last] = troublesOf(recorded, { name, url });
  return {
    name,
    url,
    position: position === undefined ? null : formatPosition(position),
    captured_at: timeMember(capturedAtMs),
    lag_ms: lagMs ?? null,
    oldest_point: timeMember(oldestMs),
    error: error?.message ?? null,
    trouble: troubleDocument(isFailing ? answer?.problem : undefined, last, answer !== undefined),
    last_proof: proofDocument(proof?.last),
    last_success: proofDocument(newestSuccess(proof)),
    standing_failure: proofDocument(standingFailure(proof)),
  };
}

/** What a running daemon says now; without one, what the last one said last. Since when is in what was written. */
function troubleDocument(now: string | undefined, recorded: Trouble | undefined, isAnswered: boolean) {
  const message = isAnswered ? now : recorded?.message;
  if (message === undefined) return null;
  return { at: recorded === undefined ? null : formatTime(recorded.sinceMs), message };
}

function eventDocument(event: Event | undefined) {
  return event === undefined ? null : { at: formatTime(event.atMs), message: event.message, ...event.fields };
}
