/** Answers requests over HTTP, of which it knows method and path alone. */
import { messageOf, ReplicationError } from "../base/errors.ts";

export interface ListenAddress {
  /** A name or an address; undefined: every one of this host. */
  readonly hostname: string | undefined;
  /** 0: one that is free. */
  readonly port: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export type HttpAnswerer = (method: string, path: string) => HttpAnswer;

export interface HttpServer {
  /** The port that it listens at. */
  readonly port: number;
  close(): Promise<void>;
}

/** Throws `busy` when another process has the port, else `unavailable`. */
export function serveHttp(address: ListenAddress, answer: HttpAnswerer): HttpServer {
  const hostname = address.hostname ?? "0.0.0.0";
  try {
    const server = Deno.serve(
      { hostname, port: address.port, onListen: () => {}, onError: () => new Response(null, { status: 500 }) },
      ({ method, url }) => {
        const { status, contentType, body } = answer(method, new URL(url).pathname);
        const headers = { "content-type": contentType, "cache-control": "no-store" };
        return new Response(method === "HEAD" ? null : body, { status, headers });
      },
    );
    return { port: server.addr.port, close: () => server.shutdown() };
  } catch (error) {
    const isTaken = error instanceof Deno.errors.AddrInUse;
    throw new ReplicationError(
      isTaken ? "busy" : "unavailable",
      `Cannot listen at ${formatAddress(address)}: ${isTaken ? "another process does" : messageOf(error)}`,
      { cause: error },
    );
  }
}

/** `localhost:9090`, `[::1]:9090`, `:9090`. */
export function formatAddress({ hostname = "", port }: ListenAddress): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
