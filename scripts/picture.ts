/**
 * `deno task picture`: runs the demo and draws what it said, as a terminal shows it, in `docs/demo.svg`, the picture of
 * the README. Nothing in it is made up: a run that fails draws nothing.
 */
import { complain, ROOT, run, say } from "./project.ts";

export const PICTURE_PATH = `${ROOT}/docs/demo.svg`;

const COMMAND = "npx -y deno@2.9.6 task demo";
const WIDTH = 760;
const LINE_HEIGHT = 21;
const TOP = 62;
const LEFT = 22;
/** The demo pads its first words to so many characters. */
const LABEL_LENGTH = 12;
const LABEL_WIDTH = 112;

/** Words that a line may end with, or begin with, and what they are drawn in. */
const GOOD = "#7ee787";
const BAD = "#ff7b72";
const LABEL = "#79c0ff";
const TEXT = "#e6edf3";
const FAINT = "#8b949e";

/** The lines of the demo, as a picture. PURE. */
export function drawPicture(lines: readonly string[]): string {
  const height = TOP + LINE_HEIGHT * (lines.length + 1) + 12;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
    `role="img" aria-label="What the demo says">`,
    `<style>text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}</style>`,
    `<rect width="${WIDTH}" height="${height}" rx="10" fill="#0d1117"/>`,
    ...["#ff5f57", "#febc2e", "#28c840"].map((colour, slot) =>
      `<circle cx="${22 + 20 * slot}" cy="20" r="6" fill="${colour}"/>`
    ),
    `<text x="${LEFT}" y="${TOP - 6}" fill="${FAINT}">$ <tspan fill="${TEXT}">${COMMAND}</tspan></text>`,
    ...lines.map((line, slot) => drawLine(line, TOP + LINE_HEIGHT * (slot + 1))),
    "</svg>\n",
  ].join("\n");
}

function drawLine(line: string, y: number): string {
  const label = line.slice(0, LABEL_LENGTH).trimEnd();
  const text = line.slice(LABEL_LENGTH).trimStart();
  const colour = label === "SIGKILL" ? BAD : LABEL;
  const [, before = text, equal = ""] = /^(.*: )(equal)$/.exec(text) ?? [];
  const end = equal === "" ? "" : `<tspan fill="${GOOD}" font-weight="bold">${equal}</tspan>`;
  return `<text x="${LEFT}" y="${y}" fill="${colour}">${escape(label)}</text>` +
    `<text x="${LEFT + LABEL_WIDTH}" y="${y}" fill="${TEXT}">${escape(before)}${end}</text>`;
}

/** What a picture says, line by line: the twin of drawing. */
export function linesOfPicture(svg: string): string[] {
  const drawn = svg.split("\n").map((line) => /^<text[^>]*>([^<]*)<\/text><text[^>]*>(.*)<\/text>$/.exec(line));
  return drawn.flatMap((match) => {
    if (match === null) return [];
    const [, label = "", text = ""] = match;
    return [`${unescape(label).padEnd(LABEL_LENGTH)} ${unescape(text.replaceAll(/<[^>]*>/g, ""))}`];
  });
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function unescape(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

async function main(): Promise<number> {
  const { code, stderr } = await run(Deno.execPath(), ["run", "--allow-all", `${ROOT}/scripts/demo.ts`]);
  if (code !== 0) {
    complain(`Cannot draw the demo: it ended with exit code ${code}\n${stderr.trim()}`);
    return 1;
  }
  Deno.writeTextFileSync(PICTURE_PATH, drawPicture(stderr.trim().split("\n")));
  say(`${PICTURE_PATH}: as the demo has just said it`);
  return 0;
}

if (import.meta.main) Deno.exit(await main());
