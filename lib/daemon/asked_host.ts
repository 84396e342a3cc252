/**
 * Whether a request that names this host by `Host` may be answered. A page in somebody's browser can have its own name lead
 * to this host (DNS rebinding), and would then be answered as if it were of this host; so a name must be one that no
 * stranger can have.
 */
import { canonicalHostName } from "../config/host_name.ts";
import type { ListenAddress } from "../platform/http_server.ts";

export type HostJudgement =
  | { readonly kind: "ours" }
  | { readonly kind: "foreign"; readonly name: string }
  | { readonly kind: "malformed" };

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;
/** A browser goes to a number without asking whose it is, and no name without a dot is sold. */
const IS_NUMBER_OR_PLAIN_NAME = /^(?:\d+(?:\.\d+){3}|\[.*\]|[^.]+)$/;

/** `names`: those that the config allows besides. The port is not compared: it may be forwarded. */
export function judgeHost(
  host: string | undefined,
  { hostname: listening }: ListenAddress,
  names: readonly string[],
): HostJudgement {
  if (host === undefined) return { kind: "ours" }; // No browser leaves it out.
  const name = canonicalHostName(host);
  if (name === undefined) return { kind: "malformed" };
  const own = listening === undefined ? undefined : canonicalHostName(inBrackets(listening));
  const known = [own, ...names.map(canonicalHostName)];
  if (LOOPBACK.test(name) || known.includes(name)) return { kind: "ours" };
  // Who listens beyond this host is asked by others' names and numbers for it, which only its neighbours could misuse.
  const isForOthers = own === undefined || !LOOPBACK.test(own);
  return isForOthers && IS_NUMBER_OR_PLAIN_NAME.test(name) ? { kind: "ours" } : { kind: "foreign", name };
}

function inBrackets(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
