/**
 * The closed list of what can go wrong while the program works. Clients and drivers translate what the outside world
 * says (errno, SQLite result codes) to one of these at their border; nobody above sees the original code.
 */
export type ErrorCode =
  | "usage" // The command line is wrong.
  | "config-invalid" // The config, or what it points to, cannot be meant.
  | "not-found" // No backup, no database.
  | "corrupt" // Bytes that are there are wrong.
  | "gap" // Bytes that should be there are missing.
  | "foreign" // What is there is of a kind that this version cannot read, and is as new as anything else, or newer.
  | "busy" // Somebody else has it; try again.
  | "contested" // Another program writes to the same place of a replica.
  | "unavailable" // The store or the database cannot be reached; try again.
  | "denied" // The system refuses access.
  | "no-space" // The device is full.
  | "cancelled" // Stopped by a signal.
  | "unsupported" // Read rightly, but not handled by this version.
  | "failed"; // Everything else.

export interface ErrorOptionsWithAdvice {
  readonly cause?: unknown;
  /** The next command or action for the person who reads the message, without "Try:". */
  readonly advice?: string;
  /** What is wrong besides, each a message of its own: so that all of it can be mended at once. */
  readonly others?: readonly string[];
}

/**
 * The one error of the program. Grammar of the message: `Cannot <act> <subject>: <what is> (<what should be>)`,
 * no final period.
 */
export class ReplicationError extends Error {
  override readonly name = "ReplicationError";
  readonly advice: string | undefined;
  readonly others: readonly string[];

  constructor(readonly code: ErrorCode, message: string, options: ErrorOptionsWithAdvice = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.advice = options.advice;
    this.others = options.others ?? [];
  }
}

/** Throws the first of the problems, with the others in it; does nothing when there is none. */
export function refuseAll(problems: readonly ReplicationError[]): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  throw new ReplicationError(first.code, first.message, {
    cause: first,
    others: others.map(({ message }) => message),
  });
}

/** What to do about it, where whoever threw it knew. */
export function adviceIn(error: unknown): string | undefined {
  return error instanceof ReplicationError ? error.advice : undefined;
}

const RETRYABLE: readonly ErrorCode[] = ["busy", "contested", "unavailable"];

/** Whether the same call may succeed later without anybody changing anything. */
export function isRetryable(error: unknown): boolean {
  return error instanceof ReplicationError && RETRYABLE.includes(error.code);
}

/** Exit codes, the same for every command; `docs/exit_codes.md` is the table for people. */
export const ExitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  nothingThere: 3,
  corrupt: 4,
  stale: 5,
  /** A fault of the program itself. */
  fault: 70,
  tryAgain: 75,
} as const;

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof ReplicationError)) return ExitCode.fault;
  switch (error.code) {
    case "usage":
    case "config-invalid":
      return ExitCode.usage;
    case "not-found":
      return ExitCode.nothingThere;
    case "corrupt":
    case "gap":
    case "foreign":
      return ExitCode.corrupt;
    case "busy":
    case "contested":
    case "unavailable":
      return ExitCode.tryAgain;
    case "denied":
    case "no-space":
    case "cancelled":
    case "unsupported":
    case "failed":
      return ExitCode.failed;
  }
}

const { corrupt, fault, nothingThere, failed, stale, tryAgain } = ExitCode;
const SEVERITY = [corrupt, fault, nothingThere, failed, stale, tryAgain];

/** The one exit code of a run with several results: the worst, in the order 4, 70, 3, 1, 5, 75, 0; a wrong usage wins over all. */
export function worstExitCode(codes: readonly number[]): number {
  if (codes.includes(ExitCode.usage)) return ExitCode.usage;
  return SEVERITY.find((code) => codes.includes(code)) ?? codes.find((code) => code !== ExitCode.done) ?? ExitCode.done;
}

/** One line for a person, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What is told of an error that is no `ReplicationError`, and so a fault of the program: one sentence, then where it was. */
export function describeFault(error: unknown): string {
  const sentence = `Cannot go on: ${messageOf(error).split("\n", 1)[0]} (a fault of the program; please report it)`;
  const trace = error instanceof Error ? error.stack : undefined;
  return trace === undefined ? `${sentence}\n` : `${sentence}\n${trace}\n`;
}
