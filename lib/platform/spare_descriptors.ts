/** Whether this process may open more files. Nobody else tells: what others open meanwhile shows only when one opens. */

const ALWAYS_THERE = "/dev/null";

/** Whether so many more can be open at this moment. */
export function hasSpareDescriptors(count: number): boolean {
  const opened: Deno.FsFile[] = [];
  try {
    while (opened.length < count) opened.push(Deno.openSync(ALWAYS_THERE));
    return true;
  } catch (error) {
    return !isOutOfDescriptors(error);
  } finally {
    for (const file of opened) file.close();
  }
}

/** Too many open files, in this process (EMFILE) or on the whole system (ENFILE). */
export function isOutOfDescriptors(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === "EMFILE" || code === "ENFILE" || /\(os error 2[34]\)/.test(String(error));
}
