/** The table of `docs/verification.md`, as a run of `test:verify` makes and writes it. */
import { run } from "../../scripts/project.ts";
import type { RunResult } from "./verify_run.ts";

const DOCUMENT = new URL("../../docs/verification.md", import.meta.url).pathname;
const TABLE_BEGIN = "<!-- made by deno task test:verify -->";
const TABLE_END = "<!-- end -->";

export function tableOf({ rows }: RunResult): string {
  const lines = ["| damage | layout | writer | outcome | object named |", "| --- | --- | --- | --- | --- |"];
  const order = ({ kind, writer, layout }: RunResult["rows"][number]) => `${kind}\n${writer}\n${layout}`;
  for (const row of rows.toSorted((a, b) => order(a) < order(b) ? -1 : 1)) {
    const { kind, layout, writer, verdicts, named, failed } = row;
    const outcomes = Object.entries(verdicts).sort().map(([verdict, count]) => `${verdict} ${count}`).join(", ");
    const names = failed === 0 ? "-" : `${named} of ${failed}`;
    lines.push(`| ${kind} | ${layout} | ${writer} | ${outcomes} | ${names} |`);
  }
  return lines.join("\n");
}

/** `command`: that made it. */
export async function writeTable(result: RunResult, command: string): Promise<void> {
  const { trials, bad } = result;
  const sum = `\`${command}\`: ${trials} damaged replicas, ${bad.length === 0 ? "none" : bad.length} judged wrongly.`;
  const text = Deno.readTextFileSync(DOCUMENT);
  const [before, rest = ""] = text.split(TABLE_BEGIN);
  const after = rest.split(TABLE_END)[1] ?? "";
  const table = `${TABLE_BEGIN}\n\n${sum}\n\n${tableOf(result)}\n\n${TABLE_END}`;
  Deno.writeTextFileSync(DOCUMENT, `${before}${table}${after}`);
  await run(Deno.execPath(), ["fmt", "--quiet", DOCUMENT]);
}
