import { type FileEvents, openFileEvents } from "../../lib/platform/file_events.ts";
import { assert, assertEquals, assertGreater, assertLess } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

/** Runs the work with an instance that is closed afterwards; the sanitizers see what it leaves behind. */
async function withFileEvents(work: (events: FileEvents, folder: string) => Promise<void>): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const events = openFileEvents();
    assert(events !== undefined, "Linux has inotify");
    await using _closed = events;
    await work(events, folder);
  });
}

/** Collects the names a listener was called with; `until` resolves when one of them was. */
function aListener() {
  const seen: string[] = [];
  const waiting = new Map<string, () => void>();
  return {
    seen,
    listener: (name: string) => {
      seen.push(name);
      waiting.get(name)?.();
    },
    until: (name: string) =>
      seen.includes(name) ? Promise.resolve() : new Promise<void>((resolve) => waiting.set(name, resolve)),
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("FileEvents.watchFolder() names a file that is made, written, renamed and removed", async () => {
  await withFileEvents(async (events, folder) => {
    const { listener, until } = aListener();
    using _watch = disposable(events.watchFolder(folder, listener));
    Deno.writeTextFileSync(`${folder}/made`, "");
    await until("made");
    Deno.renameSync(`${folder}/made`, `${folder}/renamed`);
    await until("renamed");
    Deno.removeSync(`${folder}/renamed`);
    const second = aListener();
    using _second = disposable(events.watchFolder(folder, second.listener));
    Deno.writeTextFileSync(`${folder}/é with spaces`, "");
    await second.until("é with spaces");
  });
});

Deno.test("FileEvents.watchFolder() tells of a write to an open file, and not of reading", async () => {
  await withFileEvents(async (events, folder) => {
    const path = `${folder}/app.db-wal`;
    Deno.writeTextFileSync(path, "before");
    const { listener, until, seen } = aListener();
    using _watch = disposable(events.watchFolder(folder, listener));
    Deno.readTextFileSync(path);
    Deno.statSync(path);
    await pause(10);
    assertEquals(seen, []);
    using file = Deno.openSync(path, { write: true });
    file.writeSync(Uint8Array.of(1));
    await until("app.db-wal");
  });
});

Deno.test("FileEvents.watchFolder() tells each folder of its own files only", async () => {
  await withFileEvents(async (events, folder) => {
    for (const name of ["one", "two"]) Deno.mkdirSync(`${folder}/${name}`);
    const one = aListener();
    const two = aListener();
    events.watchFolder(`${folder}/one`, one.listener);
    events.watchFolder(`${folder}/two`, two.listener);
    Deno.writeTextFileSync(`${folder}/one/a`, "");
    Deno.writeTextFileSync(`${folder}/two/b`, "");
    await Promise.all([one.until("a"), two.until("b")]);
    assertEquals([new Set(one.seen), new Set(two.seen)], [new Set(["a"]), new Set(["b"])]);
  });
});

Deno.test("FileEvents.watchFolder() serves two listeners of one folder until each is closed", async () => {
  await withFileEvents(async (events, folder) => {
    const first = aListener();
    const second = aListener();
    const watch = events.watchFolder(folder, first.listener);
    events.watchFolder(folder, second.listener);
    Deno.writeTextFileSync(`${folder}/a`, "");
    await Promise.all([first.until("a"), second.until("a")]);
    watch?.close();
    watch?.close();
    Deno.writeTextFileSync(`${folder}/b`, "");
    await second.until("b");
    assertEquals(first.seen.includes("b"), false);
  });
});

Deno.test("FileEvents.watchFolder() of a closed and reopened watch goes on", async () => {
  await withFileEvents(async (events, folder) => {
    const { listener, until } = aListener();
    events.watchFolder(folder, listener)?.close();
    events.watchFolder(folder, listener);
    Deno.writeTextFileSync(`${folder}/a`, "");
    await until("a");
  });
});

Deno.test("FileEvents.watchFolder() tells with an empty name that the folder itself is gone", async () => {
  await withFileEvents(async (events, folder) => {
    Deno.mkdirSync(`${folder}/data`);
    const { listener, until } = aListener();
    const watch = events.watchFolder(`${folder}/data`, listener);
    Deno.removeSync(`${folder}/data`);
    await until("");
    watch?.close();
  });
});

Deno.test("FileEvents.watchFolder() is undefined for a folder that cannot be watched", async () => {
  await withFileEvents(async (events, folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "");
    assertEquals(events.watchFolder(`${folder}/missing`, () => {}), undefined);
    assertEquals(events.watchFolder(`${folder}/file`, () => {}), undefined);
    await events.close();
    assertEquals(events.watchFolder(folder, () => {}), undefined);
  });
});

Deno.test("FileEvents wakes up at most once a millisecond, and not in vain", async () => {
  await withFileEvents(async (events, folder) => {
    const { listener, seen, until } = aListener();
    using _watch = disposable(events.watchFolder(folder, listener));
    using file = Deno.openSync(`${folder}/app.db-wal`, { write: true, create: true });
    const start = performance.now();
    const elapsed = () => performance.now() - start;
    while (elapsed() < 100 || (seen.length <= 5 && elapsed() < 5_000)) { // A busy machine has fewer turns to give.
      for (let i = 0; i < 100; i++) file.writeSync(Uint8Array.of(i));
      await new Promise((resolve) => setImmediate(resolve));
    }
    Deno.writeTextFileSync(`${folder}/last`, "");
    await until("last");
    assertGreater(seen.length, 5);
    assertLess(seen.length, elapsed() + 5);
  });
});

Deno.test("FileEvents tells every listener with an empty name when the kernel's queue overflows", async () => {
  await withFileEvents(async (events, folder) => {
    for (const name of ["one", "two"]) Deno.mkdirSync(`${folder}/${name}`);
    const one = aListener();
    const two = aListener();
    events.watchFolder(`${folder}/one`, one.listener);
    events.watchFolder(`${folder}/two`, two.listener);
    const queueMax = Number(Deno.readTextFileSync("/proc/sys/fs/inotify/max_queued_events"));
    using a = Deno.openSync(`${folder}/one/a`, { write: true, create: true });
    using b = Deno.openSync(`${folder}/one/b`, { write: true, create: true });
    // Equal events in a row count as one, so two files take turns; the event loop gets no turn to empty the queue.
    for (let i = 0; i <= queueMax; i += 2) for (const file of [a, b]) file.writeSync(Uint8Array.of(1));
    await Promise.all([one.until(""), two.until("")]);
    assertEquals(two.seen, [""]);
  });
});

Deno.test("FileEvents tells of one write when it happens, not at the next look", async () => {
  await withFileEvents(async (events, folder) => {
    using file = Deno.openSync(`${folder}/app.db-wal`, { write: true, create: true });
    let told = (): void => {};
    using _watch = disposable(events.watchFolder(folder, () => told()));
    const latencies: number[] = [];
    for (let i = 0; i < 20; i++) {
      await pause(3);
      const start = performance.now();
      const isTold = new Promise<void>((resolve) => told = resolve);
      file.writeSync(Uint8Array.of(1));
      await isTold;
      latencies.push(performance.now() - start);
    }
    const median = latencies.sort((a, b) => a - b)[10] ?? Infinity;
    assertLess(median, 500); // 0.05 on an idle machine; a look comes once a second.
  });
});

Deno.test("FileEvents.close() may be called twice, and leaves watches that can still be closed", async () => {
  await withFileEvents(async (events, folder) => {
    const watch = events.watchFolder(folder, () => {});
    await Promise.all([events.close(), events.close()]);
    watch?.close();
  });
});

function disposable(watch: { close(): void } | undefined): Disposable {
  assert(watch !== undefined, "the folder is watched");
  return { [Symbol.dispose]: () => watch.close() };
}
