/**
 * What brings a replica forward whose end the shadow WAL no longer holds: the pages that changed since, as they are at one
 * captured position. They are taken from an exact image of the database, of which only they are kept.
 */
import { ReplicationError } from "../base/errors.ts";
import { TouchedPages } from "../pages/touched_pages.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import type { SnapshotImage, SnapshotTarget } from "../store/generation_store.ts";
import type { IndexChange } from "./index_changes.ts";
import type { CollectedPages, PageChanges } from "./source.ts";

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
    const each = () => eachPage(scratch, pages, tools.pageSize);
    return { record, index: written.stateIndex, count: pages.length, each, close };
  } catch (error) {
    close();
    throw error;
  }
}

function* eachPage(scratch: FileHandle, pages: Uint32Array, pageSize: number) {
  const content = new Uint8Array(pageSize);
  for (const page of pages) {
    scratch.readAt(content, (page - 1) * pageSize);
    yield { page, content };
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
