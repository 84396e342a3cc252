/** What an error means for a proof: that the replica is wrong, or that nothing can be told. PURE. */
import { ExitCode, type ReplicationError, worstExitCode } from "../base/errors.ts";
import { Unrestorable } from "../restore/failure.ts";
import { WrongChecksum } from "../restore/wrong_checksum.ts";
import type { Finding, FindingCode, Outcome, Rung } from "./report.ts";

const FAILURES: readonly FindingCode[] = ["corrupt", "gap", "foreign", "not-found", "stale", "no-checksum", "check"];

export function outcomeOf({ code }: Pick<Finding, "code">): Outcome {
  return FAILURES.includes(code) ? "fail" : "inconclusive";
}

export function findingOf(rung: Rung, error: ReplicationError): Finding {
  return {
    rung,
    code: error.code,
    problem: error.message,
    ...(error.advice === undefined ? {} : { advice: error.advice }),
    ...(error instanceof Unrestorable
      ? { next: { kind: "restore", position: positionOf(error.reachable) } } as const
      : {}),
    ...(error instanceof WrongChecksum ? { next: { kind: "snapshot" } } as const : {}),
  };
}

function positionOf({ generation, point: { index, offset } }: Unrestorable["reachable"]) {
  return { generation, index, offset };
}

/** What a report says first: of failures one that is more than being late; undefined where nothing was found. */
export function worstFinding(findings: readonly Finding[]): Finding | undefined {
  const failures = findings.filter((finding) => outcomeOf(finding) === "fail");
  return failures.find(({ code }) => code !== "stale") ?? failures[0] ?? findings[0];
}

/** The exit code for all that was found: of what is nobody's fault, "try again". */
export function exitCodeFor(findings: readonly Finding[]): number {
  return worstExitCode(findings.map(exitCodeOf));
}

function exitCodeOf({ code }: Finding): number {
  switch (code) {
    case "corrupt":
    case "gap":
    case "foreign":
    case "check":
      return ExitCode.corrupt;
    case "not-found":
      return ExitCode.nothingThere;
    case "stale":
      return ExitCode.stale;
    case "no-checksum":
      return ExitCode.failed;
    case "usage":
    case "config-invalid":
      return ExitCode.usage;
    default:
      return ExitCode.tryAgain;
  }
}
