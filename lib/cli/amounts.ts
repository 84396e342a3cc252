/** Numbers for people: rounded, with a unit. What is parsed again is written by `formatDuration()` and `formatSize()`. */
const UNITS = ["kB", "MB", "GB", "TB"] as const;
const SPANS = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1_000]] as const;

/** `512 bytes`, `4.1 kB`, `1.9 GB`: powers of 1000. */
export function formatAmount(bytes: number): string {
  if (bytes < 1_000) return `${Math.floor(bytes)} bytes`;
  let value = bytes;
  let unit = "";
  for (const next of UNITS) {
    if (value < 999.95) break;
    value /= 1_000;
    unit = next;
  }
  return `${value.toFixed(1)} ${unit}`;
}

/** The two largest units that count: `3d 4h`, `12m 5s`, `0s`. */
export function formatAge(ms: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, Math.floor(ms / 1_000) * 1_000);
  for (const [unit, unitMs] of SPANS) {
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    if (count > 0) parts.push(`${count}${unit}`);
    if (parts.length === 2 || (parts.length === 1 && count === 0)) break;
  }
  return parts.length === 0 ? "0s" : parts.join(" ");
}

export function formatTime(ms: number): string {
  return new Date(ms).toISOString();
}
