/** Tells a web address something, whose answer is read and forgotten; and answers who asks this host. */
import { messageOf, ReplicationError } from "../base/errors.ts";
import { product } from "../base/product.ts";
import type { Secret } from "../base/secret.ts";
import { SystemClock } from "./clock.ts";
import type { HttpAnswerer } from "./http_connection.ts";
import { type HttpServer, type ListenAddress, serveHttp } from "./http_server.ts";

export interface Web {
  /** Throws `unavailable` when the address cannot be reached in time or refuses; the message never holds the address. */
  post(address: Secret, body: string, timeoutMs: number): Promise<void>;
  /**
   * `trouble` is told what keeps it from answering for a while, whenever that is so. Throws `busy` when another process has
   * the port, else `unavailable`.
   */
  serve(address: ListenAddress, answer: HttpAnswerer, trouble: (problem: ReplicationError) => void): HttpServer;
}

export class SystemWeb implements Web {
  serve(address: ListenAddress, answer: HttpAnswerer, trouble: (problem: ReplicationError) => void): HttpServer {
    return serveHttp(address, answer, trouble, new SystemClock());
  }

  async post(address: Secret, body: string, timeoutMs: number): Promise<void> {
    let problem: string;
    try {
      const response = await fetch(address.reveal(), {
        method: "POST",
        body,
        headers: { "content-type": "text/plain; charset=utf-8", "user-agent": `${product.name}/${product.version}` },
        signal: AbortSignal.timeout(timeoutMs),
      });
      await response.arrayBuffer();
      if (response.ok) return;
      problem = `it answers ${response.status}`;
    } catch (error) {
      // What the run-time says repeats the address.
      problem = messageOf(error).replaceAll(address.reveal(), String(address)).split("(http")[0]?.trim() ?? "";
    }
    throw new ReplicationError("unavailable", `Cannot ping ${address}: ${problem}`);
  }
}
