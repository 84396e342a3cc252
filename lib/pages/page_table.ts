/** The values of all pages of a database: 8 bytes a page in a file (`page_table_header.ts`), a few blocks in memory. */
import { limits } from "../base/limits.ts";
import type { FileHandle, FileSystem } from "../platform/file_system.ts";
import {
  formatPageTableHeader,
  HEADER_SLOT_SIZE,
  PAGE_TABLE_HEADER_SIZE,
  type PageTableHeader,
  parsePageTableHeader,
  VALUES_AT,
} from "./page_table_header.ts";

const VALUES_PER_BLOCK = 512;
const BLOCK_BYTES = VALUES_PER_BLOCK * 8;

interface Block {
  readonly words: Uint32Array<ArrayBuffer>;
  readonly bytes: Uint8Array<ArrayBuffer>;
  isDirty: boolean;
}

export class PageTable {
  readonly #handle: FileHandle;
  /** Oldest first. */
  readonly #blocks = new Map<number, Block>();
  #lastNumber = -1;
  #last: Block | undefined;
  #sequence = 0;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** An empty one in place of what is there. */
  static create(files: FileSystem, path: string): PageTable {
    const handle = files.open(path, "create");
    handle.truncate(0);
    return new PageTable(handle);
  }

  /** The one that is there, with its header; undefined when there is none that counts. */
  static open(files: FileSystem, path: string): { table: PageTable; header: PageTableHeader } | undefined {
    if (files.status(path) === undefined) return undefined;
    const table = new PageTable(files.open(path, "write"));
    const headers = [0, 1].flatMap((slot) => {
      const bytes = new Uint8Array(PAGE_TABLE_HEADER_SIZE);
      const got = table.#handle.readAt(bytes, slot * HEADER_SLOT_SIZE);
      return parsePageTableHeader(bytes.subarray(0, got)) ?? [];
    }).sort((a, b) => b.sequence - a.sequence);
    const [header] = headers;
    if (header === undefined) {
      table.close();
      return undefined;
    }
    table.#sequence = header.sequence;
    return { table, header };
  }

  /** The value of a page, as two words, the low one first; 0, 0 when it was never written. */
  read(page: number, into: Uint32Array): void {
    const block = this.#blockOf(page);
    const at = ((page - 1) % VALUES_PER_BLOCK) * 2;
    into[0] = block.words[at] ?? 0;
    into[1] = block.words[at + 1] ?? 0;
  }

  write(page: number, low: number, high: number): void {
    const block = this.#blockOf(page);
    const at = ((page - 1) % VALUES_PER_BLOCK) * 2;
    block.words[at] = low;
    block.words[at + 1] = high;
    block.isDirty = true;
  }

  /** Forgets the values of all pages after the given one. */
  truncate(pages: number): void {
    const kept = Math.ceil(pages / VALUES_PER_BLOCK);
    for (const number of [...this.#blocks.keys()]) if (number >= kept) this.#blocks.delete(number);
    if (pages % VALUES_PER_BLOCK !== 0) {
      const block = this.#blockOf(pages);
      block.words.fill(0, (pages % VALUES_PER_BLOCK) * 2);
      block.isDirty = true;
    }
    const size = VALUES_AT + pages * 8;
    if (this.#handle.size() > size) this.#handle.truncate(size);
    this.#lastNumber = -1;
  }

  /**
   * Puts all values on stable storage, then a header that speaks of them as they are when this is called. What changes
   * meanwhile may be stored, too.
   */
  async store(header: Omit<PageTableHeader, "sequence">): Promise<void> {
    const bytes = formatPageTableHeader({ ...header, sequence: this.#sequence + 1 });
    this.#writeDirty();
    await this.#handle.sync();
    this.#sequence++;
    this.#handle.writeAt(bytes, (this.#sequence % 2) * HEADER_SLOT_SIZE);
    await this.#handle.sync();
  }

  close(): void {
    this.#handle.close();
  }

  #writeDirty(): void {
    const dirty = [...this.#blocks].filter(([, block]) => block.isDirty).sort(([a], [b]) => a - b);
    for (const [number, block] of dirty) this.#writeBlock(number, block);
  }

  #writeBlock(number: number, block: Block): void {
    this.#handle.writeAt(block.bytes, VALUES_AT + number * BLOCK_BYTES);
    block.isDirty = false;
  }

  #blockOf(page: number): Block {
    const number = Math.floor((page - 1) / VALUES_PER_BLOCK);
    if (number === this.#lastNumber && this.#last !== undefined) return this.#last;
    const block = this.#blocks.get(number) ?? this.#load(number);
    this.#lastNumber = number;
    this.#last = block;
    return block;
  }

  #load(number: number): Block {
    const block = this.#blocks.size < limits.pageTableBlocks ? newBlock() : this.#evict();
    const got = this.#handle.readAt(block.bytes, VALUES_AT + number * BLOCK_BYTES);
    block.bytes.fill(0, got);
    this.#blocks.set(number, block);
    return block;
  }

  #evict(): Block {
    const [oldest] = this.#blocks;
    if (oldest === undefined) return newBlock();
    const [number, block] = oldest;
    this.#blocks.delete(number);
    if (block.isDirty) this.#writeBlock(number, block);
    block.isDirty = false;
    return block;
  }
}

function newBlock(): Block {
  const words = new Uint32Array(VALUES_PER_BLOCK * 2);
  return { words, bytes: new Uint8Array(words.buffer), isDirty: false };
}
