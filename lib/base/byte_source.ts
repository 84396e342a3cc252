/** Bytes of known places that are read by position: an object of a replica, or what comes out when one is decoded. */
export interface ByteSource {
  /** Fills `into` from byte `at`; returns the bytes read, fewer only at the end. */
  read(at: number, into: Uint8Array): Promise<number>;
}

/** An object as it is stored, whose size is known. */
export interface StoredBytes extends ByteSource {
  readonly sizeBytes: number;
}

/** The next bytes of a stream, empty at its end. The array may be reused by the next call. */
export type NextBytes = () => Promise<Uint8Array>;
