/**
 * Looks for what grows in every house: long functions and files (a hint to look again, nothing more), and what must not
 * stay: notes to oneself, debug output, files nobody imports, test names that say nothing.
 */
import { edgesOf, readGraph } from "./check_floors.ts";
import { complain, listFiles, readSource, ROOT, say, type SourceFile } from "./project.ts";

const FUNCTION_LINES_MAX = 60;
const FILE_LINES_MAX = 400;

const NOTE_TO_SELF = /\b(TOD[O]|FIXM[E]|XX[X])\b/;
const DEBUG_OUTPUT = /^\s*console\.(log|debug)\(/;

export function findLongParts({ path, text }: SourceFile): string[] {
  const hints: string[] = [];
  const lines = text.split("\n");
  if (lines.length - 1 > FILE_LINES_MAX) hints.push(`${path} has ${lines.length - 1} lines`);
  for (const { name, start, length } of functionsOf(lines)) {
    if (length > FUNCTION_LINES_MAX) hints.push(`${path}:${start} ${name}() has ${length} lines`);
  }
  return hints;
}

interface FunctionSpan {
  readonly name: string;
  readonly start: number;
  readonly length: number;
}

/** Relies on the formatter: a function's last line is a brace at the indentation of its first; methods are indented by 2. */
function functionsOf(lines: readonly string[]): FunctionSpan[] {
  const spans: FunctionSpan[] = [];
  let inClass = false;
  lines.forEach((line, at) => {
    if (/^(export )?(abstract )?class /.test(line)) inClass = true;
    if (line === "}") inClass = false;
    const match =
      /^(\s*)(?:export |default |static |async |override |private |get |set |function\*? )*([\w#]+)(?:<.*>)?\(/
        .exec(line);
    const [, indentation = "", name = ""] = match ?? [];
    const declares = /\bfunction\b/.test(line) || (inClass && indentation.length === 2 && /[{(]$/.test(line));
    if (match === null || !declares) return;
    const end = lines.findIndex((other, i) => i > at && other === `${indentation}}`);
    if (end > at) spans.push({ name, start: at + 1, length: end - at + 1 });
  });
  return spans;
}

export function findLeftovers({ path, text }: SourceFile): string[] {
  const problems: string[] = [];
  const mayPrint = path.startsWith("scripts/") || (path.startsWith("tests/") && !path.endsWith("_test.ts"));
  text.split("\n").forEach((line, at) => {
    const note = NOTE_TO_SELF.exec(line);
    if (note !== null) problems.push(`${path}:${at + 1} still says ${note[1]}`);
    if (!mayPrint && DEBUG_OUTPUT.test(line)) problems.push(`${path}:${at + 1} prints with the console`);
  });
  return problems;
}

/**
 * A test's name is a sentence about a symbol: at least three words, and no "test" or "should" for a start. Names that are
 * put together from a table are not judged.
 */
export function findPoorTestNames({ path, text }: SourceFile): string[] {
  const names = text.matchAll(/Deno\.test\(\s*(?:\{\s*name:\s*)?(?:"((?:[^"\\\n]|\\.)*)"|`([^`$]*)`)/g);
  return [...names].flatMap((match) => {
    const name = match[1] ?? match[2] ?? "";
    const words = name.split(/\s+/).filter((word) => word !== "");
    const isPoor = words.length < 3 || /^test\b/i.test(name) || /^(it )?should\b/i.test(name);
    return isPoor ? [`${path}: the test name "${name}" is not a sentence about a symbol`] : [];
  });
}

export function findUnimported(paths: readonly string[], imported: ReadonlySet<string>): string[] {
  return paths.filter((path) => !imported.has(path)).map((path) => `${path} is imported by nobody`);
}

async function main(): Promise<number> {
  const lib = listFiles(["lib"], ".ts");
  const users = listFiles(["main.ts", "tests", "scripts"], ".ts");
  const files = [...lib, ...users].map((path) => readSource(path));
  const edges = edgesOf(await readGraph([...lib, ...users]), ROOT);
  const imported = new Set(edges.filter((edge) => !edge.external).map((edge) => edge.to));
  const problems = [
    ...files.flatMap(findLeftovers),
    ...files.flatMap(findPoorTestNames),
    ...findUnimported(lib, imported),
  ];
  for (const hint of files.flatMap(findLongParts)) say(`Look again: ${hint}`);
  for (const problem of problems) complain(problem);
  if (problems.length === 0) say(`Tidy: ${files.length} files hold nothing that must go`);
  return problems.length === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main());
