/**
 * What happens to a database or one of its replicas and changes how it stands, and how it stands after all of that. Each is a
 * line of the log as well; its kind is what counts, never its wording.
 */
export const EVENT_KINDS = [
  "started", // A process begins with the database: what went wrong in an earlier one is not known to go wrong in this.
  "waiting", // For a database that is not there yet.
  "refused", // The database cannot be followed as it is.
  "following", // It is taken up.
  "released", // It is let go of, to be taken up anew.
  "generation-began",
  "resynced",
  "replica-failed", // It cannot be brought what was captured.
  "replica-recovered",
  "replica-broken", // A look at it found that a restore does not get to its end.
  "replica-mended",
  "upkeep-failed", // A snapshot or the retention of a replica; the field `act` says which.
  "upkeep-recovered",
] as const;

export type EventKind = typeof EVENT_KINDS[number];

export interface EngineEvent {
  readonly atMs: number;
  readonly kind: EventKind;
  /** The sentence of the log. */
  readonly message: string;
  /** Absent of what happens to the database itself. */
  readonly replica?: string;
  /** Of the replica, which two configs may give the same name as another one; absent in what an earlier version wrote. */
  readonly url?: string;
  /** Of its upkeep. */
  readonly act?: string;
}

export interface Trouble {
  readonly sinceMs: number;
  readonly message: string;
}

/** How things stood when the last of the events happened. */
export interface EngineStatus {
  /** Why the database is not followed. */
  readonly database: Trouble | undefined;
  /** What each replica is in trouble with, by its URL, or its name where no URL is known: itself, then its upkeep. */
  readonly replicas: ReadonlyMap<string, readonly Trouble[]>;
  /** When what was captured and the database were last brought together. */
  readonly lastTurn: EngineEvent | undefined;
}

/** Of events from the oldest to the newest. */
export function reduceStatus(events: readonly EngineEvent[]): EngineStatus {
  const troubles = new Map<string, { readonly replica: string | undefined; readonly trouble: Trouble }>();
  let lastTurn: EngineEvent | undefined;
  for (const event of events) {
    const key = keyOf(event);
    switch (event.kind) {
      case "started":
        troubles.clear();
        break;
      case "refused":
      case "replica-failed":
      case "replica-broken":
      case "upkeep-failed": {
        // It may be said again, and what is wrong may change: it has been in trouble all the while.
        const sinceMs = troubles.get(key)?.trouble.sinceMs ?? event.atMs;
        troubles.set(key, { replica: event.url ?? event.replica, trouble: { sinceMs, message: event.message } });
        break;
      }
      case "generation-began":
      case "resynced":
        lastTurn = event;
        troubles.delete(key);
        break;
      case "waiting":
      case "following":
      case "replica-recovered":
      case "replica-mended":
      case "upkeep-recovered":
        troubles.delete(key);
        break;
      case "released":
        break; // Taken up again, or refused, in a moment.
    }
  }
  const replicas = Map.groupBy(
    [...troubles].toSorted(([a], [b]) => a < b ? -1 : 1).map(([, one]) => one).filter(({ replica }) =>
      replica !== undefined
    ),
    ({ replica }) => replica ?? "",
  );
  return {
    database: troubles.get("")?.trouble,
    replicas: new Map([...replicas].map(([name, all]) => [name, all.map(({ trouble }) => trouble)])),
    lastTurn,
  };
}

/** What that replica is in trouble with, as far as it was written. */
export function troublesOf(
  { replicas }: EngineStatus,
  { name, url }: { readonly name: string; readonly url: string },
): readonly Trouble[] {
  return [...replicas.get(url) ?? [], ...replicas.get(name) ?? []];
}

/** What an event of one kind says nothing about is kept apart from it. */
function keyOf({ kind, replica, url = replica, act = "" }: EngineEvent): string {
  if (url === undefined) return "";
  const isOfLook = kind === "replica-broken" || kind === "replica-mended";
  return JSON.stringify([url, isOfLook ? "look" : act]);
}
