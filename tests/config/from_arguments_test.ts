import { ReplicationError } from "../../lib/base/errors.ts";
import {
  databaseConfigFromArguments,
  databasePathFromArgument,
  replicaConfigFromArgument,
} from "../../lib/config/from_arguments.ts";
import { parseConfig } from "../../lib/config/parse.ts";
import { assertEquals, assertFalse, assertStrictEquals, assertThrows } from "../support/assert.ts";

Deno.test("databaseConfigFromArguments() gives what a config of the same database gives", () => {
  const text = "dbs: [{path: app.db, replicas: [{url: 'file:///b/1'}, {name: file-2, url: 'file:///b/2'}]}]";
  const surroundings = { environment: () => undefined, currentFolder: "/work", expand: true };
  assertEquals(
    databaseConfigFromArguments("app.db", ["file:///b/1", "file:///b/2"], "/work"),
    parseConfig(text, "t.yml", surroundings).config.databases[0],
  );
});

Deno.test("replicaConfigFromArgument() refuses other URLs as wrong usage, without their user-info", () => {
  for (const url of ["s3://bucket", "/backup/app", "file://backup", "sftp://me:hunter2@host/x"]) {
    const error = assertThrows(() => replicaConfigFromArgument(url), ReplicationError, "Cannot use ");
    assertStrictEquals(error.code, "usage");
    assertFalse(error.message.includes("hunter2"), error.message);
  }
});

Deno.test("databasePathFromArgument() makes a path absolute and refuses a URL", () => {
  assertEquals(databasePathFromArgument("../app.db", "/work/x"), "/work/app.db");
  assertThrows(() => databasePathFromArgument("file:///x", "/"), ReplicationError, "it is a URL");
});
