import type { Clock } from "../platform/clock.ts";

/** Until the promise resolves (true), so much time has passed (which may be Infinity), or the signal is aborted. */
export async function settledOrDue(
  clock: Clock,
  promise: Promise<void>,
  ms: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (ms === Infinity) return await settledOrAborted(promise, signal);
  const over = new AbortController();
  const end = () => over.abort();
  if (signal.aborted) end();
  signal.addEventListener("abort", end);
  const slept = clock.sleep(ms, over.signal).then(end);
  const isSettled = await settledOrAborted(promise, over.signal);
  end();
  signal.removeEventListener("abort", end);
  await slept;
  return isSettled;
}

/** Without `Promise.race`, which would leave a reaction on the long-lived promise each time. */
function settledOrAborted(promise: Promise<void>, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const finish = () => {
      signal.removeEventListener("abort", finish);
      resolve(!signal.aborted);
    };
    signal.addEventListener("abort", finish);
    promise.then(finish);
  });
}
