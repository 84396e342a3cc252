/**
 * Who wrote a generation, as its objects tell. Litestream goes on with a generation that it began itself, and begins another
 * one for whatever it finds; so does this program. An object of the other kind was never written there. PURE.
 */
import type { CommitRecord } from "./commit_record.ts";
import type { SnapshotEntry, WalEntry } from "./generation_store.ts";

/** Litestream has no tail behind any object, this program has one behind each. */
export type Writer = "ours" | "peers";

type Entry = SnapshotEntry | WalEntry;

/** By the first object that says that it belongs there; where none says so, by what most of them are. */
export function writerOf(entries: readonly Entry[]): Writer | undefined {
  if (entries.some((entry) => recordOf(entry)?.isAtHome === true)) return "ours";
  const told = entries.filter((entry) => recordOf(entry) !== undefined);
  if (told.length === 0) return undefined;
  return 2 * told.filter((entry) => isOf("ours", entry)).length >= told.length ? "ours" : "peers";
}

export function isOf(writer: Writer, { isPeers = false }: Entry): boolean {
  return isPeers === (writer === "peers");
}

/** Undefined: of what cannot be read nothing is known. */
function recordOf(entry: Entry): CommitRecord | undefined {
  return "lastRecord" in entry ? entry.lastRecord : "record" in entry ? entry.record : undefined;
}
