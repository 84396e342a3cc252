/** The commands of a page, as a reader copies them: fenced and indented blocks, in their order. */
import { listFiles, readSource } from "../../scripts/project.ts";

export interface PageCommand {
  readonly page: string;
  readonly line: number;
  /** With its comment, continued lines joined. */
  readonly text: string;
  /** What a comment says that it ends with, or 0. */
  readonly code: number;
}

interface Block {
  readonly line: number;
  readonly language: string;
  readonly lines: readonly string[];
}

/** What stands before a command in a crontab. */
const SCHEDULE = /^([\d*][\d*/,-]*\s+){5}/;
/** Languages whose every line is a command. */
const SHELL = ["sh", "crontab"];
/** What else a block is taken for commands by: the first words of its lines. */
const PROGRAMS = /^(tailrace|deno|npx|npm|sudo|docker|curl|systemctl)\s/;

export function pages(): string[] {
  return ["README.md", ...listFiles(["docs"], ".md").filter((path) => !path.startsWith("docs/decisions/"))];
}

export function commandsOf(page: string): PageCommand[] {
  return blocksOf(readSource(page).text).filter(holdsCommands).flatMap((block) => commandsIn(page, block));
}

/** The text of the first block of that language. */
export function firstBlock(page: string, language: string): string {
  const block = blocksOf(readSource(page).text).find((block) => block.language === language);
  return `${(block?.lines ?? []).join("\n")}\n`;
}

export function blocksOf(text: string): Block[] {
  const blocks: { line: number; language: string; lines: string[] }[] = [];
  let fence: string | undefined;
  let wasText = true;
  text.split("\n").forEach((line, at) => {
    const marks = /^\s*```(\w*)/.exec(line);
    if (marks !== null) {
      if (fence === undefined) blocks.push({ line: at + 1, language: marks[1] ?? "", lines: [] });
      fence = fence === undefined ? marks[1] ?? "" : undefined;
      wasText = true;
    } else if (fence !== undefined) blocks.at(-1)?.lines.push(line);
    else if (/^ {4}/.test(line)) {
      if (wasText) blocks.push({ line: at, language: "", lines: [] });
      blocks.at(-1)?.lines.push(line.trim());
      wasText = false;
    } else if (line.trim() !== "") wasText = true;
  });
  return blocks;
}

function holdsCommands({ language, lines }: Block): boolean {
  return SHELL.includes(language) || (language === "" && lines.some((line) => PROGRAMS.test(line)));
}

function commandsIn(page: string, { line, lines }: Block): PageCommand[] {
  const commands: PageCommand[] = [];
  lines.forEach((raw, at) => {
    const text = raw.replace(SCHEDULE, "").trim();
    if (text === "" || text.startsWith("#")) return;
    const code = Number(/#.*\bends with (\d+)/.exec(text)?.[1] ?? 0);
    commands.push({ page, line: line + at + 1, text, code });
  });
  return commands;
}
