/**
 * Verifies at the times of a schedule, by a process of this very program: it reads the config by itself, gives way to
 * everything else, and keeps what it finds in the state folder, where `status` reads it.
 */
import { ExitCode, isRetryable, messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import { type Clock, unlessLate } from "../platform/clock.ts";
import type { ChildOutput } from "../platform/process.ts";
import { nextTime } from "../schedule/cron.ts";
import type { VerifyConfig } from "../config/config.ts";

/** The wall clock may jump: it is looked at again so often. */
const LOOK_AGAIN_MS = 30_000;

export interface VerifyScheduleOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** When to verify next; undefined: never again. */
  readonly dueAfter: (last: Date) => Date | undefined;
  /** Runs `verify`; killed when the signal is aborted. */
  readonly verify: (signal: AbortSignal) => Promise<ChildOutput>;
}

/** At the times of the schedule, or so long after the last run; undefined where a config asks for neither. */
export function dueBy({ schedule, intervalMs }: VerifyConfig): VerifyScheduleOptions["dueAfter"] | undefined {
  if (schedule !== undefined) return (last) => nextTime(schedule, last);
  return intervalMs === undefined ? undefined : (last) => new Date(last.getTime() + intervalMs);
}

/**
 * A run that hangs, in a call to the system perhaps, which its own limits do not end, keeps every other database's from its
 * turn. So it is killed; and one that cannot even be killed is not waited for.
 */
export async function endedInTime(
  clock: Clock,
  signal: AbortSignal,
  verify: VerifyScheduleOptions["verify"],
): Promise<ChildOutput> {
  const over = new AbortController();
  const running = verify(AbortSignal.any([signal, over.signal]));
  const ended = await unlessLate(clock, limits.scheduledVerifyMaxMs, running);
  if (ended !== undefined) return ended.value;
  over.abort();
  await unlessLate(clock, limits.killedMaxMs, running.catch(() => {}));
  const hours = limits.scheduledVerifyMaxMs / 3_600_000;
  return { code: ExitCode.tryAgain, signal: undefined, stdout: `it was ended after ${hours} h`, stderr: "" };
}

export class VerifySchedule {
  readonly #options: VerifyScheduleOptions;
  readonly #stopped = new AbortController();
  readonly #finished: Promise<void>;

  constructor(options: VerifyScheduleOptions) {
    this.#options = options;
    this.#finished = this.#run();
  }

  /** A run that goes on is ended. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#finished;
  }

  async #run(): Promise<void> {
    const { clock, dueAfter } = this.#options;
    const { signal } = this.#stopped;
    let last = clock.now();
    for (;;) {
      const due = dueAfter(last);
      if (due === undefined) return;
      for (let leftMs = Infinity; leftMs > 0 && !signal.aborted;) {
        leftMs = due.getTime() - clock.now().getTime();
        if (leftMs > 0) await clock.sleep(Math.min(leftMs, LOOK_AGAIN_MS), signal);
      }
      if (signal.aborted) return;
      await this.#verify(signal);
      last = clock.now(); // What came due meanwhile is left out.
    }
  }

  async #verify(signal: AbortSignal): Promise<void> {
    const { clock, log, verify } = this.#options;
    const began = clock.monotonicMs();
    let ended: ChildOutput | undefined;
    let saidReason: string | undefined;
    while (ended === undefined && !signal.aborted) {
      try {
        ended = await verify(signal);
      } catch (error) {
        // The program's file may be gone, or memory scarce: replication does not end because of that.
        const [reason, retried] = [messageOf(error), isRetryable(error)];
        if (reason !== saidReason) log.error("Verification cannot be run", { reason, retried });
        if (!retried) return;
        saidReason = reason;
        await clock.sleep(limits.verifyAgainMs, signal);
      }
    }
    if (ended === undefined || signal.aborted) return;
    const { code, stdout, stderr } = ended;
    const seconds = Math.round(clock.monotonicMs() - began) / 1_000;
    if (code === 0) return log.info("Verified: every replica is proven", { seconds });
    const said = (stdout.trim() || stderr.trim()).split("\n")[0] ?? "";
    log.error("Verification did not prove every replica", { code, said, seconds });
  }
}
