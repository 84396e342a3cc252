/**
 * Databases and states on a device that hangs, as a mount of a server that is gone does: whatever is done with them is done
 * on the event loop, where no signal and no limit would end it. So each is asked once off it before anything else.
 */
import { inBatches } from "../base/batches.ts";
import { ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { unlessLate } from "../platform/clock.ts";
import type { Platform } from "../platform/platform.ts";
import type { DatabaseConfig } from "./config.ts";

/** Throws `unavailable` for the first that does not answer, `cancelled` once the signal is aborted. */
export async function expectAnswers(
  databases: readonly DatabaseConfig[],
  { files, clock }: Pick<Platform, "files" | "clock">,
  signal?: AbortSignal,
): Promise<void> {
  const asked = databases.flatMap((database) =>
    [database.path, database.statePath].map((path) => ({ path, database }))
  );
  await inBatches(asked, limits.placesAtOnce, async ({ path, database }) => {
    // What is wrong with it says whoever needs it.
    const look = files.statusLater(path).catch(() => undefined);
    if (await unlessLate(clock, limits.configAnswerMaxMs, look, signal) !== undefined) return;
    if (signal?.aborted) throw new ReplicationError("cancelled", `Cannot look at ${path}: it was interrupted`);
    const [replica] = database.replicas;
    throw new ReplicationError(
      "unavailable",
      `Cannot look at ${path}: its device has not answered for ${limits.configAnswerMaxMs / 1_000} s`,
      replica === undefined
        ? {}
        : { advice: `a replica is read without it where it is named by its URL (${replica.url})` },
    );
  });
}
