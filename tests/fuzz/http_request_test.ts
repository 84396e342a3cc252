import { limits } from "../../lib/base/limits.ts";
import { readRequest } from "../../lib/platform/http_request.ts";
import { assertEquals } from "../support/assert.ts";
import { randomBytes, randomInteger, seededRandom } from "../support/random.ts";

Deno.test("readRequest() takes any bytes, and waits for none once there is no room for more", () => {
  const alphabet = ["GET ", "/", " HTTP/1.1", "\r\n", "\n", "\r", ": ", "Host: a", "\0", "\x80", "x".repeat(300), " "];
  for (let seed = 0; seed < 3_000; seed++) {
    const random = seededRandom(seed);
    const parts = Array.from({ length: randomInteger(random, 60) }, () => alphabet[randomInteger(random, 12)]);
    const bytes = seed % 3 === 0
      ? randomBytes(random, randomInteger(random, limits.httpHeadMaxBytes + 1))
      : new TextEncoder().encode(parts.join(""));
    const { kind } = readRequest(bytes);
    if (bytes.length >= limits.httpHeadMaxBytes) assertEquals(kind === "incomplete", false, `seed ${seed}`);
  }
});
