/** Of a reply to `post()` nothing counts but the status. */
import { ReplicationError } from "../../lib/base/errors.ts";
import { parseWebAddress, type WebAddress } from "../../lib/base/web_address.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import { assert, assertEquals, assertLess, assertRejects } from "../support/assert.ts";

const PIECE = new Uint8Array(64 << 10);
const NEVER = new AbortController().signal;
/** As good as endless, and no harm to the machine should somebody read it. */
const ENDLESS_BYTES = 256 << 20;

function addressOf(text: string): WebAddress {
  const address = parseWebAddress(text);
  assert(address !== undefined);
  return address;
}

/** A service whose reply does not end; how much of it was taken. */
async function withEndless(status: number, work: (address: WebAddress) => Promise<void>): Promise<number> {
  let sentBytes = 0;
  const ended = Promise.withResolvers<void>();
  const body = () =>
    new ReadableStream({
      pull: (controller) => {
        sentBytes += PIECE.length;
        controller.enqueue(PIECE);
        if (sentBytes < ENDLESS_BYTES) return;
        controller.close();
        ended.resolve();
      },
      cancel: () => ended.resolve(),
    });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    await request.text();
    return new Response(body(), { status });
  });
  try {
    await work(addressOf(`http://127.0.0.1:${server.addr.port}/ping`));
    await ended.promise; // It hears that nobody reads on, also where it goes on for ever.
  } finally {
    await server.shutdown();
  }
  return sentBytes;
}

Deno.test("SystemWeb.post() hears the status and does not read a reply that never ends", async () => {
  const bytes = await withEndless(200, (address) => new SystemWeb().post(address, "done", 60_000, NEVER));
  // What the system takes of it between two sockets is not read by us.
  assertLess(bytes, 64 << 20);
});

Deno.test("SystemWeb.post() tells a refusal whose reply never ends", async () => {
  await withEndless(500, async (address) => {
    const error = await assertRejects(() => new SystemWeb().post(address, "done", 60_000, NEVER), ReplicationError);
    assertEquals(error.message, "Cannot ping (secret): it answers 500");
  });
});

/** A service that says this and then nothing, and keeps the connection. */
async function withSilent(beginning: string, work: (address: WebAddress) => Promise<void>): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted: Deno.TcpConn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      accepted.push(connection);
      await connection.write(new TextEncoder().encode(beginning));
    }
  })();
  await work(addressOf(`http://127.0.0.1:${listener.addr.port}/ping`));
  for (const connection of accepted) connection.close();
  listener.close();
  await accepting;
}

Deno.test("SystemWeb.post() does not wait for a reply that comes slowly", () =>
  withSilent("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n.", async (address) => {
    await new SystemWeb().post(address, "done", 2 ** 30, NEVER); // A limit of days: it is not what ends this.
  }));

Deno.test("SystemWeb.post() gives up a service that says nothing, after the time that it was given", () =>
  withSilent("HTTP/1.1 200 OK\r\n", async (address) => {
    const error = await assertRejects(() => new SystemWeb().post(address, "done", 50, NEVER), ReplicationError);
    assertEquals(error.code, "unavailable");
  }));
