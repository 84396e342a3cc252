import { assert } from "../base/assert.ts";
import { ReplicationError } from "../base/errors.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import { asIndex, asOffset, formatPosition, type Offset, type Position } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import { readRecords } from "./shadow_files.ts";
import type { ShadowWal } from "./shadow_wal.ts";
import type { ShadowReader } from "./source.ts";

/** Below this a blocking read costs 1 us and one off the event loop 80. */
const BLOCKING_READ_MAX_BYTES = 256 << 10;

/**
 * Reads published bytes only, from files of its own, so that a capture under way and a removed index do not disturb it. The
 * shadow WAL is asked for anew each time: the database may have been let go of and taken up again meanwhile.
 */
export class FileShadowReader implements ShadowReader {
  readonly #files: FileSystem;
  readonly #shadow: () => ShadowWal;
  #position: Position;
  #end: { readonly end: Offset; readonly closed: boolean };
  #wal: FileHandle | undefined;
  /** Records of the present index that end at or before the last start asked for: they are not read again. */
  #recordsPassed = 0;

  constructor(files: FileSystem, shadow: () => ShadowWal, position: Position) {
    this.#files = files;
    this.#shadow = shadow;
    this.#position = position;
    this.#end = this.#lookUpEnd();
  }

  position(): Position {
    return this.#position;
  }

  end(): { readonly offset: Offset; readonly closed: boolean } {
    return { offset: this.#end.end, closed: this.#end.closed };
  }

  refresh(): void {
    this.#end = this.#lookUpEnd();
  }

  async read(into: Uint8Array): Promise<number> {
    const { offset, index, generation } = this.#position;
    const wanted = Math.min(into.length, this.#end.end - offset);
    if (wanted <= 0) return 0;
    this.#wal ??= this.#files.open(this.#shadow().walPath(index), "read");
    const target = into.subarray(0, wanted);
    const read = wanted <= BLOCKING_READ_MAX_BYTES
      ? this.#wal.readAt(target, offset)
      : await this.#wal.readAtLater(target, offset);
    if (read < wanted) {
      throw new ReplicationError(
        "corrupt",
        `Cannot read the shadow WAL at ${formatPosition(this.#position)}: it is cut short`,
      );
    }
    this.#position = { generation, index, offset: asOffset(offset + read) };
    return read;
  }

  records(start: Offset): readonly CommitRecord[] {
    this.#lookUpEnd(); // The WAL may still be open here when its records are gone.
    const path = this.#shadow().commitsPath(this.#position.index);
    const { end, closed } = this.#end;
    const found = readRecords(this.#files, path, end, this.#recordsPassed);
    const passed = found.findIndex((record) => record.end > start);
    this.#recordsPassed += passed === -1 ? 0 : passed;
    return found
      .filter((record) => record.indexClosed ? closed : record.end > start)
      .map((record) => record.start < start ? { ...record, start } : record);
  }

  nextIndex(): void {
    assert(this.#end.closed && this.#position.offset === this.#end.end, "an index is left when it is closed and read");
    this.close();
    const { generation, index } = this.#position;
    this.#position = { generation, index: asIndex(index + 1), offset: asOffset(0) };
    this.#recordsPassed = 0;
    this.refresh();
  }

  close(): void {
    this.#wal?.close();
    this.#wal = undefined;
  }

  #lookUpEnd(): { readonly end: Offset; readonly closed: boolean } {
    const found = this.#shadow().endOf(this.#position.index);
    if (found !== undefined) return found;
    throw new ReplicationError(
      "gap",
      `Cannot read the shadow WAL from ${
        formatPosition(this.#position)
      }: it begins at index ${this.#shadow().oldestIndex()}`,
    );
  }
}
