/** Records that are right by their own sum and say another thing than what was captured, of each place in a history. */
import { asOffset, formatIndex } from "../../lib/position/position.ts";
import { parseRawName } from "../../lib/position/keys.ts";
import { COMMIT_RECORD_SIZE, type CommitRecord, formatCommitRecord } from "../../lib/store/commit_record.ts";
import { change, type Damage, putIndex, putSnapshot } from "./damage.ts";
import type { IndexView, ReplicaView, SnapshotView } from "./replica_view.ts";

const HOUR_MS = 3_600_000;
/** No date of JavaScript's is later than 8.64e15 ms. */
const BEYOND_DATES_MS = 8_640_000_000_000_001;
const TIMES = [
  { kind: "a record of 1980", timeOf: () => Date.UTC(1980, 0, 1) },
  { kind: "a record of 2100", timeOf: () => Date.UTC(2100, 0, 1) },
  { kind: "times that decrease", timeOf: (before: CommitRecord) => before.capturedAtMs - HOUR_MS },
] as const;

export function recordDamages({ generations, layout }: ReplicaView): Damage[] {
  const indexes = generations.flatMap(({ indexes }) => indexes);
  const snapshots = generations.flatMap((one) => one.snapshots);
  return [
    ...generations.flatMap((one) => one.indexes.flatMap((view) => ofTimes(view, isFirstOfAll(view, one)))),
    ...indexes.flatMap((view) => [...ofPages(view), ...ofChecksums(view), ...ofClosing(view)]),
    ...(layout === "raw" ? indexes.flatMap(beyondDates) : []),
    ...generations.flatMap(({ indexes, snapshots }) => snapshots.flatMap((view) => moved(view, indexes))),
    ...snapshots.flatMap(ofSnapshot),
  ];
}

/** First, one in the middle, last but the closing one. */
function slotsOf({ records }: IndexView): number[] {
  const last = records.length - (records.at(-1)?.indexClosed === true ? 2 : 1);
  return [...new Set([0, Math.floor(last / 2), last])].filter((slot) => slot >= 0);
}

/** Nothing of its generation is of a state before its first record: that may be as old as anything. */
function isFirstOfAll(view: IndexView, { indexes, snapshots }: ReplicaView["generations"][number]): boolean {
  const isBefore = ({ stateIndex, record }: SnapshotView) => stateIndex === view.index && record.end === 0;
  return view === indexes[0] && !snapshots.some(isBefore);
}

function ofTimes(view: IndexView, isFirst: boolean): Damage[] {
  return TIMES.flatMap(({ kind, timeOf }) =>
    slotsOf(view).filter((slot) => slot > 0 || kind !== "times that decrease").map((slot): Damage => ({
      ...replaced(view, kind, slot, (record) => ({ capturedAtMs: timeOf(view.records[slot - 1] ?? record) })),
      ...(isFirst && slot === 0 && kind === "a record of 1980" ? { unseen: "contents" } : {}),
    }))
  );
}

/** No writer of this program's can say it: the bytes are put where the record stands. */
function beyondDates(view: IndexView): Damage[] {
  const object = view.objects.find((one) => parseRawName(one.slice(one.lastIndexOf("/") + 1), "commits") !== undefined);
  if (object === undefined) return [];
  return slotsOf(view).flatMap((slot) => {
    const record = view.records[slot];
    if (record === undefined) return [];
    const bytes = formatCommitRecord({ ...record, capturedAtMs: BEYOND_DATES_MS });
    const apply = (root: string) => change(`${root}/${object}`, (all) => all.set(bytes, slot * COMMIT_RECORD_SIZE));
    return [{ kind: "a record of a time that no date has", object, detail: `record ${slot}`, apply }];
  });
}

function ofPages(view: IndexView): Damage[] {
  const all = { kind: "another page size", detail: `all records of ${nameOf(view)}` };
  const halved = ({ pageSize }: CommitRecord) => ({ pageSize: pageSize / 2 });
  return [
    { ...all, apply: (_, store) => putIndex(store, view, view.wal, view.records.map((r) => ({ ...r, ...halved(r) }))) },
    ...slotsOf(view).map((slot) => replaced(view, "another page size", slot, halved)),
    ...slotsOf(view).map((slot) =>
      replaced(view, "another number of pages", slot, ({ databasePages }) => ({ databasePages: databasePages + 1 }))
    ),
  ];
}

function ofChecksums(view: IndexView): Damage[] {
  return slotsOf(view).filter((slot) => view.records[slot]?.checksum !== undefined).map((slot) =>
    replaced(view, "a record's checksum of another state", slot, flippedChecksum)
  );
}

function ofClosing(view: IndexView): Damage[] {
  const { records, wal } = view;
  const closing = records.at(-1);
  const [before, last] = records.slice(-3, -1);
  if (closing?.indexClosed !== true) return [];
  const slot = records.length - 1;
  const detail = nameOf(view);
  const damages: Damage[] = [
    replaced(view, "another closing record", slot, ({ databasePages }) => ({ databasePages: databasePages + 1 })),
    replaced(view, "another closing record", slot, ({ pageSize }) => ({ pageSize: pageSize * 2 })),
    replaced(view, "another closing record", slot, flippedChecksum),
    {
      kind: "a closing record that is gone",
      detail,
      apply: (_, store) => putIndex(store, view, wal, records.slice(0, -1)),
    },
  ];
  if (before === undefined || last === undefined) return damages;
  const earlier = { ...closing, start: before.end, end: before.end, ...stateOf(before) };
  return [...damages, {
    kind: "a closed index that ends a record earlier",
    detail,
    unseen: "losses", // What is left is exact, where later frames bring what the lost ones brought.
    apply: (_, store) => putIndex(store, view, wal.slice(0, before.end), [...records.slice(0, -2), earlier]),
  }];
}

/** To the other ends of records in its index. */
function moved(view: SnapshotView, indexes: readonly IndexView[]): Damage[] {
  const own = indexes.find(({ index }) => index === view.stateIndex);
  const ends = new Set([0, ...(own?.records ?? []).map(({ end }) => end)]);
  return [...ends].filter((end) => end !== view.record.end).map((end) => ({
    kind: "a snapshot's record of another offset",
    object: view.objects[0] ?? "",
    detail: `${end} instead of ${view.record.end}`,
    apply: (_, store) => putSnapshot(store, view, { ...view.record, start: asOffset(end), end: asOffset(end) }),
  }));
}

function ofSnapshot(view: SnapshotView): Damage[] {
  const { record, image } = view;
  const { pageSize, databasePages } = record;
  const one = (kind: string, changed: Partial<CommitRecord>, written = view): Damage => ({
    kind,
    object: view.objects[0] ?? "",
    detail: "its record",
    apply: (_, store) => putSnapshot(store, written, { ...record, ...changed }),
  });
  const shorter = { ...view, image: image.slice(0, -pageSize) };
  return [
    one("a snapshot of 1980", { capturedAtMs: Date.UTC(1980, 0, 1) }),
    one("a snapshot of 2100", { capturedAtMs: Date.UTC(2100, 0, 1) }),
    one("a snapshot of another page size", { pageSize: pageSize / 2, databasePages: databasePages * 2 }),
    one("a snapshot without its last page", { databasePages: databasePages - 1 }, shorter),
    ...(record.checksum === undefined ? [] : [one("a snapshot's checksum of another state", flippedChecksum(record))]),
  ];
}

function replaced(
  view: IndexView,
  kind: string,
  slot: number,
  changed: (record: CommitRecord) => Partial<CommitRecord>,
): Damage {
  const detail = `record ${slot} of ${view.records.length} of ${nameOf(view)}`;
  const records = view.records.map((record, at) => at === slot ? { ...record, ...changed(record) } : record);
  return { kind, detail, apply: (_, store) => putIndex(store, view, view.wal, records) };
}

function flippedChecksum({ checksum }: CommitRecord): Partial<CommitRecord> {
  return checksum === undefined ? {} : { checksum: checksum.map((byte, at) => at === 0 ? byte ^ 0x10 : byte) };
}

function stateOf({ databasePages, checksum }: CommitRecord): Partial<CommitRecord> {
  return { databasePages, ...(checksum === undefined ? {} : { checksum }) };
}

function nameOf({ generation, index }: IndexView): string {
  return `${generation}/${formatIndex(index)}`;
}
