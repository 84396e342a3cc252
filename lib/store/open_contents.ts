import type { RecordHome } from "./commit_record.ts";
import type { ListedObject } from "./litestream_listing.ts";
import type { ObjectContent } from "./stored_object.ts";

/**
 * A read often goes on where the last one ended, or in the object before it. Of an index that is left nothing stays open: who
 * decodes an object needs 12 MiB for it.
 */
const KEPT_MAX = 2;

/**
 * Objects that stay open between two reads. A content is lent to one reader at a time, and what nobody may find here any more
 * is closed by the last one that it was lent to: never under a reader, whoever else reads meanwhile.
 */
export class OpenContents {
  readonly #open: (object: ListedObject) => Promise<ObjectContent>;
  /** By key, the one that was lent last at the end. */
  readonly #kept = new Map<string, Lending>();

  constructor(open: (object: ListedObject) => Promise<ObjectContent>) {
    this.#open = open;
  }

  async use<T>(object: ListedObject, work: (content: ObjectContent) => Promise<T>): Promise<T> {
    const { key } = object;
    const lending = this.#kept.get(key) ?? new Lending(object.home, () => this.#open(object));
    this.#kept.delete(key); // Put in again, it is the youngest.
    this.#kept.set(key, lending);
    for (const [oldest, { home }] of this.#kept) {
      if (isSameIndex(home, object.home) && this.#kept.size <= KEPT_MAX) break;
      if (oldest !== key) this.#forget(oldest);
    }
    try {
      return await lending.lend(work);
    } catch (error) {
      if (!lending.isOpen && this.#kept.get(key) === lending) this.#kept.delete(key); // The next one tries again.
      throw error;
    }
  }

  /** What stands under the names may be something else by now. */
  forgetAll(): void {
    for (const key of [...this.#kept.keys()]) this.#forget(key);
  }

  #forget(key: string): void {
    this.#kept.get(key)?.closeWhenFree();
    this.#kept.delete(key);
  }
}

/** One content, and the queue of those who read it. */
class Lending {
  isOpen = false;
  readonly home: RecordHome;
  readonly #open: () => Promise<ObjectContent>;
  #content: ObjectContent | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(home: RecordHome, open: () => Promise<ObjectContent>) {
    this.home = home;
    this.#open = open;
  }

  lend<T>(work: (content: ObjectContent) => Promise<T>): Promise<T> {
    return this.#next(async () => {
      this.#content ??= await this.#open();
      this.isOpen = true;
      return await work(this.#content);
    });
  }

  /** Nobody asks for it from here on. */
  closeWhenFree(): void {
    void this.#next(() => Promise.resolve(this.#content?.close()));
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {}); // Whoever asked hears of it.
    return result;
  }
}

function isSameIndex(a: RecordHome, b: RecordHome): boolean {
  return a.generation === b.generation && a.index === b.index;
}
