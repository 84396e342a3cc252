import { chooseConfig } from "../../lib/config/find_config.ts";
import { assertEquals } from "../support/assert.ts";

function choose(flag: string | undefined, variables: Readonly<Record<string, string>> = {}) {
  return chooseConfig(flag, { environment: (name) => variables[name], currentFolder: "/work" });
}

Deno.test("chooseConfig() prefers --config, then TAILRACE_CONFIG, then LITESTREAM_CONFIG", () => {
  const variables = { TAILRACE_CONFIG: "/t.yml", LITESTREAM_CONFIG: "/l.yml" };
  assertEquals(choose("x/c.yml", variables), { kind: "named", path: "/work/x/c.yml", by: "--config" });
  assertEquals(choose(undefined, variables), {
    kind: "named",
    path: "/t.yml",
    by: "the environment variable TAILRACE_CONFIG",
  });
  assertEquals(choose(undefined, { ...variables, TAILRACE_CONFIG: "" }), {
    kind: "named",
    path: "/l.yml",
    by: "the environment variable LITESTREAM_CONFIG",
  });
});

Deno.test("chooseConfig() knows two places when nothing is named", () => {
  assertEquals(choose(undefined), { kind: "default", paths: ["/etc/tailrace.yml", "/etc/litestream.yml"] });
});

Deno.test("chooseConfig() expands the home folder", () => {
  assertEquals(choose("~/c.yml", { HOME: "/home/me" }), { kind: "named", path: "/home/me/c.yml", by: "--config" });
});
