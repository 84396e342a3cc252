/**
 * Tells at once when something happens to the files of a folder, by inotify. It opens none of them: the runtime's own
 * watcher opens and closes every file it reports, which drops SQLite's locks in this process.
 *
 * The kernel writes events one after the other, in the machine's byte order:
 *
 *    0  number of the watch       8  cookie
 *    4  mask                     12  size of the name that follows, padded with zero bytes
 */
import { viewOf } from "../base/bytes.ts";
import { type Libc, openLibc } from "./libc.ts";

const WATCH_AT = 0;
const MASK_AT = 4;
const NAME_SIZE_AT = 12;
const NAME_AT = 16;

const IN_MODIFY = 0x2;
const IN_CLOSE_WRITE = 0x8;
const IN_MOVED_FROM = 0x40;
const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const IN_DELETE = 0x200;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;
const IN_ONLYDIR = 0x1000000;
const WATCHED = IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_ONLYDIR;

/** Of inotify_init1 and eventfd alike. */
const NONBLOCKING_CLOSE_ON_EXEC = 0x80800;
const POLLIN = 1;
const POLL_ENTRY_SIZE = 8;
const POLL_EVENTS_AT = 4;

const BUFFER_SIZE = 64 * 1024;
/** A busy writer causes thousands of events a millisecond; one look answers them all. */
const PAUSE_MS = 1;
const FOREVER = -1;

const machineIsLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

export interface FileWatch {
  close(): void;
}

/** Is given the name of a file in the folder something happened to, or "" when events were lost and it may be any. */
export type FileListener = (name: string) => void;

interface WatchedFolder {
  readonly watch: number;
  readonly listeners: Set<FileListener>;
  /** Names seen since listeners were last called. */
  readonly names: Set<string>;
  /** The folder was removed or its file system unmounted, and the kernel dropped the watch. */
  isGone: boolean;
}

/** One for the whole process: the kernel allows few of them. Undefined where there is no inotify; callers poll then. */
export function openFileEvents(): FileEvents | undefined {
  const libc = openLibc();
  if (libc === undefined) return undefined;
  const events = libc.symbols.inotify_init1(NONBLOCKING_CLOSE_ON_EXEC);
  const wakeUp = events < 0 ? -1 : libc.symbols.eventfd(0, NONBLOCKING_CLOSE_ON_EXEC);
  if (wakeUp >= 0) return new FileEvents(libc, events, wakeUp);
  if (events >= 0) libc.symbols.close(events);
  libc.close();
  return undefined;
}

export class FileEvents implements AsyncDisposable {
  readonly #libc: Libc;
  readonly #events: number;
  readonly #wakeUp: number;
  readonly #folders = new Map<number, WatchedFolder>();
  readonly #touched = new Set<WatchedFolder>();
  // Buffers that foreign code fills must not be moved by the garbage collector: small typed arrays without an own buffer are.
  readonly #buffer = new Uint8Array(new ArrayBuffer(BUFFER_SIZE));
  readonly #view = viewOf(this.#buffer);
  readonly #decoder = new TextDecoder();
  readonly #ended: Promise<void>;
  #isClosing = false;

  constructor(libc: Libc, events: number, wakeUp: number) {
    this.#libc = libc;
    this.#events = events;
    this.#wakeUp = wakeUp;
    this.#ended = this.#run();
  }

  /** Undefined when the folder cannot be watched: it is not there, or the system's limit on watches is reached. */
  watchFolder(folder: string, listener: FileListener): FileWatch | undefined {
    if (this.#isClosing) return undefined;
    const path = new TextEncoder().encode(`${folder}\0`);
    const watch = this.#libc.symbols.inotify_add_watch(this.#events, path, WATCHED);
    if (watch < 0) return undefined;
    const watched = this.#folders.get(watch) ??
      { watch, listeners: new Set(), names: new Set(), isGone: false };
    this.#folders.set(watch, watched); // The kernel gives a folder that is watched already the same number.
    const own: FileListener = (name) => listener(name); // The same listener may be given twice.
    watched.listeners.add(own);
    return { close: () => this.#unwatch(watched, own) };
  }

  /** Resolves when nothing of it is left. */
  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.#libc.symbols.write(this.#wakeUp, new Uint8Array(BigUint64Array.of(1n).buffer), 8n);
    }
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #unwatch(watched: WatchedFolder, listener: FileListener): void {
    const wasWatched = watched.listeners.delete(listener);
    if (!wasWatched || watched.listeners.size > 0 || watched.isGone || this.#isClosing) return;
    this.#folders.delete(watched.watch);
    this.#libc.symbols.inotify_rm_watch(this.#events, watched.watch);
  }

  async #run(): Promise<void> {
    const both = pollEntries([this.#wakeUp, this.#events]);
    const wakeUpOnly = both.subarray(0, POLL_ENTRY_SIZE);
    try {
      while (!this.#isClosing) {
        await this.#libc.symbols.poll(both, 2n, FOREVER);
        if (this.#isClosing) return;
        this.#collect();
        this.#tell();
        await this.#libc.symbols.poll(wakeUpOnly, 1n, PAUSE_MS);
      }
    } finally {
      this.#isClosing = true;
      this.#folders.clear();
      this.#libc.symbols.close(this.#events);
      this.#libc.symbols.close(this.#wakeUp);
      this.#libc.close();
    }
  }

  /** Empties the queue as far as the buffer reaches; the rest is for the next wake-up. */
  #collect(): void {
    const size = Number(this.#libc.symbols.read(this.#events, this.#buffer, BigInt(BUFFER_SIZE)));
    for (let at = 0; at < size;) {
      const mask = this.#uint32(at + MASK_AT);
      const nameSize = this.#uint32(at + NAME_SIZE_AT);
      if ((mask & IN_Q_OVERFLOW) !== 0) {
        for (const watched of this.#folders.values()) this.#touch(watched, "");
      } else {
        const watched = this.#folders.get(this.#uint32(at + WATCH_AT));
        if (watched !== undefined) this.#note(watched, mask, this.#name(at + NAME_AT, nameSize));
      }
      at += NAME_AT + nameSize;
    }
  }

  #note(watched: WatchedFolder, mask: number, name: string): void {
    if ((mask & IN_IGNORED) !== 0) {
      watched.isGone = true;
      this.#folders.delete(watched.watch);
    }
    this.#touch(watched, name);
  }

  #touch(watched: WatchedFolder, name: string): void {
    watched.names.add(name);
    this.#touched.add(watched);
  }

  #tell(): void {
    for (const watched of this.#touched) {
      for (const name of watched.names) for (const listener of watched.listeners) listener(name);
      watched.names.clear();
    }
    this.#touched.clear();
  }

  #name(at: number, size: number): string {
    const padded = this.#buffer.subarray(at, at + size);
    const end = padded.indexOf(0);
    return this.#decoder.decode(end < 0 ? padded : padded.subarray(0, end));
  }

  #uint32(at: number): number {
    return this.#view.getUint32(at, machineIsLittleEndian);
  }
}

function pollEntries(descriptors: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(descriptors.length * POLL_ENTRY_SIZE));
  const view = viewOf(bytes);
  for (const [place, descriptor] of descriptors.entries()) {
    view.setInt32(place * POLL_ENTRY_SIZE, descriptor, machineIsLittleEndian);
    view.setInt16(place * POLL_ENTRY_SIZE + POLL_EVENTS_AT, POLLIN, machineIsLittleEndian);
  }
  return bytes;
}
