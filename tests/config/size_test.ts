import { formatSize, parseSize } from "../../lib/config/size.ts";
import { assertEquals } from "../support/assert.ts";
import { randomInteger, seededRandom } from "../support/random.ts";

Deno.test("parseSize() knows units of 1024 and of 1000, in any case, and bare bytes", () => {
  assertEquals(parseSize("1GiB"), 1 << 30);
  assertEquals(parseSize("512MB"), 512_000_000);
  assertEquals(parseSize("1.5 MiB"), 1_572_864);
  assertEquals(parseSize("4kib"), 4_096);
  assertEquals(parseSize("4096"), 4_096);
  assertEquals(parseSize("0"), 0);
  assertEquals(parseSize("7B"), 7);
});

Deno.test("parseSize() refuses what is no size, and fractions of a byte", () => {
  for (const text of ["", "-1MB", "MB", "1G", "1 potato", "1,5MB", "1.5", "0.3KiB", "1MB ", "9".repeat(30)]) {
    assertEquals(parseSize(text), undefined, text);
  }
});

Deno.test("parseSize() and formatSize() are twins", () => {
  assertEquals(formatSize(1 << 30), "1GiB");
  assertEquals(formatSize(512_000_000), "512MB");
  assertEquals(formatSize(0), "0B");
  const random = seededRandom(3);
  for (let i = 0; i < 500; i++) {
    const bytes = randomInteger(random, 4_096) * [1, 1000, 1024, 1 << 20, 1e9][randomInteger(random, 5)]!;
    assertEquals(parseSize(formatSize(bytes)), bytes);
  }
});
