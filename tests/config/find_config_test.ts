import { cleanEnvironment } from "../../lib/base/environment_value.ts";
import { chooseConfig, isLitestreamConfig } from "../../lib/config/find_config.ts";
import { assertEquals } from "../support/assert.ts";

/** Named by something that says nothing of Litestream. */
const named = { kind: "named", isLitestreams: false } as const;

function choose(flag: string | undefined, variables: Readonly<Record<string, string>> = {}) {
  return chooseConfig(flag, { environment: cleanEnvironment((name) => variables[name]), currentFolder: "/work" });
}

Deno.test("chooseConfig() prefers --config, then TAILRACE_CONFIG, then LITESTREAM_CONFIG", () => {
  const variables = { TAILRACE_CONFIG: "/t.yml", LITESTREAM_CONFIG: "/l.yml" };
  assertEquals(choose("x/c.yml", variables), { ...named, path: "/work/x/c.yml", by: "--config" });
  assertEquals(choose(undefined, variables), {
    ...named,
    path: "/t.yml",
    by: "the environment variable TAILRACE_CONFIG",
  });
  assertEquals(choose(undefined, { ...variables, TAILRACE_CONFIG: "" }), {
    kind: "named",
    path: "/l.yml",
    by: "the environment variable LITESTREAM_CONFIG",
    isLitestreams: true,
  });
});

Deno.test("chooseConfig() knows two places when nothing is named", () => {
  assertEquals(choose(undefined), { kind: "default", paths: ["/etc/tailrace.yml", "/etc/litestream.yml"] });
});

Deno.test("chooseConfig() expands the home folder", () => {
  assertEquals(choose("~/c.yml", { HOME: "/home/me" }), { ...named, path: "/home/me/c.yml", by: "--config" });
});

Deno.test("isLitestreamConfig() knows a config of Litestream's by its name, or by the variable that names it", () => {
  const isLitestreams = (flag: string | undefined, variables: Readonly<Record<string, string>>, path: string) =>
    isLitestreamConfig(choose(flag, variables), path);
  assertEquals(isLitestreams("/x/litestream.yml", {}, "/x/litestream.yml"), true);
  assertEquals(isLitestreams(undefined, { LITESTREAM_CONFIG: "/x/c.yml" }, "/x/c.yml"), true);
  assertEquals(isLitestreams(undefined, {}, "/etc/litestream.yml"), true);
  assertEquals(isLitestreams(undefined, {}, "/etc/tailrace.yml"), false);
  assertEquals(isLitestreams("/x/c.yml", { LITESTREAM_CONFIG: "/l.yml" }, "/x/c.yml"), false);
  assertEquals(isLitestreams("/x/my-litestream.yml", {}, "/x/my-litestream.yml"), false);
});
