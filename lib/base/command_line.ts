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

/** The line as this program was called; undefined for advice that is a sentence and no command of ours. */
export function asCalled(advice: string, invocation: readonly string[]): string | undefined {
  const start = `${product.name} `;
  return advice.startsWith(start) ? `${commandLine(invocation)} ${advice.slice(start.length)}` : undefined;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
