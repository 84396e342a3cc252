/** Commands as they are printed for people: whoever copies the line gets what is meant. */
import { product } from "./product.ts";

/** A line that a shell takes apart into just these words. */
export function commandLine(words: readonly string[]): string {
  return words.map(quoted).join(" ");
}

/** A command of this program with these words behind it. */
export function ownCommandLine(words: readonly string[]): string {
  return commandLine([product.name, ...words]);
}

/** After the flags: what begins as a flag does, and is none. */
export function operands(words: readonly string[]): readonly string[] {
  return words.some((word) => word.startsWith("-")) ? ["--", ...words] : words;
}

/** Programs of others that advice names with everything they need. */
const OTHER_PROGRAMS = ["ps", "sqlite3"];

/** The line to be copied, with this program as it was called; undefined for advice that is a sentence and no command. */
export function asCalled(advice: string, invocation: readonly string[]): string | undefined {
  const start = `${product.name} `;
  if (advice.startsWith(start)) return `${commandLine(invocation)} ${advice.slice(start.length)}`;
  return OTHER_PROGRAMS.some((name) => advice.startsWith(`${name} `)) ? advice : undefined;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
