import { largestOf } from "../base/many.ts";

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly align?: "left" | "right";
}

const GAP = "  ";

/** Aligned columns under a line of titles, two spaces apart, no spaces at the end of a line. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map((column) => column.title), ...rows.map((row) => row.map(printable))];
  const widths = columns.map((_, i) => largestOf(lines.map((line) => widthOf(line[i] ?? ""))));
  return lines.map((line) =>
    columns.map((column, i) => {
      const cell = line[i] ?? "";
      const padding = " ".repeat((widths[i] ?? 0) - widthOf(cell));
      return column.align === "right" ? padding + cell : cell + padding;
    }).join(GAP).trimEnd() + "\n"
  ).join("");
}

/** Names come from disks and configs; what would move the cursor or begin a line is shown, not sent. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** East Asian characters and emoji take two columns of a terminal. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
/** An accent that stands over the character before it, or a mark that nobody sees, takes none. */
const NOT_SEEN = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** In columns of a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += NOT_SEEN.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}
