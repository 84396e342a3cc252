import { Secret, withoutUserInfo } from "../../lib/base/secret.ts";
import { assertEquals, assertFalse } from "../support/assert.ts";

Deno.test("Secret hides its value from text, JSON and inspection, and reveals it when asked", () => {
  const secret = new Secret("hunter2");
  const shown = [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    Deno.inspect(secret),
    Deno.inspect({ nested: [secret] }, { depth: 9, showHidden: true }),
    new Error(`Cannot log in with ${secret}`).message,
  ];
  for (const text of shown) assertFalse(text.includes("hunter2"), text);
  assertEquals(secret.reveal(), "hunter2");
});

Deno.test("withoutUserInfo() hides all that stands before the last @ of a URL", () => {
  assertEquals(withoutUserInfo("sftp://me:word@host/x"), "sftp://(secret)@host/x");
  assertEquals(withoutUserInfo("sftp://me@host/x"), "sftp://(secret)@host/x");
  assertEquals(withoutUserInfo("s3://key:a/b@c@bucket/x"), "s3://(secret)@bucket/x");
  assertEquals(withoutUserInfo("the url sftp://me:a b@host/x: no"), "the url sftp://(secret)@host/x: no");
  assertEquals(withoutUserInfo("s3://bucket/x"), "s3://bucket/x");
  assertEquals(withoutUserInfo("s3://bucket/x?key=a&b: no"), "s3://bucket/x?(secret) no");
  assertEquals(withoutUserInfo("is this /data/app?x=1 it?"), "is this /data/app?x=1 it?");
  assertEquals(withoutUserInfo("/data/me@home.db"), "/data/me@home.db");
});
