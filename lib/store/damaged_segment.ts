import { ReplicationError } from "../base/errors.ts";

/** Part of a WAL that an object should hold, and does not; every byte of that WAL before `intactTo` is in other objects. */
export class DamagedSegment extends ReplicationError {
  constructor(code: "corrupt" | "gap", message: string, readonly intactTo: number, cause?: unknown) {
    super(code, message, cause === undefined ? {} : { cause });
  }
}
