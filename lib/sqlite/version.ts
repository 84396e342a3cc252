/** What an SQLite library can and cannot be trusted with, by its version number, `3.53.2`. */

/** Versions with the WAL-reset bug, which can corrupt a database, end before the first; two older lines had it fixed, too. */
const WAL_RESET_FIXED = "3.51.3";
const WAL_RESET_FIXED_OLDER: readonly string[] = ["3.50.7", "3.44.6"];
/** For messages: what to look for in the versions of an application. */
export const WAL_RESET_BUG = `the WAL-reset bug (fixed in ${[WAL_RESET_FIXED, ...WAL_RESET_FIXED_OLDER].join(", ")})`;
const NOOP_CHECKPOINT_SINCE = "3.51.0";

export function hasWalResetBug(version: string): boolean {
  if (isAtLeast(version, WAL_RESET_FIXED)) return false;
  return !WAL_RESET_FIXED_OLDER.some((fixed) => isSameLine(version, fixed) && isAtLeast(version, fixed));
}

export function hasNoopCheckpoint(version: string): boolean {
  return isAtLeast(version, NOOP_CHECKPOINT_SINCE);
}

function isAtLeast(version: string, wanted: string): boolean {
  const parts = version.split(".").map(Number);
  for (const [place, least] of wanted.split(".").map(Number).entries()) {
    const part = parts[place] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}

/** Whether the first two numbers agree: `3.50.7` belongs to the line 3.50. */
function isSameLine(version: string, other: string): boolean {
  return lineOf(version) === lineOf(other);
}

function lineOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}
