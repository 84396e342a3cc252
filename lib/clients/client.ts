/**
 * The device a replica is kept on. A client knows keys and bytes; what a generation is, is none of its business.
 *
 * Contract: keys are relative, `/`-separated, never with `..`. `write` resolves only when a reader anywhere can see the
 * whole object and it survives a power cut; until then nobody sees any of it under its key. `append` resolves only when
 * the bytes survive a power cut. Every method may be called again after an error. Errors are `ReplicationError`:
 * `not-found` for an absent key, `unavailable` for a device that may come back, `denied`, `no-space`.
 */
export interface ReplicaClient {
  readonly type: string;
  /** Where, for messages; without secrets. */
  readonly description: string;
  /** Every object directly below the folder, sorted by name; none when the folder is absent. Opens nothing. */
  list(folder: string): Promise<readonly ObjectEntry[]>;
  /** Of what stands there the names alone, in any order: only on devices where a look at each costs more than that. */
  names?(folder: string): Promise<readonly string[]>;
  status(key: string): Promise<ObjectEntry | undefined>;
  /** Fills `into` from `offset`; returns bytes read, fewer only at the object's end. */
  read(key: string, offset: number, into: Uint8Array): Promise<number>;
  /** The same object over many reads, looked up once; the caller closes it. What replaces it meanwhile is not seen. */
  open(key: string): Promise<OpenObject>;
  /** A whole object. `fill` is asked for bytes until it returns an empty array; what it returns may be reused by it. */
  write(key: string, fill: () => Promise<Uint8Array>, place?: WritePlace): Promise<void>;
  /**
   * Writes in place from `offset` on, making the object when it is absent: only on devices that can (files). Bytes before
   * `offset` stay; the object is never made shorter; an object shorter than `offset` is an error, and so is one that another
   * program appends to (`contested`).
   */
  append?(key: string, offset: number, fill: () => Promise<Uint8Array>, at?: AppendPlace): Promise<void>;
  /**
   * Until `rest()` nobody else appends to the object, if it is there: throws `contested` when another program has it. Only on
   * devices that can append; where they cannot tell, nothing is promised.
   */
  occupy?(key: string): Promise<void>;
  /** Nothing is appended for a while: what was kept open for it is closed. */
  rest?(): Promise<void>;
  /**
   * A whole object whose bytes come in any order and whose key is known only at the end: only on devices that can (files).
   * The draft is made anew under `draftKey`, a name that no reader looks for; what `fill` returns says as which key of the
   * same folder, and cut to which size, it then appears, with the promises of `write`.
   */
  assemble?(draftKey: string, fill: (draft: ObjectDraft) => Promise<AssembledObject>): Promise<void>;
  /** Absent keys are passed over. In no order: whoever needs one calls again for what comes later. */
  delete(keys: readonly string[]): Promise<void>;
  /** Removes a folder that holds nothing; one that does, or is not there, is left: only on devices that have folders. */
  removeEmptyFolder?(folder: string): Promise<void>;
}

/** `a-new-name`: an object that is there is left, and is an error (`contested`), also when it has come meanwhile. */
export type WritePlace = "any-name" | "a-new-name";

/** `its-end`: an object of any other size is an error, before anything is asked of `fill`. */
export type AppendPlace = "anywhere" | "its-end";

export interface OpenObject {
  /** Fills `into` from `offset`; returns bytes read, fewer only at the object's end. */
  read(offset: number, into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

export interface ObjectDraft {
  writeAt(bytes: Uint8Array, position: number): Promise<void>;
}

export interface AssembledObject {
  readonly key: string;
  readonly sizeBytes: number;
}

export interface ObjectEntry {
  /** Last component of the key. */
  readonly name: string;
  /** Of a link what it leads to. */
  readonly kind: "object" | "folder";
  /** What it is instead, where it cannot be used: completes "it is ". */
  readonly oddity?: string;
  readonly size: number;
  readonly modifiedAtMs: number;
}

/** By the shortest way that the device has. */
export async function namesIn(
  client: Pick<ReplicaClient, "list" | "names">,
  folder: string,
): Promise<readonly string[]> {
  return await client.names?.(folder) ?? (await client.list(folder)).map(({ name }) => name);
}
