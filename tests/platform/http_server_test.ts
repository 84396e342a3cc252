import { Agent, get } from "node:http";
import { limits } from "../../lib/base/limits.ts";
import type { ReplicationError } from "../../lib/base/errors.ts";
import { type Clock, SystemClock } from "../../lib/platform/clock.ts";
import { type HttpAnswer, plainAnswer } from "../../lib/platform/http_connection.ts";
import type { HttpRequest } from "../../lib/platform/http_request.ts";
import { serveHttp } from "../../lib/platform/http_server.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { SimulatedClock } from "../support/simulated_clock.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** A connection that sends the text; what comes back until the end, which a reset is too. */
class Client implements Disposable {
  readonly #connection: Deno.TcpConn;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async to(port: number): Promise<Client> {
    return new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#connection.write(rest));
  }

  async rest(): Promise<string> {
    const [decoder, bytes] = [new TextDecoder(), new Uint8Array(4_096)];
    let text = "";
    try {
      for (;;) {
        const count = await this.#connection.read(bytes);
        if (count === null) break;
        text += decoder.decode(bytes.subarray(0, count), { stream: true });
      }
    } catch {
      // Reset.
    }
    return text;
  }

  endOfRequests(): Promise<void> {
    return this.#connection.closeWrite();
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

const { socket, connect, setsockopt, close } = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
}).symbols;

const [AF_INET, SOCK_STREAM, SOL_SOCKET, SO_LINGER] = [2, 1, 1, 13];

/** Connects and ends that at once by a reset: with SO_LINGER of no time. */
function reset(port: number): void {
  const descriptor = socket(AF_INET, SOCK_STREAM, 0);
  const address = new Uint8Array([AF_INET, 0, port >> 8, port & 0xff, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  assertEquals(connect(descriptor, address, address.length), 0);
  const linger = new Uint8Array(Int32Array.of(1, 0).buffer);
  assertEquals(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, linger, linger.length), 0);
  close(descriptor);
}

async function withServer(
  work: (port: number, ask: (text: string) => Promise<string>) => Promise<void>,
  answer: (request: HttpRequest) => HttpAnswer = ({ path }) => plainAnswer(200, `you asked for ${path}`),
  clock: Clock = new SystemClock(),
): Promise<void> {
  const problems: ReplicationError[] = [];
  const server = serveHttp(
    { hostname: "127.0.0.1", port: 0 },
    answer,
    (problem) => problems.push(problem),
    clock,
  );
  const ask = async (text: string) => {
    using client = await Client.to(server.port);
    await client.send(text).catch(() => {}); // Answered before all of it was sent.
    return await client.rest();
  };
  try {
    await work(server.port, ask);
  } finally {
    await server.close();
  }
  assertEquals(problems, []);
}

/** No connection is over by its time, and a burst of them may come. */
class StandingClock extends SimulatedClock {
  /** How long the server has waited each time before it took the next connection. */
  readonly restsMs: number[] = [];

  constructor() {
    super(0);
    this.advance(limits.httpBurstMs);
  }

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms !== limits.httpConnectionMaxMs) this.restsMs.push(ms);
    return super.sleep(ms, signal);
  }
}

const BURST = limits.httpConnectionsPerSecondMax * limits.httpBurstMs / 1_000;

Deno.test("serveHttp() answers one request of each connection, and closes it", () =>
  withServer(async (_, ask) => {
    const answer = await ask(GET);
    assertMatch(answer, /^HTTP\/1\.1 200 OK\r\n(?:[a-z-]+: [^\r]+\r\n)+\r\nyou asked for \/\n$/);
    for (const header of ["connection: close", "content-length: 16", "cache-control: no-store"]) {
      assertStringIncludes(answer, `${header}\r\n`);
    }
    const pipelined = await ask(GET.repeat(3));
    assertEquals(pipelined.split("HTTP/1.1 200").length - 1, 1, "the first of several alone");
    assertMatch(await ask("HEAD /x HTTP/1.0\r\n\r\n"), /content-length: 17\r\n[^]*\r\n\r\n$/);
  }));

Deno.test("serveHttp() answers what is none, too large or another protocol, and goes on", () =>
  withServer(async (_, ask) => {
    const cases: readonly (readonly [sent: string, status: number])[] = [
      ["\x16\x03\x01\x02\x00\x01\x00", 400],
      ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
      ["GET / HTTP/1.1\r\n\r\n", 400],
      [`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(limits.httpHeadMaxBytes)}\r\n\r\n`, 431],
    ];
    for (const [sent, status] of cases) {
      assertMatch(await ask(sent), new RegExp(`^HTTP/1\\.1 ${status} `), sent.slice(0, 30));
    }
    assertMatch(
      await ask(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n${"x".repeat(50_000)}`),
      / 200 OK/,
    );
    await ask(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n${"x".repeat(20_000_000)}`);
    assertMatch(await ask(GET), / 200 OK/);
  }));

Deno.test("serveHttp() refuses a request that comes in too many pieces", () =>
  withServer(async (port) => {
    using client = await Client.to(port);
    const answer = client.rest();
    let isAnswered = false;
    answer.then(() => isAnswered = true);
    await client.send("GET /");
    while (!isAnswered) {
      await client.send("x").catch(() => {});
      await new Promise((resolve) => setImmediate(resolve));
    }
    assertMatch(await answer, /^HTTP\/1\.1 400 /);
  }));

Deno.test("serveHttp() takes only some of what comes behind a request", () =>
  withServer(
    async (port) => {
      using client = await Client.to(port);
      await client.send(GET);
      const more = "x".repeat(limits.httpHeadMaxBytes);
      await assertRejects(async () => {
        for (;;) await client.send(more);
      });
    },
    undefined,
    new StandingClock(),
  ));

Deno.test("serveHttp() answers who has ended its own side, and forgets who has gone", () =>
  withServer(async (port, ask) => {
    using half = await Client.to(port);
    await half.send(GET);
    await half.endOfRequests();
    assertMatch(await half.rest(), / 200 OK/);
    using nothing = await Client.to(port);
    await nothing.endOfRequests();
    assertEquals(await nothing.rest(), "");
    for (const sent of ["", "GET / HT", GET]) {
      using gone = await Client.to(port);
      await gone.send(sent);
    }
    assertMatch(await ask(GET), / 200 OK/);
  }));

Deno.test("serveHttp() takes the next one at once after connections that were reset before they were taken", () =>
  withServer(async (port, ask) => {
    for (let count = 0; count < 5; count++) reset(port); // Nothing is taken before this turn of the event loop ends.
    assertMatch(await ask(GET), / 200 OK/);
  }));

Deno.test("serveHttp() closes the oldest of too many connections, and answers the newest", () =>
  withServer(
    async (port, ask) => {
      const idle: Client[] = [];
      for (let count = 0; count < limits.httpConnectionsMax + 3; count++) idle.push(await Client.to(port));
      try {
        assertMatch(await ask(GET), / 200 OK/);
        for (const client of idle.slice(0, 4)) assertEquals(await client.rest(), "");
        for (const client of [idle[4], idle.at(-1)]) {
          await client?.send(GET);
          assertMatch(await client?.rest() ?? "", / 200 OK/);
        }
      } finally {
        for (const client of idle) client[Symbol.dispose]();
      }
    },
    undefined,
    new StandingClock(),
  ));

Deno.test("serveHttp() gives up one that has its answer before those that may still ask", () =>
  withServer(async (port, ask) => {
    const others: Client[] = [];
    using oldest = await Client.to(port);
    try {
      for (let count = 1; count < limits.httpConnectionsMax; count++) {
        const client = await Client.to(port);
        others.push(client);
        if (count % 2 !== 0) continue;
        await client.send(GET);
        assertMatch(await client.rest(), / 200 OK/); // And stays, as one does that keeps its connections.
      }
      for (let count = 0; count < 5; count++) assertMatch(await ask(GET), / 200 OK/);
      await oldest.send(GET);
      assertMatch(await oldest.rest(), / 200 OK/);
    } finally {
      for (const client of others) client[Symbol.dispose]();
    }
  }));

Deno.test("serveHttp() answers a scraper that keeps its connections, and asks by the next one when it may not", () =>
  withServer(async (port) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let count = 0; count < 5; count++) {
      const answered = Promise.withResolvers<readonly [status: number | undefined, body: string]>();
      get({ hostname: "127.0.0.1", port, path: "/metrics", agent }, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => body += text);
        response.on("end", () => answered.resolve([response.statusCode, body]));
      }).on("error", answered.reject);
      assertEquals(await answered.promise, [200, "you asked for /metrics\n"]);
    }
    agent.destroy();
  }));

Deno.test("limits leave who connects during a flood a while to ask, until as many others have come", () => {
  const whileMs = 1_000 * limits.httpConnectionsMax / limits.httpConnectionsPerSecondMax;
  assert(whileMs >= 300, `${whileMs} ms`);
});

Deno.test("serveHttp() ends every connection in time: who asks nothing, who goes on, and who does not read", () => {
  const clock = new StandingClock();
  let isAsked = false;
  return withServer(
    async (port) => {
      const clients = [await Client.to(port), await Client.to(port), await Client.to(port)];
      const [silent, late, deaf] = clients as [Client, Client, Client];
      await late.send("GET / HTTP/1.1\r\nHost:");
      await deaf.send(GET);
      await until(() => isAsked && clock.sleeping === clients.length, "all to be taken");
      clock.advance(limits.httpConnectionMaxMs - 1);
      await new Promise((resolve) => setTimeout(resolve, 100));
      assertEquals(clock.sleeping, clients.length, "who is in time");
      clock.advance(1);
      assertEquals([await silent.rest(), await late.rest()], ["", ""]);
      const answer = await deaf.rest();
      assert(answer.length < 30_000_000, `${answer.length}`);
      for (const client of clients) client[Symbol.dispose]();
    },
    () => {
      isAsked = true;
      return plainAnswer(200, "x".repeat(30_000_000));
    },
    clock,
  );
});

Deno.test("serveHttp() takes no more connections in the long run than it should, whether they ask or are reset", async () => {
  const oneMs = 1_000 / limits.httpConnectionsPerSecondMax;
  for (const isReset of [false, true]) {
    const clock = new StandingClock();
    await withServer(
      async (port, ask) => {
        for (let count = 1; count < BURST; count++) {
          if (isReset) reset(port);
          else assertMatch(await ask(GET), / 200 OK/);
        }
        assertMatch(await ask(GET), / 200 OK/);
        assertEquals(clock.restsMs, []);
        assertMatch(await ask(GET), / 200 OK/);
        await until(() => clock.restsMs.length > 0, "the server to rest");
        assertEquals(clock.restsMs, [oneMs]);
        const waiting = ask(GET);
        clock.advance(oneMs);
        assertMatch(await waiting, / 200 OK/);
      },
      undefined,
      clock,
    );
  }
});

Deno.test("serveHttp() leaves most of the time to others, however long an answer takes", () => {
  const clock = new StandingClock();
  const workMs = 100;
  return withServer(
    async (_, ask) => {
      await ask(GET);
      await ask(GET); // Its connection was taken before the first one was answered, or by then.
      await until(() => clock.restsMs.length > 0, "the server to rest");
      const oneMs = 1_000 / limits.httpConnectionsPerSecondMax;
      assertEquals(clock.restsMs, [workMs * limits.httpRestPerWork - limits.httpBurstMs + oneMs]);
    },
    () => {
      clock.advance(workMs);
      return plainAnswer(200, "well");
    },
    clock,
  );
});

Deno.test("serveHttp() that is closed leaves nothing behind, whatever is under way", async () => {
  const server = serveHttp(
    { hostname: "127.0.0.1", port: 0 },
    () => plainAnswer(200, "x".repeat(30_000_000)),
    () => {},
    new StandingClock(),
  );
  const clients = [await Client.to(server.port), await Client.to(server.port)];
  await clients[0]?.send(GET);
  await server.close();
  for (const client of clients) {
    await client.rest();
    client[Symbol.dispose]();
  }
  Deno.listen({ hostname: "127.0.0.1", port: server.port }).close();
});
