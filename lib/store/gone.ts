import { ReplicationError } from "../base/errors.ts";

/** Retention of this or another process removes objects at any time: what was listed may be gone when it is read. */
export async function unlessGone<T, U>(work: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof ReplicationError && error.code === "not-found") return otherwise;
    throw error;
  }
}
