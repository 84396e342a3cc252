const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{0,5})?$/;

/**
 * Whom `name`, `name:port` or `[::1]:port` names: in lower case, without port and final dot, numbers in the one form that
 * browsers send. Undefined when the text is none of these.
 */
export function canonicalHostName(host: string): string | undefined {
  const url = HOST.test(host) ? URL.parse(`http://${host}/`) : null;
  return url?.hostname.replace(/\.$/, "") || undefined;
}
