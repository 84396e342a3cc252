import type { ListenAddress } from "../platform/http_server.ts";

/** `host:port`, `[::1]:port`, `:port` for every address of this host. Undefined when the text is none of these. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:/@[\]]*)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  const hostname = match[1] ?? match[2];
  return port > 65_535 ? undefined : { hostname: hostname === "" ? undefined : hostname, port };
}
