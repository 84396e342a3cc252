export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly align?: "left" | "right";
}

const GAP = "  ";

/** Aligned columns under a line of titles, two spaces apart, no spaces at the end of a line. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map((column) => column.title), ...rows.map((row) => row.map(printable))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => widthOf(line[i] ?? ""))));
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

/** In columns of a terminal, one for each character. */
export function widthOf(text: string): number {
  return [...text].length;
}
