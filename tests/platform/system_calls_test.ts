import { assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { fileError } from "../../lib/platform/file_error.ts";
import { openLibcCalls } from "../../lib/platform/libc_calls.ts";
import { NodeCalls } from "../../lib/platform/node_calls.ts";
import type { SystemCalls } from "../../lib/platform/system_calls.ts";

const libc = openLibcCalls() as SystemCalls; // Once: it is never closed.

/** What came of an act: its result, or what the program says of its error, unless that is in the words of the run-time. */
async function outcomeOf(act: () => unknown): Promise<unknown> {
  try {
    return { result: await act() };
  } catch (error) {
    const { code, message } = fileError("do", "it", error);
    return { code, errno: errnoOf(error), message: message.includes(String((error as Error).message)) ? "" : message };
  }
}

function errnoOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}

/** Everything that can be done, and much that cannot, in the folder. */
async function* actsIn(folder: string, system: SystemCalls): AsyncGenerator<unknown> {
  const path = (name: string) => `${folder}/${name}`;
  Deno.symlinkSync(path("file"), path("link"));
  Deno.mkdirSync(path("full/inner"), { recursive: true });
  for (const mode of ["read", "write", "create", "create-new", "create-new"] as const) {
    for (const name of ["file", "later", "link", "full", "full/none/below", "file/below"]) {
      const opened = await outcomeOf(() =>
        name === "later" ? system.openLater(path(name), mode, 0o640) : system.open(path(name), mode, 0o640)
      ) as { result?: number };
      yield opened.result === undefined ? [mode, name, opened] : [mode, name, "opened"];
      if (opened.result !== undefined) system.close(opened.result);
      if (mode === "create" && name !== "full") await outcomeOf(() => system.remove(path(name)));
    }
  }
  yield [Deno.statSync(path("file")).mode, Deno.statSync(path("later")).mode];

  const descriptor = system.open(path("file"), "write", 0o600);
  yield system.write(descriptor, Uint8Array.of(1, 2, 3, 4), 10);
  yield await system.writeLater(descriptor, Uint8Array.of(5, 6), 14);
  yield await outcomeOf(() => system.syncData(descriptor));
  yield await outcomeOf(() => system.syncDataLater(descriptor));
  const into = new Uint8Array(8);
  yield [system.read(descriptor, into, 9), [...into]];
  yield [await system.readLater(descriptor, into, 12), [...into]];
  yield [system.read(descriptor, into, 99), system.size(descriptor)];
  system.truncate(descriptor, 13);
  yield system.size(descriptor);
  await system.truncateLater(descriptor, 3);
  yield system.size(descriptor);
  await system.closeLater(descriptor);

  const readOnly = system.open(path("file"), "read", 0);
  yield await outcomeOf(() => system.write(readOnly, Uint8Array.of(1), 0));
  yield await outcomeOf(() => system.writeLater(readOnly, Uint8Array.of(1), 0));
  yield await outcomeOf(() => system.truncate(readOnly, 0));
  system.close(readOnly);
  const folderOpen = system.open(path("full"), "read", 0);
  yield await outcomeOf(() => system.read(folderOpen, into, 0));
  yield await outcomeOf(() => system.readLater(folderOpen, into, 0));
  system.close(folderOpen);

  for (const name of ["none", "full", "file/below"]) {
    yield [
      name,
      await outcomeOf(() => system.remove(path(name))),
      await outcomeOf(() => system.removeLater(path(name))),
    ];
  }
  for (const name of ["none", "full", "file", "full/inner"]) {
    yield [name, await outcomeOf(() => system.removeFolderLater(path(name)))];
  }
  system.remove(path("link"));
  await system.removeLater(path("later"));
  yield [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  for (const name of ["file", "none"]) {
    yield [system.mayAccess(path(name), "read"), system.mayAccess(path(name), "write")];
  }
  yield system.fileSystem("/proc");
  yield await outcomeOf(() => system.fileSystem(path("none")));
}

async function collect(system: SystemCalls): Promise<unknown[]> {
  let found: unknown[] = [];
  await withTemporaryFolder(async (folder) => {
    found = await Array.fromAsync(actsIn(folder, system));
  });
  return found;
}

Deno.test("the calls of the C library and those of Node do the same, and fail with the same words", async () => {
  assertEquals(await collect(libc), await collect(new NodeCalls()));
});

Deno.test("LibcCalls tells each error by its own number, whatever the collector does meanwhile", () => {
  let garbage: unknown[] = [];
  for (let i = 0; i < 100_000; i++) {
    const isFolder = i % 2 === 0;
    try {
      libc.open(isFolder ? "/tmp" : "/none", "write", 0);
      throw new Error("it was opened");
    } catch (error) {
      assertEquals(errnoOf(error), isFolder ? "EISDIR" : "ENOENT");
      garbage.push({ error, list: new Array(20).fill(i) });
    }
    if (garbage.length > 10_000) garbage = [];
  }
});

Deno.test("LibcCalls reads into small arrays, and writes them, wherever the collector puts them", async () => {
  await withTemporaryFolder(async (folder) => {
    const descriptor = libc.open(`${folder}/a`, "create-new", 0o600);
    for (let i = 0; i < 2_000; i++) {
      libc.write(descriptor, new Uint8Array(16).fill(i), 0);
      const [now, later] = [new Uint8Array(16), new Uint8Array(16)];
      const reading = libc.readLater(descriptor, later, 0);
      libc.read(descriptor, now, 0);
      for (let garbage = 0; garbage < 100; garbage++) new Uint8Array(16).fill(255);
      await reading;
      assertEquals([now[0], now[15], later[0], later[15]], new Array(4).fill(i & 255));
    }
    libc.close(descriptor);
  });
});

Deno.test("a path that holds a zero byte is refused, not cut short", () => {
  for (const act of [() => libc.open("/etc\0/none", "read", 0), () => libc.remove("/etc\0")]) {
    let message = "";
    try {
      act();
    } catch (error) {
      message = String(error);
    }
    assertEquals(message.includes("zero byte"), true);
  }
});

Deno.test("a sync that fails is an error, though nothing is wrong when it is tried again", async () => {
  const [reader, writer] = await pipe();
  try {
    for (const sync of [() => libc.syncData(writer), () => libc.syncDataLater(writer)]) {
      assertEquals((await outcomeOf(sync) as { result?: unknown }).result, undefined);
    }
  } finally {
    libc.close(reader);
    libc.close(writer);
  }
});

/** Descriptors of a pipe, which no system can sync. */
function pipe(): Promise<[number, number]> {
  const calls = Deno.dlopen("libc.so.6", { pipe: { parameters: ["buffer"], result: "i32" } });
  const pair = new Int32Array(new ArrayBuffer(8));
  assertEquals(calls.symbols.pipe(new Uint8Array(pair.buffer)), 0);
  calls.close();
  return Promise.resolve([pair[0] ?? -1, pair[1] ?? -1]);
}
