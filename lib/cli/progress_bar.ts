import type { ProgressSource } from "../base/progress.ts";
import type { Clock } from "../platform/clock.ts";
import type { OutputStream } from "../platform/process.ts";
import { formatAmount } from "./amounts.ts";

const REDRAW_MS = 200;
const NARROWEST_COLUMNS = 20;
/** A rate taken over less than this is chance. */
const RATE_AFTER_MS = 500;

/** One line that is drawn again and again until the signal, then wiped. Only for terminals. */
export async function showProgress(
  title: string,
  source: ProgressSource,
  { clock, stream, signal }: { readonly clock: Clock; readonly stream: OutputStream; readonly signal: AbortSignal },
): Promise<void> {
  const startedMs = clock.monotonicMs();
  while (!signal.aborted) {
    await clock.sleep(REDRAW_MS, signal);
    if (signal.aborted) break;
    const line = `${title}  ${formatProgress(source, clock.monotonicMs() - startedMs)}`;
    const columns = Math.max(NARROWEST_COLUMNS, stream.columns() ?? NARROWEST_COLUMNS);
    stream.write(`\r\x1b[K${line.slice(0, columns - 1)}`);
  }
  stream.write("\r\x1b[K");
}

/** `42 %  210.0 MB of 500.0 MB  350.0 MB/s  1 s left`; rate and rest only once they mean something. */
export function formatProgress({ done, total }: ProgressSource, elapsedMs: number): string {
  if (total === 0) return "looking for the best copy";
  const shown = Math.min(done, total);
  const percent = Math.floor((shown / total) * 100);
  const parts = [`${percent} %`, `${formatAmount(shown)} of ${formatAmount(total)}`];
  if (elapsedMs >= RATE_AFTER_MS && shown > 0) {
    const bytesAMs = shown / elapsedMs;
    parts.push(`${formatAmount(bytesAMs * 1_000)}/s`, `${formatSeconds((total - shown) / bytesAMs)} left`);
  }
  return parts.join("  ");
}

function formatSeconds(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  return seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}
