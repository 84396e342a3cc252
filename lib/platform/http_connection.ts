/** One connection: one request, one answer, and its end. Whatever the other side does, it is over in time. */
import { limits } from "../base/limits.ts";
import type { Clock } from "./clock.ts";
import { type HttpRequest, readRequest } from "./http_request.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** The methods that would be answered, of a 405. */
  readonly allow?: string;
}

export type HttpAnswerer = (request: HttpRequest) => HttpAnswer;

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

export class HttpConnection {
  readonly #connection: Deno.TcpConn;
  readonly #clock: Clock;
  /** Resolves when it is closed; never rejects. */
  readonly ended: Promise<void>;
  #isClosed = false;
  #isAnswered = false;

  constructor(connection: Deno.TcpConn, answer: HttpAnswerer, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
    const over = new AbortController();
    clock.sleep(limits.httpConnectionMaxMs, over.signal).then(() => this.close());
    this.ended = this.#serve(answer)
      .catch(() => {}) // The other side broke it off, or took too long.
      .finally(() => {
        over.abort();
        this.close();
      });
  }

  /** All of the answer is the system's to send: who closes it now takes nothing from anybody. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.close();
  }

  async #serve(answer: HttpAnswerer): Promise<void> {
    const bytes = await this.#readAnswer(answer);
    if (bytes === undefined) return;
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await this.#connection.write(rest));
    await this.#connection.closeWrite();
    this.#isAnswered = true;
    await this.#takeRest();
  }

  /** Undefined when the other side ends before its request does. */
  async #readAnswer(answer: HttpAnswerer): Promise<Uint8Array | undefined> {
    const head = new Uint8Array(limits.httpHeadMaxBytes);
    for (let [length, reads] = [0, 0]; reads < limits.httpReadsMax; reads++) {
      const count = await this.#connection.read(head.subarray(length));
      if (count === null) return undefined;
      length += count;
      const read = readRequest(head.subarray(0, length));
      if (read.kind === "request") return this.#format(answered(answer, read.request), read.request.method === "HEAD");
      if (read.kind === "refused") return this.#format(plainAnswer(read.status, read.reason), false);
    }
    return this.#format(plainAnswer(400, "the request came in too many pieces"), false);
  }

  #format({ status, contentType, body, allow }: HttpAnswer, isHead: boolean): Uint8Array {
    const bytes = new TextEncoder().encode(body);
    const lines = [
      `HTTP/1.1 ${status} ${REASONS[status] ?? ""}`,
      `date: ${this.#clock.now().toUTCString()}`,
      `content-type: ${contentType}`,
      `content-length: ${bytes.length}`,
      "cache-control: no-store",
      "x-content-type-options: nosniff",
      ...(allow === undefined ? [] : [`allow: ${allow}`]),
      "connection: close",
    ];
    const head = new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`);
    if (isHead) return head;
    const both = new Uint8Array(head.length + bytes.length);
    both.set(head);
    both.set(bytes, head.length);
    return both;
  }

  /** Closed with bytes unread, the system would take the answer back. */
  async #takeRest(): Promise<void> {
    const bytes = new Uint8Array(limits.httpHeadMaxBytes);
    for (let reads = 0; reads < limits.httpReadsMax; reads++) {
      if (await this.#connection.read(bytes) === null) return;
    }
  }
}

export function plainAnswer(status: number, text: string): HttpAnswer {
  return { status, contentType: "text/plain; charset=utf-8", body: `${text}\n` };
}

function answered(answer: HttpAnswerer, request: HttpRequest): HttpAnswer {
  try {
    return answer(request);
  } catch {
    return plainAnswer(500, "that cannot be told at present");
  }
}
