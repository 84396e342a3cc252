/**
 * Tells a monitoring service of a run: `/start`, then the address itself when all was proven, else `/fail` with the report.
 * It never fails a run by itself, and no value of a row is in it.
 */
import { messageOf, ReplicationError } from "../base/errors.ts";
import { parseWebAddress, WEB_ADDRESS, type WebAddress, withPathEnd } from "../base/web_address.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Web } from "../platform/web.ts";

const BODY_BYTES_MAX = 10_000;
const TRIES = 3;
const TIMEOUT_MS = 10_000;
const PAUSE_MS = 1_000;
/** For all that is told after a stop: whoever stops a program waits for its end. */
const LAST_WORD_MS = 2_000;

/** What stands behind the path of the address. */
export type PingOutcome = "/start" | "" | "/fail";

export interface PingTools {
  readonly web: Web;
  readonly clock: Clock;
  /** Says what could not be told. */
  readonly complain: (text: string) => void;
  /** Aborted when nothing more is told. */
  readonly over: AbortSignal;
}

/** Aborted a while after the other. */
export function lastWord(clock: Clock, stopped: AbortSignal): AbortSignal {
  const over = new AbortController();
  const begin = () => void clock.sleep(LAST_WORD_MS).then(() => over.abort());
  if (stopped.aborted) begin();
  else stopped.addEventListener("abort", begin, { once: true });
  return over.signal;
}

/** `@FILE` names a file that holds the address, which is then in nobody's list of processes. Throws "usage". */
export function pingAddress(files: FileSystem, typed: string, resolve: (path: string) => string): WebAddress {
  const text = typed.startsWith("@") ? textIn(files, typed, resolve(typed.slice(1))) : typed;
  if (text === undefined) {
    throw new ReplicationError("usage", `Cannot ping ${typed}: there is no such file`);
  }
  const address = parseWebAddress(text);
  if (address !== undefined) return address;
  const where = typed.startsWith("@") ? `what ${typed} holds` : "the address";
  throw new ReplicationError("usage", `Cannot ping: ${where} is no web address (expected ${WEB_ADDRESS})`);
}

function textIn(files: FileSystem, typed: string, path: string): string | undefined {
  try {
    return files.readText(path)?.trim();
  } catch (error) {
    throw new ReplicationError("usage", `Cannot ping ${typed}: ${messageOf(error)}`, { cause: error });
  }
}

/** The text is cut to what such services take. */
export async function ping(
  { web, clock, complain, over }: PingTools,
  address: WebAddress,
  outcome: PingOutcome,
  text: string,
): Promise<void> {
  const target = withPathEnd(address, outcome);
  const bytes = new TextEncoder().encode(text).subarray(0, BODY_BYTES_MAX);
  const body = new TextDecoder().decode(bytes, { stream: true }); // A character that is cut off is left out.
  for (let attempt = 1;; attempt++) {
    try {
      return await web.post(target, body, TIMEOUT_MS, over);
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      if (attempt === TRIES || over.aborted) return complain(error.message);
      await clock.sleep(PAUSE_MS * attempt, over);
    }
  }
}
