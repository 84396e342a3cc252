import { ReplicationError } from "../base/errors.ts";
import type { GenerationCatalog } from "./generation_store.ts";

/** A folder of the generation is none: nothing in it can be told. What the other one holds may still say how new it is. */
export class DamagedGeneration extends ReplicationError {
  constructor(cause: ReplicationError, readonly partial: GenerationCatalog) {
    super("corrupt", cause.message, { cause });
  }
}

/** What the work gives; where it meets damage, that goes to `damaged`, and the result is `otherwise`. */
export async function unlessDamaged<T>(
  work: Promise<T>,
  otherwise: T,
  damaged: (error: ReplicationError) => void = () => {},
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.code !== "corrupt") throw error;
    damaged(error);
    return otherwise;
  }
}
