import { exitCodeOfFailure, type KeptRun } from "./proof_memory.ts";

/** A run as JSON documents have it; null when there was none. */
export function proofDocument(run: KeptRun | undefined): Record<string, unknown> | null {
  if (run === undefined) return null;
  const { atMs, outcome, reached, proven, problem } = run;
  return {
    at: timeOf(atMs),
    outcome,
    reached: reached ?? null,
    proven: proven === undefined ? null : { position: proven.position, captured_at: timeOf(proven.capturedAtMs) },
    problem: problem ?? null,
    exit_code: outcome === "fail" ? exitCodeOfFailure(run) : 0,
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
