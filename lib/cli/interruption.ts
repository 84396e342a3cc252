import type { CommandContext } from "./command.ts";

const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

interface Interruption {
  /** Aborted by the first SIGINT or SIGTERM: the work cleans up and ends. */
  readonly signal: AbortSignal;
  /** Resolves with the exit code at the second one: nothing is waited for any more. */
  readonly leave: Promise<number>;
  stopListening(): void;
}

function listenForSignals(context: CommandContext): Interruption {
  const first = new AbortController();
  const leave = Promise.withResolvers<number>();
  const stopListening = context.onSignal((name) => {
    if (first.signal.aborted) leave.resolve(128 + SIGNAL_NUMBERS[name]);
    first.abort();
  });
  return { signal: first.signal, leave: leave.promise, stopListening };
}

/** The work, which ends early by its signal; the exit code instead where a second signal did not wait for that. */
export async function withSignals<T>(
  context: CommandContext,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | number> {
  const interruption = listenForSignals(context);
  try {
    return await Promise.race([work(interruption.signal), interruption.leave]);
  } finally {
    interruption.stopListening();
  }
}
