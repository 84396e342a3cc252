/** Text that must fit a number of columns: cut between two words; a path is shortened in its middle and keeps its file name. */
import { widthOf } from "./table.ts";

const CUT = "…";
/** A longer word is shortened before anything is cut off a line. */
const WORD_WIDTH = 30;
/** Stands for a space at which no line is cut, and in no text. */
const KEPT_SPACE = "\0";

/** One line; `paths` are those that may stand in it, which may hold spaces. */
export function fittedLine(text: string, width: number, paths: readonly string[] = []): string {
  if (widthOf(text) <= width) return text;
  const known = paths.toSorted((a, b) => b.length - a.length);
  const asOneWord = (path: string) => shortPath(path, WORD_WIDTH).replaceAll(" ", KEPT_SPACE);
  const short = known.reduce((line, path) => line.replaceAll(path, () => asOneWord(path)), text);
  const words = short.split(" ").map((word) => shortWord(word).replaceAll(KEPT_SPACE, " "));
  if (widthOf(words.join(" ")) <= width) return words.join(" ");
  while (words.length > 1 && widthOf(words.join(" ")) + 1 + widthOf(CUT) > width) words.pop();
  return `${words.join(" ")} ${CUT}`;
}

/** `/srv/…/app.db`: of the folders as many from the left as there is room for. */
export function shortPath(path: string, width: number): string {
  if (widthOf(path) <= width) return path;
  const parts = path.split("/");
  const name = parts.pop() ?? "";
  let short = `${CUT}/${name}`;
  if (widthOf(short) > width) return cutMiddle(name, width);
  for (let kept = 1; kept < parts.length; kept++) {
    const longer = `${parts.slice(0, kept).join("/")}/${CUT}/${name}`;
    if (widthOf(longer) > width) break;
    short = longer;
  }
  return short;
}

/** The end stays longer than the beginning: it tells what kind of file it is, or which of several. */
export function cutMiddle(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const room = width - widthOf(CUT);
  const characters = [...text];
  const start = within(characters, Math.floor(room / 3));
  const end = within(characters.toReversed(), room - widthOf(start.join(""))).toReversed();
  return `${start.join("")}${CUT}${end.join("")}`;
}

function within(characters: readonly string[], width: number): string[] {
  let count = 0;
  while (count < characters.length && widthOf(characters.slice(0, count + 1).join("")) <= width) count++;
  return characters.slice(0, count);
}

/** Without what a sentence puts around it. */
function shortWord(word: string): string {
  const [, before = "", inner = "", after = ""] = /^(["'(`]*)(.*?)(["')`:;,.]*)$/s.exec(word) ?? [];
  if (widthOf(inner) <= WORD_WIDTH) return word;
  return `${before}${inner.includes("/") ? shortPath(inner, WORD_WIDTH) : cutMiddle(inner, WORD_WIDTH)}${after}`;
}
