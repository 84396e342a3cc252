/** Whether a replica whose end is no longer in the shadow WAL is brought forward by the pages that changed since. PURE. */
import { limits } from "../base/limits.ts";
import type { Offset } from "../position/position.ts";
import { equalChecksums } from "../wal/checksum.ts";
import { equalSalts } from "../wal/salt.ts";
import type { PageChanges, WalMark } from "../database/source.ts";

export interface CatchUpFacts {
  /** Undefined when the changes since are not all known. */
  readonly changes: Pick<PageChanges, "from" | "pages" | "databasePages"> | undefined;
  /** What the replica holds at its end: the header's salts, and the chain's sum there. Undefined at offset 0. */
  readonly mark: WalMark | undefined;
  readonly offset: Offset;
  /** Whether `mark` could be read where there is one. */
  readonly isKnown: boolean;
  /** From the replica's index to the captured one. */
  readonly indexes: number;
}

export type CatchUpDecision =
  | { readonly kind: "catch-up" }
  | { readonly kind: "no"; readonly because: string };

export function decideCatchUp({ changes, mark, offset, isKnown, indexes }: CatchUpFacts): CatchUpDecision {
  if (changes === undefined) return no("which pages changed since is not known");
  if (!isKnown) return no("what stands at the replica's end cannot be read");
  const { from, pages, databasePages } = changes;
  const isSameLife = mark === undefined || equalSalts(mark.salt, from.salt);
  const isSameEnd = offset !== from.end || mark === undefined || equalChecksums(mark.checksum, from.checksum);
  if (!isSameLife || !isSameEnd || offset > from.end) return no("the replica ends in other WAL than was captured");
  if (indexes > limits.catchUpIndexesMax) return no(`it is ${indexes} indexes behind`);
  if (pages <= limits.resyncPagesAlways) return { kind: "catch-up" };
  return pages + indexes < databasePages
    ? { kind: "catch-up" }
    : no(`${pages} of ${databasePages} pages changed since: a snapshot is less work`);
}

function no(because: string): CatchUpDecision {
  return { kind: "no", because };
}
