import { formatReplicaUrl, isReplicaUrl, parseReplicaUrl } from "../../lib/config/replica_url.ts";
import { assert, assertEquals, assertFalse, assertStringIncludes } from "../support/assert.ts";

function problemOf(url: string): string {
  const parsed = parseReplicaUrl(url);
  assert(parsed.kind === "refused", url);
  return `${parsed.shown}: ${parsed.problem}`;
}

Deno.test("parseReplicaUrl() reads file URLs with an absolute path", () => {
  assertEquals(parseReplicaUrl("file:///backup/app"), { kind: "file", path: "/backup/app" });
  assertEquals(parseReplicaUrl("FILE:///backup//x/../app/"), { kind: "file", path: "/backup/app" });
});

Deno.test("parseReplicaUrl() decodes nothing, and formatReplicaUrl() is its twin", () => {
  for (const path of ["/a%20b", "/a b", "/a?b#c", "/\u00e9", "/a@b:c"]) {
    assertEquals(parseReplicaUrl(formatReplicaUrl(path)), { kind: "file", path });
  }
});

Deno.test("parseReplicaUrl() refuses relative file URLs, plain paths and other schemes, each with what to write", () => {
  assertStringIncludes(problemOf("file://backup/app"), "must be absolute");
  assertStringIncludes(problemOf("file://"), "must be absolute");
  assertStringIncludes(problemOf("/backup/app"), "write file:///backup/app");
  assertStringIncludes(problemOf("backup"), "write file:///absolute/path");
  assertStringIncludes(problemOf("file:///a\0b"), "NUL");
  for (const scheme of ["s3", "gs", "abs", "sftp", "https"]) {
    assertStringIncludes(problemOf(`${scheme}://bucket/x`), "not supported by this version");
  }
});

Deno.test("parseReplicaUrl() shows no user-info", () => {
  assertFalse(problemOf("sftp://me:hunter2@host/x").includes("hunter2"));
});

Deno.test("isReplicaUrl() tells a URL from a database", () => {
  for (const url of ["file:///x", "s3://bucket", "file://"]) assert(isReplicaUrl(url), url);
  for (const path of ["/data/app.db", "app.db", "file:/x", "://x", "a b://c"]) assertFalse(isReplicaUrl(path), path);
});
