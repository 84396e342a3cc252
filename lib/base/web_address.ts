/** The address of a web service, all of which is secret: whoever knows it can tell the service that all is well. PURE. */
import { Secret } from "./secret.ts";

export interface WebAddress {
  /** Without user-info and fragment. */
  readonly url: Secret;
  /** What the user-info stands for: the value of the header `authorization`. */
  readonly authorization?: Secret;
}

/** Completes "it must be ...", and "expected ...". */
export const WEB_ADDRESS = "a web address, https://...";

/** Undefined for what nobody can be told at: another scheme, no host, white space, a port that does not exist. */
export function parseWebAddress(text: string): WebAddress | undefined {
  // What the standard mends in silence is none: `https:host`, `https:///host`, a backslash, a line feed in the middle.
  if (!/^https?:\/\/[^/?#\\]/i.test(text) || /[\s\\\p{Cc}]/u.test(text)) return undefined;
  const url = urlFrom(text);
  if (url === undefined || url.hostname === "" || url.port === "0") return undefined;
  const authorization = authorizationOf(url);
  if (authorization === null) return undefined;
  [url.username, url.password, url.hash] = ["", "", ""];
  return { url: new Secret(url.href), ...(authorization === undefined ? {} : { authorization }) };
}

/** The address with that behind its path, before a query: `https://host/id/?k=1` and `/fail` are `https://host/id/fail?k=1`. */
export function withPathEnd(address: WebAddress, end: string): WebAddress {
  const url = new URL(address.url.reveal());
  url.pathname = `${url.pathname.replace(/\/$/, "")}${end}`;
  return { ...address, url: new Secret(url.href) };
}

/**
 * Where a redirect leads; undefined when that is not the same service: another host, scheme or port. Only from http to https,
 * each at its usual port, it may go: what was to be told is then told to the same host, and better hidden.
 */
export function redirectTarget(from: string, location: string): string | undefined {
  const [here, there] = [new URL(from), urlFrom(location, from)];
  if (there === undefined) return undefined;
  const isSafer = here.protocol === "http:" && there.protocol === "https:" && here.port === "" && there.port === "";
  const isSame = here.hostname === there.hostname && (here.origin === there.origin || isSafer);
  [there.username, there.password, there.hash] = ["", "", ""];
  return isSame ? there.href : undefined;
}

function urlFrom(text: string, base?: string): URL | undefined {
  return URL.parse(text, base) ?? undefined;
}

/** Null: it is not percent-encoded as it should be. */
function authorizationOf({ username, password }: URL): Secret | null | undefined {
  if (username === "" && password === "") return undefined;
  try {
    const pair = new TextEncoder().encode(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
    return new Secret(`Basic ${btoa(String.fromCharCode(...pair))}`);
  } catch {
    return null;
  }
}
