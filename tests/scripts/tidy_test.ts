import { assertEquals } from "../support/assert.ts";
import { findLeftovers, findLongParts, findPoorTestNames, findUnimported } from "../../scripts/tidy.ts";

function aFunction(head: string, lines: number, indentation = ""): string {
  return `${indentation}${head} {\n${`${indentation}  work();\n`.repeat(lines - 2)}${indentation}}\n`;
}

Deno.test("findLongParts() points at functions and methods over 60 lines, and at no shorter ones", () => {
  const text = aFunction("export async function long(a: number)", 61) + aFunction("function short()", 60) +
    "class A {\n" + aFunction("async #method<T>(a: T): Promise<void>", 70, "  ") + "}\n";
  assertEquals(findLongParts({ path: "lib/a.ts", text }), [
    "lib/a.ts:1 long() has 61 lines",
    "lib/a.ts:123 #method() has 70 lines",
  ]);
});

Deno.test("findLongParts() takes no statement for a function", () => {
  const text = `function a() {\n  if (x) {\n${"    work();\n".repeat(50)}  }\n}\nconst b = () => {\n  say(\n` +
    `${"    1,\n".repeat(70)}  );\n  if (x) {\n  }\n};\n`;
  assertEquals(findLongParts({ path: "lib/a.ts", text }), []);
});

Deno.test("findLongParts() points at files over 400 lines", () => {
  assertEquals(findLongParts({ path: "lib/a.ts", text: "a;\n".repeat(400) }), []);
  assertEquals(findLongParts({ path: "lib/a.ts", text: "a;\n".repeat(401) }), ["lib/a.ts has 401 lines"]);
});

Deno.test("findLeftovers() finds notes to oneself and debug output, with their lines", () => {
  const note = ["TO", "DO"].join("");
  const text = `const a = 1;\n// ${note}: more\n  console.log(a);\n`;
  assertEquals(findLeftovers({ path: "lib/a.ts", text }), [
    `lib/a.ts:2 still says ${note}`,
    "lib/a.ts:3 prints with the console",
  ]);
});

Deno.test("findLeftovers() lets scripts and the programs of tests print, and passes over words in words", () => {
  const text = `console.log(1); // ${["MASTO", "DON"].join("")}\n`;
  assertEquals(findLeftovers({ path: "scripts/a.ts", text }), []);
  assertEquals(findLeftovers({ path: "tests/support/writer.ts", text }), []);
  assertEquals(findLeftovers({ path: "tests/a_test.ts", text }).length, 1);
});

Deno.test("findPoorTestNames() wants sentences, in either form of Deno.test", () => {
  const test = ["Deno", "test"].join(".");
  const text = [
    `${test}("parse() refuses nothing", () => {});`,
    `${test}({\n  name: "parse() refuses \\"nothing\\"",`,
    `${test}(\`Closing: \${name}\`, () => {});`,
    `${test}("parse", () => {});`,
    `${test}({ name: "test of the parser", fn() {} });`,
    `${test}("should refuse an empty name", () => {});`,
  ].join("\n");
  assertEquals(findPoorTestNames({ path: "tests/a_test.ts", text }), [
    'tests/a_test.ts: the test name "parse" is not a sentence about a symbol',
    'tests/a_test.ts: the test name "test of the parser" is not a sentence about a symbol',
    'tests/a_test.ts: the test name "should refuse an empty name" is not a sentence about a symbol',
  ]);
});

Deno.test("findUnimported() names the files that nobody imports", () => {
  assertEquals(findUnimported(["lib/a.ts", "lib/b.ts"], new Set(["lib/b.ts"])), ["lib/a.ts is imported by nobody"]);
});
