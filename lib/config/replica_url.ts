import { resolve } from "../base/path.ts";
import { withoutUserInfo } from "../base/secret.ts";

export const FILE_REPLICA = "file";

export type ReplicaUrl =
  | { readonly kind: "file"; readonly path: string }
  /** `problem` completes "Cannot use <url>: ..."; `shown` is the URL without secrets. */
  | { readonly kind: "refused"; readonly problem: string; readonly shown: string };

/** Whether an argument is meant as a replica's URL and not as a database: it begins with `name://`. */
export function isReplicaUrl(text: string): boolean {
  return /^[A-Za-z0-9_+.-]+:\/\//.test(text);
}

/**
 * `file:///absolute/path`; what follows `file://` is the path as it stands, nothing in it is percent-decoded. Other
 * schemes are other versions' business.
 */
export function parseReplicaUrl(text: string): ReplicaUrl {
  const match = /^([A-Za-z0-9_+.-]+):\/\/(.*)$/s.exec(text);
  const shown = withoutUserInfo(text);
  if (match === null) {
    const advice = text.startsWith("/") ? `file://${text}` : "file:///absolute/path";
    return { kind: "refused", problem: `it is not a replica URL (write ${advice})`, shown };
  }
  const [, scheme = "", path = ""] = match;
  if (scheme.toLowerCase() !== FILE_REPLICA) {
    const problem = `replicas of type "${scheme}" are not supported by this version (only file:///absolute/path)`;
    return { kind: "refused", problem, shown };
  }
  if (!path.startsWith("/")) {
    const problem = "the path of a file URL must be absolute (three slashes: file:///absolute/path)";
    return { kind: "refused", problem, shown };
  }
  if (path.includes("\0")) return { kind: "refused", problem: "a path cannot hold a NUL character", shown };
  return { kind: "file", path: resolve(path) };
}

export function formatReplicaUrl(path: string): string {
  return `file://${path}`;
}
