/**
 * What brings a replica forward whose end the shadow WAL no longer holds: the pages that changed since, as they are at one
 * captured position. They are taken from an exact image of the database, of which only they are kept.
 */
import { ReplicationError } from "../base/errors.ts";
import { TouchedPages } from "../pages/touched_pages.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import type { Index } from "../position/position.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { SnapshotImage, SnapshotTarget } from "../store/generation_store.ts";
import type { IndexChange } from "./index_changes.ts";

export interface PageChanges {
  /** The index that the replica ends in, as it was when it was over. */
  readonly from: IndexChange;
  readonly pages: number;
  readonly pageSize: number;
  readonly databasePages: number;
  collect(): Promise<CollectedPages>;
  /** 8 random bytes for a WAL that no application wrote. */
  salts(): Uint8Array;
}

/** The pages at the position that the record speaks of. */
export interface CollectedPages {
  /** kind "snapshot"; start = end = the offset in `index`. */
  readonly record: CommitRecord;
  readonly index: Index;
  readonly count: number;
  /** Ascending; the bytes are reused. */
  each(): Iterable<{ readonly page: number; readonly content: Uint8Array }>;
  close(): void;
}

export interface ChangeTools {
  readonly files: FileSystem;
  readonly scratchPath: string;
  readonly pageSize: number;
  readonly databasePages: number;
  readonly image: () => SnapshotImage;
  readonly salts: () => Uint8Array;
}

/** `changes`: of the index that the replica ends in, and of every one that is over since. */
export function pageChanges(changes: readonly IndexChange[], tools: ChangeTools): PageChanges | undefined {
  const [from] = changes;
  if (from === undefined) return undefined;
  const wanted = new TouchedPages();
  wanted.add(1); // Every transaction has a page.
  for (const { pages } of changes) for (const page of pages) wanted.add(page);
  // What was cut off meanwhile and came back without a frame reads as zeros, and must not be what the replica has there.
  const smallest = changes.reduce((least, { databasePages }) => Math.min(least, databasePages), tools.databasePages);
  return {
    from,
    pages: wanted.list().length,
    pageSize: tools.pageSize,
    databasePages: tools.databasePages,
    collect: () => collect(wanted, smallest, tools),
    salts: tools.salts,
  };
}

async function collect(wanted: TouchedPages, smallest: number, tools: ChangeTools): Promise<CollectedPages> {
  const scratch = tools.files.open(tools.scratchPath, "create");
  const close = () => {
    scratch.close();
    tools.files.remove(tools.scratchPath);
  };
  try {
    scratch.truncate(0);
    const target = new ChangedOnly(scratch, tools.pageSize, (page) => wanted.has(page) || page > smallest);
    const written = await tools.image().writeTo(target);
    const { record } = written;
    if (record.pageSize !== tools.pageSize) {
      throw new ReplicationError("unavailable", "Cannot collect the pages that changed: the page size did as well");
    }
    const pages = target.kept.list().filter((page) => page <= record.databasePages);
    const content = new Uint8Array(tools.pageSize);
    function* each() {
      for (const page of pages) {
        scratch.readAt(content, (page - 1) * tools.pageSize);
        yield { page, content };
      }
    }
    return { record, index: written.stateIndex, count: pages.length, each, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Keeps of an image what is wanted of the file, and all pages that changed meanwhile. */
class ChangedOnly implements SnapshotTarget {
  readonly kept = new TouchedPages();
  readonly #scratch: FileHandle;
  readonly #pageSize: number;
  readonly #isWanted: (page: number) => boolean;
  #isFile = true;

  constructor(scratch: FileHandle, pageSize: number, isWanted: (page: number) => boolean) {
    this.#scratch = scratch;
    this.#pageSize = pageSize;
    this.#isWanted = isWanted;
  }

  fileCopied(): void {
    this.#isFile = false;
  }

  writeAt(bytes: Uint8Array, position: number): Promise<void> {
    const size = this.#pageSize;
    for (let at = 0; at < bytes.length; at += size) {
      const page = (position + at) / size + 1;
      if (this.#isFile && !this.#isWanted(page)) continue;
      this.#scratch.writeAt(bytes.subarray(at, at + size), position + at);
      this.kept.add(page);
    }
    return Promise.resolve();
  }
}
