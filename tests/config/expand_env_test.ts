import { expandVariables, type Expansion } from "../../lib/config/expand_env.ts";
import { assertEquals } from "../support/assert.ts";

function expand(text: string, variables: Readonly<Record<string, string>> = {}): Expansion {
  return expandVariables(text, (name) => variables[name]);
}

function text(text: string, expanded: boolean): Expansion {
  return { kind: "text", text, expanded };
}

Deno.test("expandVariables() replaces $NAME and ${NAME}", () => {
  const variables = { HOME: "/home/me", A_1: "x", EMPTY: "" };
  assertEquals(expand("$HOME/app.db", variables), text("/home/me/app.db", true));
  assertEquals(expand("${HOME}app$A_1$A_1", variables), text("/home/meappxx", true));
  assertEquals(expand("[$EMPTY]", variables), text("[]", true));
});

Deno.test("expandVariables() keeps a dollar that begins no name", () => {
  assertEquals(expand("5$ and $5 and $"), text("5$ and $5 and $", false));
  assertEquals(expand("$$"), text("$$", false));
  assertEquals(expand("a$$B", { B: "b" }), text("a$b", true));
  assertEquals(expand(""), text("", false));
});

Deno.test("expandVariables() does not expand what it has put in", () => {
  assertEquals(expand("$A", { A: "$B", B: "no" }), text("$B", true));
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
