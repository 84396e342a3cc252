/**
 * Asks the process that replicates a database how that database stands now. A state directory alone proves nothing: what it
 * says may be of another life of the database. So whoever asks puts a question there that never was before, and believes
 * the answer to that question alone.
 *
 *     <state>/asks/served          locked for as long as a process answers
 *     <state>/asks/<question>      16 hex digits; removed when it is answered
 *     <state>/asks/<question>.answer
 */
import { hex } from "../base/bytes.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Platform } from "../platform/platform.ts";
import { type DaemonAnswer, parseAnswer } from "./answer_document.ts";

export const SERVED = "served";
export const ANSWER_SUFFIX = ".answer";
const QUESTION_BYTES = 8;
const LOOK_AGAIN_MS = 10;
/** Between two looks whether anybody answers at all; the look takes the lock for a moment. */
const LOOK_WHETHER_SERVED_MS = 200;

export function asksPath(statePath: string): string {
  return `${statePath}/asks`;
}

export function isQuestion(name: string): boolean {
  return /^[0-9a-f]{16}$/.test(name);
}

/** `silent`: a process should answer and did not in time. `none`: there is none that would. */
export type Asked =
  | { readonly kind: "answer"; readonly answer: DaemonAnswer }
  | { readonly kind: "silent" }
  | { readonly kind: "none" };

/** Throws what keeps this process from asking: it may not write into the state directory. */
export async function askDaemon(
  { clock, files, random }: Pick<Platform, "clock" | "files" | "random">,
  statePath: string,
  patienceMs: number,
  signal?: AbortSignal,
): Promise<Asked> {
  const folder = asksPath(statePath);
  if (!isServed(files, folder)) return { kind: "none" };
  const question = `${folder}/${hex(random.bytes(QUESTION_BYTES))}`;
  const start = clock.monotonicMs();
  let lookedMs = start;
  try {
    files.open(question, "create").close();
    do {
      const answer = parseAnswer(files.readText(`${question}${ANSWER_SUFFIX}`) ?? "");
      if (answer !== undefined) return { kind: "answer", answer };
      await clock.sleep(LOOK_AGAIN_MS, signal);
      const now = clock.monotonicMs();
      if (now - lookedMs < LOOK_WHETHER_SERVED_MS) continue;
      lookedMs = now;
      if (!isServed(files, folder)) return { kind: "none" };
    } while (clock.monotonicMs() - start < patienceMs && signal?.aborted !== true);
    return { kind: "silent" };
  } finally {
    for (const path of [question, `${question}${ANSWER_SUFFIX}`]) {
      if (files.linkStatus(path) !== undefined) removeUnlessGone(files, path);
    }
  }
}

/** Whether a process that lives says that it answers there. */
export function isServed(files: FileSystem, folder: string): boolean {
  const path = `${folder}/${SERVED}`;
  if (files.linkStatus(path)?.kind !== "file") return false;
  const lock = files.tryLock(path);
  lock?.release();
  return lock === undefined;
}

/** Whoever asks and whoever answers both remove a question, and neither waits for the other. */
export function removeUnlessGone(files: FileSystem, path: string): void {
  try {
    files.remove(path);
  } catch (error) {
    if (files.linkStatus(path) !== undefined) throw error;
  }
}
