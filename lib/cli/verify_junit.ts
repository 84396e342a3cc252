/** A verification as JUnit XML: a suite for each replica, a case for each rung. */
import type { Finding, ReplicaReport, RungResult, VerifyReport } from "../verify/report.ts";

export function junitText(report: VerifyReport): string {
  const suites = report.replicas.map(suiteOf);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="verify" time="${seconds(report.durationMs)}">\n${
    suites.join("")
  }</testsuites>\n`;
}

function suiteOf(replica: ReplicaReport): string {
  const { rungs, durationMs, findings } = replica;
  const count = (outcome: string) => rungs.filter((rung) => rung.outcome === outcome).length;
  const skipped = count("not-available") + count("not-run");
  const name = `${replica.database ?? replica.url} ${replica.replica}`;
  const numbers = `tests="${rungs.length}" failures="${count("fail")}" errors="${
    count("inconclusive")
  }" skipped="${skipped}"`;
  const cases = rungs.map((rung) => caseOf(name, rung, findings.filter((finding) => finding.rung === rung.rung)));
  return `  <testsuite name="${escaped(name)}" ${numbers} time="${seconds(durationMs)}">\n${
    cases.join("")
  }  </testsuite>\n`;
}

function caseOf(suite: string, { rung, outcome, says, durationMs }: RungResult, findings: readonly Finding[]): string {
  const head = `    <testcase classname="${escaped(suite)}" name="${rung}" time="${seconds(durationMs)}"`;
  const message = `message="${escaped(says)}"`;
  const all = findings.map(({ problem }) => `${escaped(problem)}\n`).join("");
  switch (outcome) {
    case "pass":
      return `${head}/>\n`;
    case "fail":
      return `${head}><failure ${message}>${all}</failure></testcase>\n`;
    case "inconclusive":
      return `${head}><error ${message}>${all}</error></testcase>\n`;
    case "not-available":
    case "not-run":
      return `${head}><skipped ${message}/></testcase>\n`;
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** XML knows no way to write most control characters. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "").replace(/\p{Cc}/gu, "\ufffd");
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(3);
}
