import type { CommandContext } from "./command.ts";

const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

export interface Interruption {
  /** Aborted by the first SIGINT or SIGTERM: the work cleans up and ends. */
  readonly signal: AbortSignal;
  /** Resolves with the exit code at the second one: nothing is waited for any more. */
  readonly leave: Promise<number>;
  stopListening(): void;
}

export function listenForSignals(context: CommandContext): Interruption {
  const first = new AbortController();
  const leave = Promise.withResolvers<number>();
  const stopListening = context.onSignal((name) => {
    if (first.signal.aborted) leave.resolve(128 + SIGNAL_NUMBERS[name]);
    first.abort();
  });
  return { signal: first.signal, leave: leave.promise, stopListening };
}
