/** How every command hears the signals that ask it to stop: the first one ends its work, a second one is not waited for. */
import { limits } from "../base/limits.ts";
import { STOP_SIGNALS, type StopSignal } from "../platform/process.ts";
import type { CommandContext } from "./command.ts";
import { mayDecorate, writeLine } from "./output.ts";

interface Interruption {
  /** Aborted by the first signal: the work cleans up and ends. */
  readonly signal: AbortSignal;
  /** Resolves with the exit code at the second one: nothing is waited for any more. */
  readonly leave: Promise<number>;
  stopListening(): void;
}

/**
 * Calls back at the first signal, and with the exit code of leaving at once at each later one. What follows within a moment
 * is the same wish, told by two (a supervisor and a terminal, or both of its programs); so is what the kernel repeats for
 * each second beyond the limit on processor time.
 */
export function onStopSignals(
  context: CommandContext,
  heard: (name: StopSignal, leaveCode: number | undefined) => void,
): () => void {
  const { clock } = context.platform;
  let firstMs: number | undefined;
  return context.onSignal((name) => {
    if (firstMs === undefined) {
      firstMs = clock.monotonicMs();
      return heard(name, undefined);
    }
    if (name === "SIGXCPU" || clock.monotonicMs() - firstMs < limits.sameSignalMs) return;
    heard(name, 128 + STOP_SIGNALS[name]);
  });
}

function listenForSignals(context: CommandContext): Interruption {
  const first = new AbortController();
  const leave = Promise.withResolvers<number>();
  const stopListening = onStopSignals(context, (name, leaveCode) => {
    if (leaveCode !== undefined) return leave.resolve(leaveCode);
    if (mayDecorate(context.stderr, context.environment)) context.stderr.write("\r\x1b[K");
    writeLine(context.stderr, `Stopping (${name}); once more to end at once`);
    first.abort();
  });
  return { signal: first.signal, leave: leave.promise, stopListening };
}

/**
 * The work, which ends early by its signal; the exit code instead where a second signal did not wait for that. `left` removes
 * at once what the work would have removed.
 */
export async function withSignals<T>(
  context: CommandContext,
  work: (signal: AbortSignal) => Promise<T>,
  left: () => void = () => {},
): Promise<T | number> {
  const interruption = listenForSignals(context);
  const leave = interruption.leave.then((code) => {
    left();
    return code;
  });
  try {
    return await Promise.race([work(interruption.signal), leave]);
  } finally {
    interruption.stopListening();
  }
}
