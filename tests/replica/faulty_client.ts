import type {
  AssembledObject,
  ObjectDraft,
  ObjectEntry,
  OpenObject,
  ReplicaClient,
  WritePlace,
} from "../../lib/clients/client.ts";

export type Fault = {
  /** Where in the call it fails: before anything, after so many bytes, or when all has taken effect. */
  readonly at: "before" | "after" | number;
  readonly error: Error;
};

/** A device that fails when it is told to, at the place it is told. */
export class FaultyClient implements ReplicaClient {
  readonly type: string;
  readonly description: string;
  readonly #inner: Required<ReplicaClient>;
  /** For each call that writes, by its kind and key, whether it fails. */
  judge: (kind: "append" | "write" | "assemble", key: string) => Fault | undefined = () => undefined;
  failures = 0;

  constructor(inner: ReplicaClient) {
    this.#inner = inner as Required<ReplicaClient>;
    this.type = inner.type;
    this.description = inner.description;
  }

  list(folder: string): Promise<readonly ObjectEntry[]> {
    return this.#inner.list(folder);
  }

  status(key: string): Promise<ObjectEntry | undefined> {
    return this.#inner.status(key);
  }

  read(key: string, offset: number, into: Uint8Array): Promise<number> {
    return this.#inner.read(key, offset, into);
  }

  open(key: string): Promise<OpenObject> {
    return this.#inner.open(key);
  }

  write(key: string, fill: () => Promise<Uint8Array>, place?: WritePlace): Promise<void> {
    return this.#failing("write", key, fill, (fill) => this.#inner.write(key, fill, place));
  }

  occupy(key: string): Promise<void> {
    return this.#inner.occupy(key);
  }

  rest(): Promise<void> {
    return this.#inner.rest();
  }

  append(key: string, offset: number, fill: () => Promise<Uint8Array>): Promise<void> {
    return this.#failing("append", key, fill, (fill) => this.#inner.append(key, offset, fill));
  }

  assemble(draftKey: string, fill: (draft: ObjectDraft) => Promise<AssembledObject>): Promise<void> {
    const nothing = () => Promise.resolve(new Uint8Array());
    return this.#failing("assemble", draftKey, nothing, () => this.#inner.assemble(draftKey, fill));
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#inner.delete(keys);
  }

  removeEmptyFolder(folder: string): Promise<void> {
    return this.#inner.removeEmptyFolder(folder);
  }

  async #failing(
    kind: "append" | "write" | "assemble",
    key: string,
    fill: () => Promise<Uint8Array>,
    work: (fill: () => Promise<Uint8Array>) => Promise<void>,
  ): Promise<void> {
    const fault = this.judge(kind, key);
    if (fault === undefined) return await work(fill);
    this.failures++;
    if (fault.at === "before") throw fault.error;
    await work(typeof fault.at === "number" ? broken(fill, fault.at, fault.error) : fill);
    throw fault.error;
  }
}

/** Gives so many bytes, then the error. */
function broken(fill: () => Promise<Uint8Array>, bytes: number, error: Error): () => Promise<Uint8Array> {
  let left = bytes;
  return async () => {
    if (left === 0) throw error;
    const piece = (await fill()).subarray(0, left);
    left = piece.length === 0 ? 0 : left - piece.length;
    if (piece.length === 0) throw error;
    return piece;
  };
}
