import { formatAge, formatAmount } from "../../lib/cli/amounts.ts";
import { formatProgress, showProgress } from "../../lib/cli/progress_bar.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { assert, assertEquals } from "../support/assert.ts";

Deno.test("formatProgress() shows percent, amounts, rate and what is left, each when it is known", () => {
  assertEquals(formatProgress({ done: 0, total: 0 }, 900), "looking for the best copy");
  assertEquals(formatProgress({ done: 0, total: 2e9 }, 900), "0 %  0 bytes of 2.0 GB");
  assertEquals(formatProgress({ done: 5e8, total: 2e9 }, 100), "25 %  500.0 MB of 2.0 GB");
  assertEquals(formatProgress({ done: 5e8, total: 2e9 }, 1_000), "25 %  500.0 MB of 2.0 GB  500.0 MB/s  3 s left");
  assertEquals(formatProgress({ done: 1e6, total: 1e9 }, 1_000), "0 %  1.0 MB of 1.0 GB  1.0 MB/s  17 min left");
  assertEquals(formatProgress({ done: 11, total: 10 }, 1_000), "100 %  10 bytes of 10 bytes  10 bytes/s  0 s left");
});

Deno.test("showProgress() draws over one line until it is told to end, then wipes it", async () => {
  const written: string[] = [];
  const end = new AbortController();
  const stream = { isTerminal: true, columns: () => 30, write: (text: string) => void written.push(text) };
  const shown = showProgress("Restoring", { done: 1e6, total: 4e6 }, {
    clock: new SystemClock(),
    stream,
    signal: end.signal,
  });
  while (written.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  end.abort();
  await shown;
  assert(written[0]?.startsWith("\r\x1b[KRestoring  25 %  1.0 MB of"));
  assert(written.every((text) => !text.includes("\n") && text.length <= 4 + 29));
  assertEquals(written.at(-1), "\r\x1b[K");
});

Deno.test("formatAmount() and formatAge() round for people", () => {
  const amounts = [0, 999, 1_000, 4_152, 999_949, 999_950, 1.9e9, 2.5e12, 5e15].map(formatAmount);
  assertEquals(amounts, [
    "0 bytes",
    "999 bytes",
    "1.0 kB",
    "4.2 kB",
    "999.9 kB",
    "1.0 MB",
    "1.9 GB",
    "2.5 TB",
    "5000.0 TB",
  ]);
  const ages = [0, 999, 59_999, 60_000, 3_725_000, 90_061_000, -5].map(formatAge);
  assertEquals(ages, ["0s", "0s", "59s", "1m", "1h 2m", "1d 1h", "0s"]);
});
