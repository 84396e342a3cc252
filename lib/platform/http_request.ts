/**
 * The head of one HTTP request (RFC 9112, version 1): a line `METHOD TARGET HTTP/1.x`, lines `name: value`, an empty line.
 * A line ends with CRLF, or LF alone. Bodies are nobody's business here: whoever answers closes the connection.
 */
import { limits } from "../base/limits.ts";

export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** The host that is asked for, as it was sent: `name`, `name:port`, `[::1]:port`; undefined only in HTTP/1.0. */
  readonly host: string | undefined;
}

/** `refused`: it is no such request, or too long; `status` is what to answer. */
export type ReadRequest =
  | { readonly kind: "request"; readonly request: HttpRequest }
  | { readonly kind: "incomplete" }
  | { readonly kind: "refused"; readonly status: number; readonly reason: string };

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/(\\d)\\.(\\d)$`);
const FIELD_LINE = new RegExp(`^(${TOKEN}):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*?)[ \\t]*$`);
/** `http://host/path`, as proxies are asked. */
const ABSOLUTE_TARGET = /^http:\/\/([^/?]*)([^?]*)/i;
const END_OF_HEAD = /\r?\n\r?\n/;
/** What a request that has only begun looks like; TLS and other protocols do not. */
const BEGINNING = /^[!#$%&'*+.^_`|~0-9A-Za-z-]*(?:[ ]|$)/;
const LEADING_LINES = /^(?:\r?\n)+/;

/** Reads what has come so far. */
export function readRequest(bytes: Uint8Array): ReadRequest {
  const text = new TextDecoder("latin1").decode(bytes).replace(LEADING_LINES, "");
  const end = text.search(END_OF_HEAD);
  if (end === -1) {
    if (text !== "\r" && !BEGINNING.test(text)) return refused(400, "this is no HTTP request");
    if (bytes.length < limits.httpHeadMaxBytes) return { kind: "incomplete" };
    return refused(431, `a request's head is at most ${limits.httpHeadMaxBytes} bytes`);
  }
  const [requestLine = "", ...fieldLines] = text.slice(0, end).split(/\r?\n/);
  const [, method = "", target = "", major, minor] = REQUEST_LINE.exec(requestLine) ?? [];
  if (major === undefined) return refused(400, "the first line is no request");
  if (major !== "1") return refused(505, "HTTP/1.1 is spoken here");
  const hosts: string[] = [];
  for (const line of fieldLines) {
    const [, name, value = ""] = FIELD_LINE.exec(line) ?? [];
    if (name === undefined) return refused(400, "a header is malformed");
    if (name.toLowerCase() === "host") hosts.push(value);
  }
  if (hosts.length > 1) return refused(400, "there is more than one Host");
  if (hosts.length === 0 && minor !== "0") return refused(400, "there is no Host");
  const absolute = ABSOLUTE_TARGET.exec(target);
  const path = absolute === null ? target.split("?", 1)[0] ?? "" : absolute[2] || "/";
  return { kind: "request", request: { method, path, host: absolute?.[1] ?? hosts[0] } };
}

function refused(status: number, reason: string): ReadRequest {
  return { kind: "refused", status, reason };
}
