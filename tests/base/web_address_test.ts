import { parseWebAddress, redirectTarget, type WebAddress, withPathEnd } from "../../lib/base/web_address.ts";
import { assert, assertEquals, assertFalse } from "../support/assert.ts";

function address(text: string): WebAddress {
  const parsed = parseWebAddress(text);
  assert(parsed !== undefined, text);
  return parsed;
}

const IMPOSSIBLE = [
  ...[
    "",
    "secret-token",
    "ftp://host/x",
    "file:///etc/passwd",
    "https://",
    "http://?x",
    "https:///host/x",
    "https:host",
  ],
  ...["https://me@/x", "https://:80/x", "https://host:99999/", "https://host:0/", "https://host:x/", "https://[::1/x"],
  ...["https://[::g]/", "https://ho st/x", "https://host/a b", "https://host/x\n", "https://host\\x", " https://host"],
  ...["https://host/\0", "https://me:100%@host/", "https://exa%mple/", "mailto:me@host", "@https://host"],
];

Deno.test("parseWebAddress() refuses what nobody can be told at", () => {
  for (const text of IMPOSSIBLE) assertEquals(parseWebAddress(text), undefined, text);
});

Deno.test("parseWebAddress() keeps path and query as they are encoded, and takes fragment and user-info off", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["https://hc.example/a%2Fb/ü?k=%26&e=a@b", "https://hc.example/a%2Fb/%C3%BC?k=%26&e=a@b"],
    ["HTTP://Hc.Example:80", "http://hc.example/"],
    ["http://[::1]:8080/x/", "http://[::1]:8080/x/"],
    ["https://host/x#part", "https://host/x"],
    ["https://me:word@host/x", "https://host/x"],
  ];
  for (const [text, url] of rows) assertEquals(address(text).url.reveal(), url);
});

Deno.test("parseWebAddress() makes an authorization of user-info, in UTF-8, and shows neither", () => {
  const basic = (text: string) => address(text).authorization?.reveal();
  assertEquals(basic("https://host/me@x"), undefined);
  assertEquals(basic("https://me:p%40ss%3A@host/"), `Basic ${btoa("me:p@ss:")}`);
  assertEquals(basic("https://token@host/"), `Basic ${btoa("token:")}`);
  assertEquals(basic("https://:word@host/"), `Basic ${btoa(":word")}`);
  assertEquals(basic("https://m%C3%A9:w@host/"), "Basic bcOpOnc=");
  const shown = `${Deno.inspect(address("https://me:word@host/x"))}${
    JSON.stringify(address("https://me:word@host/x"))
  }`;
  for (const part of ["me", "word", "host", "Basic"]) assertFalse(shown.includes(part), part);
});

Deno.test("withPathEnd() stands behind the path and before a query", () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ["https://host/id", "/start", "https://host/id/start"],
    ["https://host/id/", "/fail", "https://host/id/fail"],
    ["https://host/id/", "", "https://host/id"],
    ["https://host", "/start", "https://host/start"],
    ["https://host/", "", "https://host/"],
    ["https://host/id?key=a/b&c=?", "/start", "https://host/id/start?key=a/b&c=?"],
    ["https://host?key=1", "/fail", "https://host/fail?key=1"],
    ["https://host/a%3Fb/#part", "/start", "https://host/a%3Fb/start"],
    ["http://[::1]:80/x", "/fail", "http://[::1]/x/fail"],
  ];
  for (const [text, end, url] of rows) assertEquals(withPathEnd(address(text), end).url.reveal(), url);
  assertEquals(withPathEnd(address("https://me:w@host/"), "/fail").authorization?.reveal(), `Basic ${btoa("me:w")}`);
});

Deno.test("redirectTarget() stays with scheme, host and port, or goes from http to https", () => {
  const rows: readonly (readonly [from: string, location: string, target: string | undefined])[] = [
    ["https://host/a?k=1", "/b", "https://host/b"],
    ["https://host/a/b", "c?d=1#e", "https://host/a/c?d=1"],
    ["https://host/a", "https://HOST:443/b", "https://host/b"],
    ["https://host/a", "//host/b", "https://host/b"],
    ["https://host/a", "https://me:word@host/b", "https://host/b"],
    ["http://host/a", "https://host/a", "https://host/a"],
    ["http://[::1]:9/a", "http://[0:0::1]:9/b", "http://[::1]:9/b"],
    ["http://host/a", "https://host:8443/a", undefined],
    ["http://host:8080/a", "https://host/a", undefined],
    ["http://host/a", "https://evil/a", undefined],
    ["http://host/a", "https://www.host/a", undefined],
    ["https://host/a", "http://host/a", undefined],
    ["https://host/a", "https://host:444/a", undefined],
    ["https://host/a", "https://www.host/a", undefined],
    ["https://host/a", "https://host.evil/a", undefined],
    ["https://host/a", "https://host@evil/a", undefined],
    ["https://host/a", "//evil/a", undefined],
    ["https://host/a", "\\\\evil/a", undefined],
    ["https://host/a", "file:///etc/passwd", undefined],
    ["https://host/a", "data:text/plain,x", undefined],
    ["https://host/a", "https://", undefined],
  ];
  for (const [from, location, target] of rows) assertEquals(redirectTarget(from, location), target, location);
});
