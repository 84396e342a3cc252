import { drawPicture, linesOfPicture, PICTURE_PATH } from "../../scripts/picture.ts";
import { assert, assertEquals, assertStrictEquals } from "../support/assert.ts";

const DEMO = new URL("../../scripts/demo.ts", import.meta.url);

Deno.test("drawPicture() and linesOfPicture() are twins, also of text that XML would take for its own", () => {
  const lines = ["a & b        1 < 2 > 0", "compare      3 pages: equal", "SIGKILL      "];
  assertEquals(linesOfPicture(drawPicture(lines)), lines);
});

Deno.test("docs/demo.svg is what the task draws, of a demo that says what the demo says and ended well", () => {
  const svg = Deno.readTextFileSync(PICTURE_PATH);
  const lines = linesOfPicture(svg);
  assertStrictEquals(drawPicture(lines), svg, "run: deno task picture");
  const said = [...Deno.readTextFileSync(DEMO).matchAll(/\bsay\(\s*"([^"]+)"/g)].map(([, label = ""]) => label);
  assertEquals(lines.map((line) => line.slice(0, 12).trimEnd()), said.filter((label) => label !== "FAILED"));
  assert(lines.some((line) => line.endsWith("every commit in them: equal")), lines.join("\n"));
});
