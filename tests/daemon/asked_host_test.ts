import { judgeHost } from "../../lib/daemon/asked_host.ts";
import { assertEquals } from "../support/assert.ts";

const EVERYWHERE = [undefined, "0.0.0.0", "::", "10.0.0.5", "backup.example.com"];
const HERE = ["127.0.0.1", "::1", "localhost", "127.0.0.2"];

function kindOf(host: string | undefined, hostname: string | undefined, names: readonly string[] = []) {
  return judgeHost(host, { hostname, port: 9090 }, names).kind;
}

Deno.test("judgeHost() knows the loopback's names and numbers, whatever is listened at, and who names nobody", () => {
  const hosts = [
    "localhost",
    "LOCALHOST:9090",
    "localhost.",
    "127.0.0.1:1",
    "127.9.9.9",
    "[::1]:9090",
    "127.1",
    undefined,
  ];
  for (const hostname of [...EVERYWHERE, ...HERE]) {
    for (const host of hosts) assertEquals(kindOf(host, hostname), "ours", `${host} at ${hostname}`);
  }
});

Deno.test("judgeHost() takes another name only where others are served, and only one that no stranger can have", () => {
  const cases: readonly (readonly [host: string, elsewhere: string])[] = [
    ["backup:9090", "ours"],
    ["tailrace", "ours"],
    ["10.0.0.7:9090", "ours"],
    ["[2001:db8::7]:9090", "ours"],
    ["rebound.example", "foreign"],
    ["rebound.example:9090", "foreign"],
    ["localhost.rebound.example", "foreign"],
    ["127.0.0.1.rebound.example", "foreign"],
    ["rebound.localhost", "foreign"],
    ["rebound-localhost", "ours"],
  ];
  for (const [host, elsewhere] of cases) {
    for (const hostname of EVERYWHERE) assertEquals(kindOf(host, hostname), elsewhere, `${host} at ${hostname}`);
    for (const hostname of HERE) assertEquals(kindOf(host, hostname), "foreign", `${host} at ${hostname}`);
  }
});

Deno.test("judgeHost() takes the name that is listened at, and those of the config, whatever their form", () => {
  assertEquals(kindOf("Backup.Example.com.:80", "backup.example.com"), "ours");
  for (const hostname of [...EVERYWHERE, ...HERE]) {
    assertEquals(kindOf("b.example.org:9090", hostname, ["a.example.org", "B.example.org"]), "ours");
    assertEquals(kindOf("c.example.org:9090", hostname, ["a.example.org", "B.example.org"]), "foreign");
  }
  assertEquals(kindOf("[2001:DB8:0::5]", "2001:db8::5"), "ours");
});

Deno.test("judgeHost() tells what is no host at all", () => {
  const hosts = [
    "",
    " ",
    "a b",
    "a/b",
    "a@b",
    "a:x",
    "a:123456",
    "[",
    "[::1",
    "[:::::]",
    "::1",
    "a,b",
    "a:99999",
    ":80",
    ".",
  ];
  for (const host of hosts) {
    for (const hostname of [undefined, "127.0.0.1"]) assertEquals(kindOf(host, hostname), "malformed", host);
  }
});
