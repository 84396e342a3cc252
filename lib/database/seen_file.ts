/**
 * What a database file looked like when it was last known to hold what is captured: "1", its size, its two times, and when
 * that was noted, in ms. While it looks the same nobody has written into it. The time of modification can be set by anybody;
 * the time of change cannot, but it is told in whole seconds: a file that was written in the second in which it was noted may
 * be written once more within it, and look the same. PURE.
 */
import type { FileStatus } from "../platform/file_system.ts";

const VERSION = "1";
/** The resolution of the time of change, and of the clock that files get their times from. */
const SECOND_MS = 1_000;
const TICK_MS = 20;

type Look = Pick<FileStatus, "size" | "modifiedAtMs" | "changedAtMs">;

export function formatSeen(look: Look, notedAtMs: number): string {
  return `${VERSION} ${lookText(look)} ${notedAtMs}\n`;
}

/** Whether it is shown that nobody has written into the file since it was noted. Only for the same boot of the machine. */
export function isUnwritten(noted: string | undefined, now: Look): boolean {
  const [version, size, modified, changed, notedAt] = (noted ?? "").trim().split(" ");
  if (version !== VERSION || `${size} ${modified} ${changed}` !== lookText(now)) return false;
  const { changedAtMs } = now;
  return changedAtMs !== undefined && Number(notedAt) - changedAtMs >= SECOND_MS + TICK_MS;
}

function lookText({ size, modifiedAtMs, changedAtMs }: Look): string {
  return `${size} ${modifiedAtMs} ${changedAtMs ?? "-"}`;
}
