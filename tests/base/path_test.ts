import { assertEquals } from "../support/assert.ts";
import { basename, dirname, isAbsolute, join, relative, resolve } from "../../lib/base/path.ts";

Deno.test("path.ts passes on the functions of @std/path with the meaning of node:path", () => {
  assertEquals(join("/data", "..", "app.db"), "/app.db");
  assertEquals(dirname("/data/app.db"), "/data");
  assertEquals(basename("/data/app.db"), "app.db");
  assertEquals(relative("/data/a", "/data/b"), "../b");
  assertEquals([isAbsolute("/a"), isAbsolute("a")], [true, false]);
  assertEquals(resolve("/data", "app.db"), "/data/app.db");
});
