import { cleanEnvironment } from "../../lib/base/environment_value.ts";
import { expandVariables, type Expansion } from "../../lib/config/expand_env.ts";
import { assertEquals } from "../support/assert.ts";

function expand(text: string, variables: Readonly<Record<string, string>> = {}): Expansion {
  return expandVariables(text, cleanEnvironment((name) => variables[name]));
}

function text(text: string, ...cleaned: readonly { name: string; removed: string }[]): Expansion {
  return { kind: "text", text, cleaned };
}

Deno.test("expandVariables() replaces $NAME and ${NAME}", () => {
  const variables = { HOME: "/home/me", A_1: "x", EMPTY: "" };
  assertEquals(expand("$HOME/app.db", variables), text("/home/me/app.db"));
  assertEquals(expand("${HOME}app$A_1$A_1", variables), text("/home/meappxx"));
  assertEquals(expand("[$EMPTY]", variables), text("[]"));
});

Deno.test("expandVariables() keeps a dollar that begins no name", () => {
  assertEquals(expand("5$ and $5 and $"), text("5$ and $5 and $"));
  assertEquals(expand(""), text(""));
});

Deno.test("expandVariables() takes $$ for a dollar, whatever follows it", () => {
  assertEquals(expand("$$"), text("$"));
  assertEquals(expand("a$$B", { B: "b" }), text("a$B"));
  assertEquals(expand("a$$$B", { B: "b" }), text("a$b"));
  assertEquals(expand("$${B}"), text("${B}"));
  assertEquals(expand("$A", { A: "$$" }), text("$$"));
});

Deno.test("expandVariables() takes off what env files and files of secrets leave at the ends, and says so", () => {
  const cases: readonly (readonly [value: string, text: string, removed: string])[] = [
    ["/data/app.db\n", "/data/app.db", "the line feed at its end"],
    ["/data/app.db\r\n", "/data/app.db", "the line feed at its end"],
    [" /data/app.db", "/data/app.db", "the white space at its ends"],
    ['"/data/app.db"', "/data/app.db", "the quotes around it"],
    ["'/data/app.db'\n", "/data/app.db", "the line feed at its end and the quotes around it"],
    ['""', "", "the quotes around it"],
  ];
  for (const [value, expected, removed] of cases) {
    assertEquals(expand("$A", { A: value }), text(expected, { name: "A", removed }), value);
  }
  for (const value of ['"a program" "its file"', '"', `"/data/app.db'`, "a\nb", 'a "b" c']) {
    assertEquals(expand("$A", { A: value }), text(value), value);
  }
});

Deno.test("expandVariables() does not expand what it has put in", () => {
  assertEquals(expand("$A", { A: "$B", B: "no" }), text("$B"));
});

Deno.test("expandVariables() names a variable that is not set", () => {
  assertEquals(expand("$A/$B", { A: "a" }), { kind: "undefined", name: "B" });
  assertEquals(expand("${B}"), { kind: "undefined", name: "B" });
});

Deno.test("expandVariables() refuses braces that hold no name", () => {
  assertEquals(expand("${B:-x}"), { kind: "malformed", found: "${B:-x}" });
  assertEquals(expand("${}"), { kind: "malformed", found: "${}" });
  assertEquals(expand("${B", { B: "b" }), { kind: "malformed", found: "${B" });
});
