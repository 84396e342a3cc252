/**
 * Tells a monitoring service of a run: `/start`, then the address itself when all was proven, else `/fail` with the report.
 * It never fails a run by itself, and no value of a row is in it.
 */
import { ReplicationError } from "../base/errors.ts";
import { Secret } from "../base/secret.ts";
import type { Clock } from "../platform/clock.ts";
import type { FileSystem } from "../platform/file_system.ts";
import type { Web } from "../platform/web.ts";

const BODY_BYTES_MAX = 10_000;
const TRIES = 3;
const TIMEOUT_MS = 10_000;
const PAUSE_MS = 1_000;

/** What is appended to the address. */
export type PingOutcome = "/start" | "" | "/fail";

export interface PingTools {
  readonly web: Web;
  readonly clock: Clock;
  /** Says what could not be told. */
  readonly complain: (text: string) => void;
}

/** `@FILE` names a file that holds the address, which is then in nobody's list of processes. Throws "usage". */
export function pingAddress(files: FileSystem, typed: string, resolve: (path: string) => string): Secret {
  const address = typed.startsWith("@") ? files.readText(resolve(typed.slice(1)))?.trim() : typed;
  if (address === undefined) {
    throw new ReplicationError("usage", `Cannot ping ${typed}: there is no such file`);
  }
  if (!/^https?:\/\/[^\s]+$/.test(address)) {
    const where = typed.startsWith("@") ? `what ${typed} holds` : "the address";
    throw new ReplicationError("usage", `Cannot ping: ${where} is no web address (expected https://...)`);
  }
  return new Secret(address.replace(/\/$/, ""));
}

/** The text is cut to what such services take. */
export async function ping(
  { web, clock, complain }: PingTools,
  address: Secret,
  outcome: PingOutcome,
  text: string,
): Promise<void> {
  const target = new Secret(`${address.reveal()}${outcome}`);
  const bytes = new TextEncoder().encode(text).subarray(0, BODY_BYTES_MAX);
  const body = new TextDecoder().decode(bytes);
  for (let attempt = 1;; attempt++) {
    try {
      return await web.post(target, body, TIMEOUT_MS);
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      if (attempt === TRIES) return complain(error.message);
      await clock.sleep(PAUSE_MS * attempt);
    }
  }
}
