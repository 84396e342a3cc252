import { limits } from "../../lib/base/limits.ts";
import { type ReadRequest, readRequest } from "../../lib/platform/http_request.ts";
import { assertEquals } from "../support/assert.ts";

function read(text: string): ReadRequest {
  return readRequest(new TextEncoder().encode(text));
}

function statusOf(text: string): number | string {
  const found = read(text);
  return found.kind === "refused" ? found.status : found.kind;
}

Deno.test("readRequest() reads method, path and Host", () => {
  const cases: readonly (readonly [head: string, method: string, path: string, host: string | undefined])[] = [
    ["GET /metrics HTTP/1.1\r\nHost: a:9090\r\n\r\n", "GET", "/metrics", "a:9090"],
    ["GET /health?verbose HTTP/1.1\r\nhost:a\r\nAccept: */*\r\n\r\n", "GET", "/health", "a"],
    ["HEAD / HTTP/1.0\r\n\r\n", "HEAD", "/", undefined],
    ["GET / HTTP/1.0\n\n", "GET", "/", undefined],
    ["\r\nGET / HTTP/1.1\r\nHOST: \t[::1]:9090 \r\n\r\n", "GET", "/", "[::1]:9090"],
    ["GET http://b/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/x", "b"],
    ["GET HTTP://b HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "b"],
    ["OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "*", "a"],
    ["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "POST", "/", "a"],
    ["GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\n", "GET", "/", "a"],
    ["GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET", "/", ""],
  ];
  for (const [head, method, path, host] of cases) {
    assertEquals(read(head), { kind: "request", request: { method, path, host } }, head);
  }
});

Deno.test("readRequest() refuses what is no request, with what to answer", () => {
  const cases: readonly (readonly [head: string, status: number])[] = [
    ["GET / HTTP/1.1\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\0\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nno colon\r\n\r\n", 400],
    ["GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["GET /\r\n\r\n", 400],
    ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
    ["\x16\x03\x01\x02", 400],
    ["\0", 400],
    [`GET /${"x".repeat(limits.httpHeadMaxBytes)}`, 431],
    ["\r\n".repeat(limits.httpHeadMaxBytes / 2), 431],
  ];
  for (const [head, status] of cases) assertEquals(statusOf(head), status, head.slice(0, 60));
});

Deno.test("readRequest() waits for the end of what is whole only in the end", () => {
  const head = "\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
  for (let length = 0; length < head.length; length++) {
    assertEquals(statusOf(head.slice(0, length)), "incomplete", `${length}`);
  }
  assertEquals(statusOf(head), "request");
});
