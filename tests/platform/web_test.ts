/** `post()` tells one service and nobody else, and says nothing of its address. */
import { ReplicationError } from "../../lib/base/errors.ts";
import { parseWebAddress, type WebAddress } from "../../lib/base/web_address.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import { assert, assertEquals, assertFalse, assertRejects } from "../support/assert.ts";

interface Heard {
  readonly line: string;
  readonly body: string;
  readonly authorization: string | null;
}

type Answer = (url: URL) => Response;

async function withService(answer: Answer, work: (origin: string, heard: Heard[]) => Promise<void>): Promise<void> {
  const heard: Heard[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const url = new URL(request.url);
    const authorization = request.headers.get("authorization");
    heard.push({ line: `${request.method} ${url.pathname}${url.search}`, body: await request.text(), authorization });
    return answer(url);
  });
  await work(`127.0.0.1:${server.addr.port}`, heard);
}

function address(text: string): WebAddress {
  const parsed = parseWebAddress(text);
  assert(parsed !== undefined);
  return parsed;
}

const NEVER = new AbortController().signal;
const MINUTES_MS = 600_000;

function post(text: string, over = NEVER): Promise<void> {
  return new SystemWeb().post(address(text), "what was found", MINUTES_MS, over);
}

async function problemOf(text: string, over?: AbortSignal): Promise<string> {
  const error = await assertRejects(() => post(text, over), ReplicationError);
  assertEquals(error.code, "unavailable");
  return error.message;
}

function redirect(status: number, location: string): Response {
  return new Response("", { status, headers: { location } });
}

Deno.test("post() sends user-info as authorization, and nothing of it in the address", () =>
  withService(() => new Response(), async (origin, heard) => {
    await post(`http://me:p%40ss@${origin}/id?k=1#part`);
    await post(`http://${origin}/id`);
    const [first, second] = heard;
    assertEquals(first, { line: "POST /id?k=1", body: "what was found", authorization: `Basic ${btoa("me:p@ss")}` });
    assertEquals(second?.authorization, null);
  }));

for (const status of [301, 302, 307, 308]) {
  Deno.test(`post() tells the same again where a ${status} leads at the same service`, () =>
    withService(
      ({ pathname }) => pathname === "/id" ? redirect(status, "/other?k=2#part") : new Response(),
      async (origin, heard) => {
        await post(`http://me:word@${origin}/id`);
        const told = { body: "what was found", authorization: `Basic ${btoa("me:word")}` };
        assertEquals(heard, [{ line: "POST /id", ...told }, { line: "POST /other?k=2", ...told }]);
      },
    ));
}

Deno.test("post() fetches where a 303 leads", () =>
  withService(({ pathname }) => pathname === "/id" ? redirect(303, "seen") : new Response(), async (origin, heard) => {
    await post(`http://${origin}/id`);
    assertEquals(heard.map(({ line, body }) => [line, body]), [["POST /id", "what was found"], ["GET /seen", ""]]);
  }));

Deno.test("post() follows no redirect to another host, scheme or port, and tells nobody where it leads", () =>
  withService(
    () => new Response(),
    (other, heardThere) =>
      withService(({ search }) => redirect(302, decodeURIComponent(search.slice(1))), async (origin, heard) => {
        const localhost = origin.replace("127.0.0.1", "localhost");
        const places = [
          `http://${other}/secret`,
          `http://${localhost}/secret`,
          `https://${origin}/secret`,
          "file:///x",
        ];
        for (const place of places) {
          const problem = await problemOf(`http://me:word@${origin}/id?${encodeURIComponent(place)}`);
          assertEquals(problem, "Cannot ping (secret): it redirects to another host, scheme or port");
        }
        assertEquals([heard.length, heardThere.length], [places.length, 0]);
      }),
  ));

Deno.test("post() ends a redirect that goes round", () =>
  withService(() => redirect(307, "/id"), async (origin, heard) => {
    assertEquals(await problemOf(`http://${origin}/id`), "Cannot ping (secret): it redirects more than 5 times");
    assertEquals(heard.length, 6);
  }));

Deno.test("post() takes a redirect to nowhere for an answer that is none", () =>
  withService(() => new Response("", { status: 302 }), async (origin) => {
    assertEquals(await problemOf(`http://${origin}/id`), "Cannot ping (secret): it answers 302");
  }));

Deno.test("post() says why a service cannot be reached, and nothing of its address", async () => {
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = silent.addr;
  const hidden = ["secret-path", "secret-word", "secret-query", "secret-host", "secret-user"];
  const rest = "secret-path(a)b?secret-query";
  const problems: string[] = [];
  try {
    const hangUp = silent.accept().then(async (connection) => {
      await connection.read(new Uint8Array(1));
      connection.close();
    });
    problems.push(await problemOf(`http://secret-user:secret-word@127.0.0.1:${port}/${rest}`));
    await hangUp;
  } finally {
    silent.close();
  }
  problems.push(await problemOf(`http://secret-user:secret-word@127.0.0.1:${port}/${rest}`));
  problems.push(await problemOf(`http://secret-user:secret-word@secret-host.invalid/${rest}`));
  await withService(() => new Response(), async (origin) => {
    problems.push(await problemOf(`https://secret-user:secret-word@${origin}/${rest}`));
  });
  for (const problem of problems) {
    assert(problem.startsWith("Cannot ping (secret): ") && problem.length > "Cannot ping (secret): ".length);
    for (const part of [...hidden, "127.0.0.1", String(port), "http"]) assertFalse(problem.includes(part), problem);
  }
  assert(/refused/i.test(problems[1] ?? ""), problems[1]);
});

Deno.test({
  name: "post() is broken off when nothing more is to be told",
  timeout: 60_000,
  fn: async () => {
    const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const over = new AbortController();
    const accepted = silent.accept().then((connection) => {
      over.abort();
      return connection;
    });
    const problem = await problemOf(`http://127.0.0.1:${silent.addr.port}/id`, over.signal);
    assertEquals(problem, "Cannot ping (secret): the program was stopped");
    (await accepted).close();
    silent.close();
  },
});

Deno.test({
  name: "post() waits no longer for an answer than it is told",
  timeout: 60_000,
  fn: async () => {
    using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepted = silent.accept();
    const error = await assertRejects(
      () =>
        new SystemWeb().post(address(`http://127.0.0.1:${silent.addr.port}/id`), "", 200, new AbortController().signal),
      ReplicationError,
    );
    assertEquals(error.code, "unavailable");
    (await accepted).close();
  },
});
