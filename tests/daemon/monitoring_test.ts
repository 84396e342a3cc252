import { createLogger } from "../../lib/base/log.ts";
import { limits } from "../../lib/base/limits.ts";
import type { DatabaseFacts } from "../../lib/daemon/health.ts";
import { Monitoring } from "../../lib/daemon/monitoring.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { databaseFacts } from "../support/health_facts.ts";
import { SimulatedClock } from "../support/simulated_clock.ts";

const FACTS = databaseFacts({ position: undefined, databaseBytes: 4_096, replicas: [] });

function aMonitoring(
  hostname: string | undefined,
  port: number,
  look: () => readonly DatabaseFacts[],
  names: readonly string[] = [],
) {
  const lines: string[] = [];
  const clock = new SimulatedClock(0);
  const log = createLogger({
    level: "debug",
    format: "text",
    now: () => clock.now(),
    writeLine: (line) => lines.push(line),
  });
  const monitoring = new Monitoring({ address: { hostname, port }, names, clock, web: new SystemWeb(), log, look });
  const address = async () => {
    await until(() => lines.some((line) => line.includes("Serving")), "the server");
    return /metrics=(http:\S+)\/metrics/.exec(lines.find((line) => line.includes("Serving")) ?? "")?.[1] ?? "";
  };
  return { monitoring, lines, clock, address };
}

async function get(address: string, init?: RequestInit) {
  const response = await fetch(address, init);
  return { status: response.status, type: response.headers.get("content-type"), body: await response.text() };
}

Deno.test("Monitoring serves metrics and health, and nothing else", async () => {
  let facts = FACTS;
  const { monitoring, address, lines, clock } = aMonitoring("127.0.0.1", 0, () => [facts]);
  const at = await address();
  const metrics = await get(`${at}/metrics`);
  assertEquals([metrics.status, metrics.type], [200, "text/plain; version=0.0.4; charset=utf-8"]);
  assertStringIncludes(metrics.body, 'tailrace_database_size_bytes{database="/data/app.db"} 4096\n');
  const well = await get(`${at}/health`);
  assertEquals([well.status, well.type, JSON.parse(well.body).healthy], [200, "application/json", true]);
  facts = { ...FACTS, trouble: "the database is no longer there" };
  assertEquals((await get(`${at}/health`)).status, 200, "who asks at once is told the same");
  clock.advance(limits.healthFreshMs);
  const ill = await get(`${at}/health?verbose`);
  assertEquals([ill.status, JSON.parse(ill.body).databases[0].problem], [503, "the database is no longer there"]);
  assertStringIncludes((await get(`${at}/metrics`)).body, "tailrace_healthy 0\n");
  const head = await get(`${at}/health`, { method: "HEAD" });
  assertEquals([head.status, head.body], [503, ""]);
  assertEquals((await get(`${at}/`)).status, 404);
  assertEquals((await get(`${at}/debug/pprof/`)).status, 404);
  const posted = await fetch(`${at}/health`, { method: "POST", body: "x" });
  assertEquals([posted.status, posted.headers.get("allow")], [405, "GET, HEAD"]);
  await posted.body?.cancel();
  assert(!lines.some((line) => line.includes("WARN")), lines.join("\n"));
  await monitoring.stop();
});

Deno.test("Monitoring says so when everybody may ask", async () => {
  const { monitoring, address, lines } = aMonitoring(undefined, 0, () => [FACTS]);
  assertMatch(await address(), /^http:\/\/localhost:\d+$/);
  assert(lines.some((line) => line.includes("WARN")), lines.join("\n"));
  await monitoring.stop();
});

Deno.test("Monitoring asks again for a port that another process has, which is said once", async () => {
  const other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = other.addr as Deno.NetAddr;
  const { monitoring, address, lines, clock } = aMonitoring("127.0.0.1", port, () => [FACTS]);
  const isTried = () => until(() => clock.sleeping === 1, "the next try");
  await isTried();
  clock.advance(limits.listenAgainMs);
  await isTried();
  const said = `No metrics and no health: Cannot listen at 127.0.0.1:${port}: another process does`;
  assertEquals(lines.filter((line) => line.includes(said)).length, 1, lines.join("\n"));
  assertEquals(lines.length, 1);
  other.close();
  clock.advance(limits.listenAgainMs);
  assertEquals((await get(`${await address()}/health`)).status, 200);
  await monitoring.stop();
});

Deno.test("Monitoring that never got its port can be stopped", async () => {
  using _other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = _other.addr as Deno.NetAddr;
  const { monitoring, clock } = aMonitoring("127.0.0.1", port, () => [FACTS]);
  await until(() => clock.sleeping === 1, "the next try");
  await monitoring.stop();
});

Deno.test("Monitoring answers 500 when a look fails, and goes on", async () => {
  let isBroken = true;
  const { monitoring, address } = aMonitoring("127.0.0.1", 0, () => {
    if (isBroken) throw new Error("a fault");
    return [FACTS];
  });
  const at = await address();
  assertEquals((await get(`${at}/health`)).status, 500);
  isBroken = false;
  assertEquals((await get(`${at}/health`)).status, 200);
  await monitoring.stop();
});
