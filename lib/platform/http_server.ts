/**
 * Answers requests over HTTP, as little as that takes and within bounds (decision 0045): whoever asks, and however, costs a
 * bounded number of descriptors, none of the last ones, and a small part of the time.
 */
import { messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Clock } from "./clock.ts";
import { fileError, RAISE_OPEN_FILES } from "./file_error.ts";
import { type HttpAnswerer, HttpConnection } from "./http_connection.ts";
import { hasSpareDescriptors } from "./spare_descriptors.ts";

export interface ListenAddress {
  /** A name or an address; undefined: every one of this host. */
  readonly hostname: string | undefined;
  /** 0: one that is free. */
  readonly port: number;
}

export interface HttpServer {
  /** The port that it listens at. */
  readonly port: number;
  close(): Promise<void>;
}

/** As `Web.serve()` says. */
export function serveHttp(
  address: ListenAddress,
  answer: HttpAnswerer,
  trouble: (problem: ReplicationError) => void,
  clock: Clock,
): HttpServer {
  try {
    const listener = Deno.listen({ hostname: address.hostname ?? "0.0.0.0", port: address.port });
    return new AcceptLoop(listener, answer, trouble, clock);
  } catch (error) {
    const isTaken = error instanceof Deno.errors.AddrInUse;
    throw new ReplicationError(
      isTaken ? "busy" : "unavailable",
      `Cannot listen at ${formatAddress(address)}: ${isTaken ? "another process does" : messageOf(error)}`,
      { cause: error },
    );
  }
}

class AcceptLoop implements HttpServer {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #answer: HttpAnswerer;
  readonly #trouble: (error: ReplicationError) => void;
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  readonly #finished: Promise<void>;
  /** The oldest first. */
  readonly #connections = new Set<HttpConnection>();
  /** No connection is taken before: what is spent on one is rested for. */
  #restsUntilMs = 0;

  constructor(
    listener: Deno.TcpListener,
    answer: HttpAnswerer,
    trouble: (error: ReplicationError) => void,
    clock: Clock,
  ) {
    this.port = listener.addr.port;
    this.#listener = listener;
    this.#answer = answer;
    this.#trouble = trouble;
    this.#clock = clock;
    this.#finished = this.#run(this.#closed.signal);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#listener.close();
    await this.#finished;
    for (const connection of this.#connections) connection.close();
    await Promise.all([...this.#connections].map(({ ended }) => ended));
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const problem = await this.#takeOne();
      if (problem !== undefined && !signal.aborted) this.#trouble(problem);
      const restMs = problem === undefined ? this.#restsUntilMs - this.#clock.monotonicMs() : limits.httpTryAgainMs;
      if (restMs > 0) await this.#clock.sleep(restMs, signal);
    }
  }

  /** What is wrong, for a while: the system gives no connection, or what it gives is needed for replication. */
  async #takeOne(): Promise<ReplicationError | undefined> {
    const { hostname, port } = this.#listener.addr;
    let connection: Deno.TcpConn;
    try {
      connection = await this.#listener.accept();
    } catch (error) {
      this.#rest(1_000 / limits.httpConnectionsPerSecondMax);
      return isOfOneConnection(error)
        ? undefined
        : fileError("take a connection at", formatAddress({ hostname, port }), error);
    }
    if (this.#connections.size >= limits.httpConnectionsMax) await this.#closeOne();
    if (!await this.#hasDescriptors()) {
      connection.close();
      return new ReplicationError("unavailable", "Cannot take a connection: the last open files are for replication", {
        advice: RAISE_OPEN_FILES,
      });
    }
    this.#serve(connection);
    return undefined;
  }

  /** With few left, those that are held are given up before a new one is: else who is idle would keep out who asks. */
  async #hasDescriptors(): Promise<boolean> {
    while (!hasSpareDescriptors(limits.httpSpareDescriptors)) {
      if (this.#connections.size === 0) return false;
      await this.#closeOne();
    }
    return true;
  }

  /**
   * One that has its answer, else the one that is there longest: so each gets as long to ask as all get. To prefer those
   * that have asked nothing would close a newcomer first, where others do not read what they were answered. The descriptor
   * is free when it has ended.
   */
  async #closeOne(): Promise<void> {
    const [oldest] = this.#connections;
    const closed = [...this.#connections].find(({ isAnswered }) => isAnswered) ?? oldest;
    if (closed === undefined) return;
    closed.close();
    await closed.ended;
    this.#connections.delete(closed);
  }

  #serve(connection: Deno.TcpConn): void {
    this.#rest(1_000 / limits.httpConnectionsPerSecondMax);
    const served = new HttpConnection(connection, (request) => {
      const start = this.#clock.monotonicMs();
      try {
        return this.#answer(request);
      } finally {
        this.#rest((this.#clock.monotonicMs() - start) * limits.httpRestPerWork);
      }
    }, this.#clock);
    this.#connections.add(served);
    served.ended.then(() => this.#connections.delete(served));
  }

  #rest(ms: number): void {
    const now = this.#clock.monotonicMs();
    // A short burst is not slowed down.
    this.#restsUntilMs = Math.max(this.#restsUntilMs, now - limits.httpBurstMs) + ms;
  }
}

/** Whoever asked has reset it before it was taken, which says nothing of the next one. */
function isOfOneConnection(error: unknown): boolean {
  const { NotConnected, ConnectionAborted, ConnectionReset } = Deno.errors;
  return [NotConnected, ConnectionAborted, ConnectionReset].some((kind) => error instanceof kind);
}

/** `localhost:9090`, `[::1]:9090`, `:9090`. */
export function formatAddress({ hostname = "", port }: ListenAddress): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
