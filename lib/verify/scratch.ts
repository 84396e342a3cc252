/**
 * The folder that a run restores into, and the lock that keeps runs over the same replicas apart:
 *
 *     <parent>/tailrace-verify-<user>/                  0700, ours alone
 *         <8 hex digits of what is verified>.lock
 *         <the same>-<16 hex digits>/                   removed at the end
 *
 * Whoever holds the lock removes what killed runs have left.
 */
import { hex } from "../base/bytes.ts";
import { checksumName } from "../base/crc32c.ts";
import { ReplicationError } from "../base/errors.ts";
import { product } from "../base/product.ts";
import type { Platform } from "../platform/platform.ts";

export interface Scratch {
  readonly folder: string;
  /** `keep`: leaves the folder as it is. */
  release(keep: boolean): void;
}

interface Home {
  /** Where the user wants it: `/tmp`. */
  readonly parent: string;
  readonly userId: number | undefined;
}

/** `subject` tells runs apart that may go on side by side. Throws `busy` when another run has it. */
export function takeScratch(
  { files, random }: Pick<Platform, "files" | "random">,
  { parent, userId }: Home,
  subject: string,
): Scratch {
  const home = `${parent}/${product.name}-verify-${userId ?? "user"}`;
  files.makeFolder(home, 0o700);
  const status = files.linkStatus(home);
  const isOurs = status?.kind === "folder" && (userId === undefined || status.owner === userId) &&
    (status.mode & 0o077) === 0;
  if (!isOurs) {
    const expected = "a folder of this user that nobody else may enter";
    throw new ReplicationError("denied", `Cannot use ${home}: it is not ours (expected ${expected})`, {
      advice: "--scratch DIR",
    });
  }
  const name = checksumName(subject);
  const lock = files.tryLock(`${home}/${name}.lock`);
  if (lock === undefined) {
    throw new ReplicationError("busy", `Cannot verify: another run has ${home}/${name}.lock (it verifies the same)`);
  }
  for (const left of files.list(home)) if (left.startsWith(`${name}-`)) files.removeTree(`${home}/${left}`);
  const folder = `${home}/${name}-${hex(random.bytes(8))}`;
  files.makeFolder(folder, 0o700);
  return {
    folder,
    release: (keep) => {
      if (!keep) files.removeTree(folder);
      lock.release();
    },
  };
}
