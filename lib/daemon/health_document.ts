/** The health as a JSON document; `docs/json.md` describes it. */
import { formatPosition, type Position } from "../position/position.ts";
import { proofDocument } from "../verify/proof_document.ts";
import { newestSuccess, standingFailure } from "../verify/proof_memory.ts";
import type { Health, Judged, ReplicaFacts } from "./health.ts";

const SCHEMA_VERSION = 1;

export interface HealthDocument extends Record<string, unknown> {
  readonly databases: readonly Record<string, unknown>[];
}

export function healthDocument({ isHealthy, databases }: Health): HealthDocument {
  return {
    schema_version: SCHEMA_VERSION,
    healthy: isHealthy,
    databases: databases.map(({ facts, condition, problem, advice, replicas }) => ({
      path: facts.path,
      condition,
      problem: problem ?? null,
      advice: advice ?? null,
      position: positionMember(facts.position),
      replicas: replicas.map(replicaDocument),
    })),
  };
}

function replicaDocument({ facts, condition, problem, advice, cause }: Judged<ReplicaFacts>): Record<string, unknown> {
  const { name, url, position, pulse: { behindMs, currentAtMs, failures }, look, proof } = facts;
  return {
    name,
    url,
    condition,
    problem: problem ?? null,
    advice: advice ?? null,
    cause: cause ?? null,
    position: positionMember(position),
    lag_ms: behindMs === undefined ? null : Math.round(behindMs),
    last_current_at: currentAtMs === undefined ? null : new Date(currentAtMs).toISOString(),
    failures,
    last_look: look.lookedAtMs === undefined ? null : new Date(look.lookedAtMs).toISOString(),
    broken: look.brokenBecause ?? null,
    last_proof: proofDocument(proof?.last),
    last_success: proofDocument(newestSuccess(proof)),
    standing_failure: proofDocument(standingFailure(proof)),
  };
}

function positionMember(position: Position | undefined): string | null {
  return position === undefined ? null : formatPosition(position);
}
