import type { Environment } from "../base/environment_value.ts";

/** This process as the commands see it: its surroundings, its two outputs, its signals and its children. */
export interface Process {
  readonly environment: Environment;
  /** The folder that relative paths start from. */
  currentFolder(): string;
  /** Of this process; undefined where the system has no such thing. */
  readonly userId: number | undefined;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Calls back on every signal that asks to stop; what is returned ends that. Listening does not keep the program alive. */
  onSignal(callback: (name: StopSignal) => void): () => void;
  /**
   * Starts a program that shares our stdin, stdout and stderr. In the foreground of a terminal it has a session of its own, so
   * that what the terminal sends to us reaches it only when it is passed on. Throws `ReplicationError` "usage" when it cannot be
   * started. It outlives us unless somebody waits for it.
   */
  spawn(command: string, arguments_: readonly string[]): ChildHandle;
  /** As the first process of a container: leaves no zombies of programs that lost their parent. What is returned ends that. */
  adoptOrphans(): () => void;
  /**
   * Runs this very program once more, to its end; killed when the signal is aborted. With an order, that is its input, and of
   * our environment it has nothing but what the run-time needs; else it has no input, and all of our environment.
   */
  runAgain(words: readonly string[], signal: AbortSignal, order?: string): Promise<ChildOutput>;
  /** All of stdin, to its end. */
  readInput(): Promise<string>;
  /** How a person calls this program: words before its own. */
  readonly invocation: readonly string[];
  /** The run-time's version, `2.9.6`. */
  readonly runtimeVersion: string;
}

export interface OutputStream {
  /**
   * Writes all of the text before it returns. A reader that has gone away is no error: the rest is dropped, and the
   * command ends with the exit code of its work.
   */
  write(text: string): void;
  /**
   * From now on no write waits for the reader: what it does not take is kept, as far as there is room. `lost` is called when
   * there is room again after so many lines were lost.
   */
  neverWait?(lost: (lines: number) => void): void;
  readonly isTerminal: boolean;
  /** Width of the terminal in columns; undefined when it is none. */
  columns(): number | undefined;
}

/**
 * Signals that ask a program to stop, whoever sends them, with their numbers on Linux. By default each of them ends it at
 * once: SIGHUP of a terminal that is gone, SIGQUIT of some containers, SIGXCPU at the limit on its time, SIGPWR of a host
 * that shuts down. SIGUSR2 has no meaning of its own.
 */
export const STOP_SIGNALS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGUSR2: 12,
  SIGTERM: 15,
  SIGXCPU: 24,
  SIGPWR: 30,
} as const;

export type StopSignal = keyof typeof STOP_SIGNALS;

export interface ChildHandle {
  /** Resolves when the child has ended. `code` is 128 + the signal's number when a signal ended it. */
  readonly status: Promise<ChildStatus>;
  /** Sends the signal; nothing happens when the child has ended. */
  kill(signal: StopSignal | "SIGKILL"): void;
}

export interface ChildOutput extends ChildStatus {
  readonly stdout: string;
  readonly stderr: string;
}

export interface ChildStatus {
  readonly code: number;
  /** The signal that ended it, if one did. */
  readonly signal: string | undefined;
}
