/** Tells a web address something, of whose answer only the status counts; and answers who asks this host. */
import { messageOf, ReplicationError } from "../base/errors.ts";
import { product } from "../base/product.ts";
import { redirectTarget, type WebAddress } from "../base/web_address.ts";
import { SystemClock } from "./clock.ts";
import type { HttpAnswerer } from "./http_connection.ts";
import { type HttpServer, type ListenAddress, serveHttp } from "./http_server.ts";

export interface Web {
  /**
   * Throws `unavailable` when the address cannot be reached before `over` is aborted, or in time, or refuses; the message
   * never holds anything of the address.
   */
  post(address: WebAddress, body: string, timeoutMs: number, over: AbortSignal): Promise<void>;
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

  async post(address: WebAddress, body: string, timeoutMs: number, over: AbortSignal): Promise<void> {
    let problem: string;
    try {
      const response = await send(address, body, AbortSignal.any([over, AbortSignal.timeout(timeoutMs)]));
      await response.body?.cancel(); // The status is the whole answer; a reply may be endless.
      if (response.ok) return;
      problem = `it answers ${response.status}`;
    } catch (error) {
      problem = over.aborted ? "the program was stopped" : problemOf(error, address);
    }
    throw new ReplicationError("unavailable", `Cannot ping ${address.url}: ${problem}`);
  }
}

const REDIRECTS_MAX = 5;

/** Follows redirects as far as they stay at the same service: nobody else is told what is meant for it, nor its password. */
async function send({ url, authorization }: WebAddress, body: string, signal: AbortSignal): Promise<Response> {
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    "user-agent": `${product.name}/${product.version}`,
    ...(authorization === undefined ? {} : { authorization: authorization.reveal() }),
  };
  let [target, isSeeOther] = [url.reveal(), false];
  for (let redirects = 0;; redirects++) {
    // What is told is told again there, but where the service says that it is to be fetched.
    const request = isSeeOther ? { method: "GET" } : { method: "POST", body };
    const response = await fetch(target, { ...request, headers, redirect: "manual", signal });
    const location = response.headers.get("location");
    if (response.status < 300 || response.status > 399 || location === null) return response;
    await response.body?.cancel();
    const next = redirectTarget(target, location);
    if (next === undefined) throw new Refusal("it redirects to another host, scheme or port");
    if (redirects === REDIRECTS_MAX) throw new Refusal(`it redirects more than ${REDIRECTS_MAX} times`);
    isSeeOther ||= response.status === 303;
    target = next;
  }
}

/** In words of our own. */
class Refusal extends Error {}

/** Why it cannot be reached, in the words of the run-time as long as they hold nothing of the address. */
function problemOf(error: unknown, { url }: WebAddress): string {
  if (error instanceof Refusal) return error.message;
  const reason = messageOf(error instanceof Error && error.cause !== undefined ? error.cause : error)
    .replace(/^.*client error \(\w+\): /s, "");
  if (/certificate/i.test(reason)) return "its certificate is not accepted";
  const { hostname, pathname, search } = new URL(url.reveal());
  const isTold = [hostname, pathname.slice(1), search].some((part) => part !== "" && reason.includes(part));
  return isTold || /https?:/i.test(reason) ? "it cannot be reached" : reason;
}
