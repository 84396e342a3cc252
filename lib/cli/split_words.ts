import { ReplicationError } from "../base/errors.ts";

/**
 * Splits a command line as a shell splits words, without running a shell: blanks separate; '...' is taken as it stands;
 * inside "..." a backslash quotes `"`, `\`, `$` and `` ` ``; elsewhere it quotes the next character.
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === "'" || character === '"') {
      const quoted = readQuoted(line, at);
      word = (word ?? "") + quoted.text;
      at = quoted.end;
    } else if (character === "\\") {
      at++;
      word = (word ?? "") + line.charAt(at);
    } else word = (word ?? "") + character;
  }
  if (word !== undefined) words.push(word);
  return words;
}

function readQuoted(line: string, start: number): { text: string; end: number } {
  const quote = line.charAt(start);
  let text = "";
  for (let at = start + 1; at < line.length; at++) {
    const character = line.charAt(at);
    if (character === quote) return { text, end: at };
    const next = line.charAt(at + 1);
    if (quote === '"' && character === "\\" && /["\\$`]/.test(next)) {
      text += next;
      at++;
    } else text += character;
  }
  throw new ReplicationError("usage", `Cannot read the command line of exec: a quote ${quote} is never closed`);
}
