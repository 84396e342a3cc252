import { widthOf } from "./table.ts";

/** Lines of text for people fit this, unless they ask for long ones. */
export const COLUMNS = 80;

/** The text in lines that fit, broken between words; `first` begins the first one, `further` each other. */
export function wrap(text: string, first = "", further = first): string[] {
  const lines: string[] = [];
  let [line, isEmpty] = [first, true];
  for (const word of text.split(" ")) {
    if (!isEmpty && widthOf(line) + 1 + widthOf(word) > COLUMNS) {
      lines.push(line);
      [line, isEmpty] = [further, true];
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}
