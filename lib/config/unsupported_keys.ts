import { product } from "../base/product.ts";
import type { ConfigLevel } from "./keys.ts";

/**
 * Keys of Litestream 0.3 and 0.5 that this version would not act on, so it refuses them, by name and with the way out: a
 * key read and ignored would be a lie. A value that asks for nothing is no reason to refuse.
 */
export interface UnsupportedKeys {
  readonly keys: readonly string[];
  readonly levels: readonly ConfigLevel[];
  /** Completes "the key is not supported by this version: ...". */
  readonly reason: string;
  /** What to do about it. */
  readonly advice: string;
  /** Values by which the key says that it is off. */
  readonly off?: readonly string[];
  /** Whether a map is off that holds `enabled: false` or nothing of the kind: what else is in it then asks for nothing. */
  readonly isSwitched?: boolean;
}

const OBJECT_STORES = {
  reason: "it belongs to object stores and servers, and only file replicas are supported",
  advice: "remove it",
};
const LTX = {
  reason: "it belongs to the LTX files of Litestream 0.5, which this version does not write",
  advice: "remove it",
};
const FINDING = {
  reason: "databases are not looked for",
  advice: 'list each of them under "dbs" with its "path"',
};

export const UNSUPPORTED_KEYS: readonly UnsupportedKeys[] = [
  {
    keys: ["access-key-id", "secret-access-key"],
    levels: ["global", "replica"],
    ...OBJECT_STORES,
    advice: "remove it, with the replicas that need it",
  },
  {
    keys: ["region", "bucket", "endpoint", "force-path-style", "skip-verify", "account-name", "account-key"],
    levels: ["global", "replica"],
    ...OBJECT_STORES,
  },
  {
    keys: ["host", "user", "password", "key-path", "host-key", "concurrent-writes"],
    levels: ["global", "replica"],
    ...OBJECT_STORES,
  },
  {
    keys: [
      ...["sign-payload", "sign-accept-encoding", "require-content-md5", "put-object-content-md5", "storage-class"],
      ...["part-size", "concurrency", "sse-customer-algorithm", "sse-customer-key", "sse-customer-key-path"],
      ...["sse-kms-key-id", "sas-token", "webdav-url", "webdav-username", "webdav-password", "jwt", "seed", "creds"],
      ...["nkey", "username", "token", "tls", "root-cas", "client-cert", "client-key", "max-reconnects"],
      ...["reconnect-wait", "timeout"],
    ],
    levels: ["global", "replica"],
    ...OBJECT_STORES,
  },
  { keys: ["levels", "l0-retention", "l0-retention-check-interval"], levels: ["global"], ...LTX },
  { keys: ["verify-compaction"], levels: ["global"], ...LTX, off: ["false"] },
  { keys: ["max-sync-wal-bytes"], levels: ["database"], ...LTX },
  { keys: ["max-sync-ltx-files"], levels: ["replica"], ...LTX },
  {
    keys: ["validation"],
    levels: ["global"],
    reason: "it looks at the names of LTX files only",
    advice: 'write "validation-interval: 24h", which restores and compares',
  },
  {
    keys: ["socket"],
    levels: ["global"],
    reason: "there is no control socket",
    advice: "remove it",
    isSwitched: true,
  },
  { keys: ["mcp-addr"], levels: ["global"], reason: "there is no such server", advice: "remove it", off: [""] },
  {
    keys: ["heartbeat-url", "heartbeat-interval"],
    levels: ["global"],
    reason: "a heartbeat that says only that the process runs is not sent",
    advice: 'write verify: {ping-url: ...}, which tells of each proof, or ask "/health" of "addr"',
    off: [""],
  },
  {
    keys: ["shutdown-sync-timeout", "shutdown-sync-interval"],
    levels: ["global"],
    reason: "the end of the process has one limit",
    advice: 'write "shutdown-timeout: 30s" instead',
  },
  {
    keys: ["source"],
    levels: ["logging"],
    reason: "no line names its place in the source",
    advice: "remove it",
    off: ["false"],
  },
  { keys: ["dir", "pattern", "meta-dir"], levels: ["database"], ...FINDING },
  { keys: ["recursive", "watch"], levels: ["database"], ...FINDING, off: ["false"] },
  {
    keys: ["busy-timeout"],
    levels: ["database"],
    reason: "no lock of the database is waited for",
    advice: 'remove it; "lock-budget" is how long one may be held',
  },
  {
    keys: ["truncate-page-n"],
    levels: ["database"],
    reason: "a checkpoint never truncates the WAL",
    advice: 'remove it; "max-wal-size" limits the WAL',
  },
  {
    keys: ["restore-if-db-not-exists"],
    levels: ["database"],
    reason: "replicate does not restore",
    advice: `run ${product.name} restore --if-db-not-exists --if-replica-exists before it`,
    off: ["false"],
  },
  {
    keys: ["auto-recover"],
    levels: ["replica"],
    reason: "a replica is always mended, and never by throwing away local state",
    advice: "remove it",
    off: ["false"],
  },
];

export function findUnsupportedKey(level: ConfigLevel, key: string): UnsupportedKeys | undefined {
  return UNSUPPORTED_KEYS.find(({ keys, levels }) => keys.includes(key) && levels.includes(level));
}
