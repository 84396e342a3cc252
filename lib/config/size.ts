/** Sizes in bytes: `1GiB`, `512MB`, `1.5 MiB`, or a number without a unit. Units with an `i` are powers of 1024, others of 1000. */
const UNIT_BYTES: ReadonlyMap<string, number> = new Map([
  ["TiB", 1024 ** 4],
  ["TB", 1000 ** 4],
  ["GiB", 1024 ** 3],
  ["GB", 1000 ** 3],
  ["MiB", 1024 ** 2],
  ["MB", 1000 ** 2],
  ["KiB", 1024],
  ["KB", 1000],
  ["B", 1],
]);

/** Undefined when the text is no size, or not a whole number of bytes. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text);
  if (match === null) return undefined;
  const [, number = "", unit = ""] = match;
  const unitBytes = unit === "" ? 1 : unitNamed(unit);
  if (unitBytes === undefined) return undefined;
  const bytes = Number(number) * unitBytes;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function unitNamed(name: string): number | undefined {
  for (const [unit, bytes] of UNIT_BYTES) if (unit.toLowerCase() === name.toLowerCase()) return bytes;
  return undefined;
}

/** In the largest unit of which it is a whole number: `1GiB`, `512MB`, `4096` as `4KiB`; parsed again it gives the same value. */
export function formatSize(bytes: number): string {
  for (const [unit, unitBytes] of UNIT_BYTES) {
    if (bytes >= unitBytes && bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`;
  }
  return `${bytes}B`;
}
