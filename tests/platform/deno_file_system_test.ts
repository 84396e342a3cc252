import { assert, assertEquals, assertGreater, assertRejects, assertThrows } from "../support/assert.ts";
import { makeNode } from "../support/no_files.ts";
import { openBelow } from "../support/open_below.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { randomBytes, seededRandom } from "../support/random.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { AssertionError } from "../../lib/base/assert.ts";
import { type ErrorCode, ReplicationError } from "../../lib/base/errors.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { openLibc } from "../../lib/platform/libc.ts";
import { NodeCalls } from "../../lib/platform/node_calls.ts";
import type { SystemCalls } from "../../lib/platform/system_calls.ts";
import type { LimitedWrite } from "./limited_writes.ts";

const files = new DenoFileSystem();

/** POLLIN, as the events that are waited for. */
const READABLE = 1;

function assertRefused(work: () => unknown, code: ErrorCode, message: string): void {
  const error = assertThrows(work, ReplicationError);
  assertEquals([error.code, error.message], [code, message]);
  assert(error.cause !== undefined || code === "corrupt");
}

Deno.test("readAt() and writeAt() work at any place of a file, and reading stops at its end", async () => {
  await withTemporaryFolder((folder) => {
    const file = files.open(`${folder}/a`, "create-new");
    file.writeAt(Uint8Array.of(1, 2, 3), 5);
    assertEquals(file.size(), 8);
    const into = new Uint8Array(6).fill(9);
    assertEquals(file.readAt(into, 4), 4);
    assertEquals([...into], [0, 1, 2, 3, 9, 9]);
    assertEquals(file.readAt(into, 8), 0);
    file.truncate(6);
    assertEquals(file.size(), 6);
    file.syncNow();
    file.close();
  });
});

Deno.test("readAtLater() and writeAtLater() do the same off the event loop, for megabytes too", async () => {
  await withTemporaryFolder(async (folder) => {
    const bytes = randomBytes(seededRandom(4), (2 << 20) + 5);
    const file = files.open(`${folder}/a`, "create");
    await file.writeAtLater(bytes, 3);
    await file.sync();
    const into = new Uint8Array(bytes.length + 10);
    assertEquals(await file.readAtLater(into, 3), bytes.length);
    assert(Deno.readFileSync(`${folder}/a`).subarray(3).every((byte, at) => byte === bytes[at]));
    assert(into.subarray(0, bytes.length).every((byte, at) => byte === bytes[at]));
    file.close();
  });
});

Deno.test("readAt() and writeAt() reach places beyond four gigabytes", async () => {
  await withTemporaryFolder((folder) => {
    const file = files.open(`${folder}/sparse`, "create");
    file.writeAt(Uint8Array.of(42), 5 * 2 ** 30);
    const into = new Uint8Array(1);
    assertEquals([file.readAt(into, 5 * 2 ** 30), into[0], file.size()], [1, 42, 5 * 2 ** 30 + 1]);
    file.close();
  });
});

Deno.test("writeAtLater() leaves the event loop free, and closeLater() waits for it", async () => {
  await withTemporaryFolder(async (folder) => {
    let turns = 0;
    // On a busy machine one write may be over before the loop comes to a turn.
    for (let write = 0; write < 50 && turns === 0; write++) {
      const file = await files.openLater(`${folder}/a`, "create");
      let written = false;
      const writing = file.writeAtLater(new Uint8Array(32 << 20), 0).then(() => written = true);
      const count = () => {
        if (written) return;
        turns++;
        setImmediate(count);
      };
      setImmediate(count);
      await file.closeLater();
      assert(written);
      await writing;
    }
    assertGreater(turns, 0, "no turn of the event loop while a write is under way");
    assertEquals(files.status(`${folder}/a`)?.size, 32 << 20);
  });
});

Deno.test("close() is refused while a write is under way, whose descriptor it would take away", async () => {
  await withTemporaryFolder(async (folder) => {
    const file = files.open(`${folder}/a`, "create-new");
    const writing = file.writeAtLater(new Uint8Array(1), 0);
    assertThrows(() => file.close(), AssertionError);
    await writing;
    file.close();
  });
});

Deno.test("close() and closeLater() leave the descriptor to reads that are under way, and to nobody else then", async () => {
  await withTemporaryFolder(async (folder) => {
    const bytes = randomBytes(seededRandom(5), 8 << 20);
    Deno.writeFileSync(`${folder}/a`, bytes);
    Deno.writeFileSync(`${folder}/b`, new Uint8Array(bytes.length).fill(7));
    for (const how of ["close", "closeLater"] as const) {
      const file = await files.openLater(`${folder}/a`, "read");
      const into = Array.from({ length: 4 }, () => new Uint8Array(bytes.length));
      const reading = into.map((one) => file.readAtLater(one, 0));
      const closing = file[how]();
      const others = Array.from({ length: 4 }, () => files.open(`${folder}/b`, "read")); // They would get its number.
      assertEquals(await Promise.all(reading), into.map(() => bytes.length));
      await closing;
      assert(into.every((one) => one.every((byte, at) => byte === bytes[at])), how);
      for (const other of others) other.close();
      while (openBelow(folder).length > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });
});

Deno.test("writeAtLater() writes small arrays as they were, whatever the memory is used for meanwhile", async () => {
  await withTemporaryFolder(async (folder) => {
    const file = await files.openLater(`${folder}/a`, "create-new");
    for (let i = 0; i < 500; i++) {
      const writing = file.writeAtLater(new Uint8Array(64).fill(i), i * 64);
      for (let garbage = 0; garbage < 200; garbage++) new Uint8Array(64).fill(255);
      await writing;
    }
    await file.closeLater();
    assert(Deno.readFileSync(`${folder}/a`).every((byte, at) => byte === (at >> 6 & 255)));
  });
});

Deno.test("closeLater() and close() leave no descriptor behind", async () => {
  await withTemporaryFolder(async (folder) => {
    const descriptors = () => openBelow(folder).length;
    for (const isSynced of [false, true]) {
      const file = await files.openLater(`${folder}/a`, "create");
      await file.writeAtLater(Uint8Array.of(1, 2, 3), 0);
      await file.truncateLater(2);
      if (isSynced) await file.sync();
      assertEquals(descriptors(), 1);
      await file.closeLater();
      assertEquals(descriptors(), 0);
    }
    assertEquals(files.status(`${folder}/a`)?.size, 2);
    await files.syncFolderLater(folder);
    assertEquals(descriptors(), 0);
  });
});

/** The system's own calls, of which opening hangs in the kernel, on its thread, until somebody lets it go on. */
function hangingCalls(): { readonly calls: SystemCalls; readonly letGoOn: () => void; readonly close: () => void } {
  const libc = openLibc();
  assert(libc !== undefined);
  const gate = libc.symbols.eventfd(0, 0);
  const calls: SystemCalls = new NodeCalls();
  const openLater = calls.openLater.bind(calls);
  calls.openLater = async (...words) => {
    const wanted = new Uint8Array(new Int32Array([gate, READABLE]).buffer);
    assertEquals(await libc.symbols.poll(wanted, 1n, -1), 1);
    return await openLater(...words);
  };
  const letGoOn = () => void libc.symbols.write(gate, new Uint8Array(new BigUint64Array([1n]).buffer), 8n);
  const close = () => {
    libc.symbols.close(gate);
    libc.close();
  };
  return { calls, letGoOn, close };
}

Deno.test({
  name: "calls that hang leave threads for the calls that do not, however many they are",
  timeout: 30_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const { calls, letGoOn, close } = hangingCalls();
      const hanging = new DenoFileSystem(calls);
      const paths = Array.from({ length: 64 }, (_, i) => `${folder}/file${i}`);
      for (const path of paths) Deno.writeTextFileSync(path, "");
      let opened = 0;
      const opening = paths.map(async (path) => {
        const file = await hanging.openLater(path, "read");
        opened++;
        await file.closeLater();
      });
      const other = files.open(`${folder}/other`, "create-new");
      other.writeAt(Uint8Array.of(1), 0);
      await other.sync(); // As a capture does, before it hands over its read hold.
      await other.readAtLater(new Uint8Array(1), 0);
      other.close();
      assertEquals(opened, 0);
      letGoOn();
      await Promise.all(opening);
      close();
    }),
});

Deno.test({
  name: "writes that a limit cuts short are an error of the code no-space, in each way of writing",
  timeout: 60_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const program = new URL("./limited_writes.ts", import.meta.url).pathname;
      const shell = `trap '' XFSZ; ulimit -f 2048; exec "$0" run --allow-all --no-check "$1" "$2"`;
      const { stdout } = await new Deno.Command("bash", { args: ["-c", shell, Deno.execPath(), program, folder] })
        .output();
      const writes = JSON.parse(new TextDecoder().decode(stdout)) as LimitedWrite[];
      assertEquals(writes.map(({ way, size }) => [way, size]), [
        ["writeAt", 2 << 20], // The first write was short: it filled the file to its limit and reported no error.
        ["writeAtLater", 2 << 20],
        ["openLater", 2 << 20],
      ]);
      for (const { way, code, message } of writes) {
        const expected = `Cannot write ${folder}/${way}: the file would exceed the largest size allowed`;
        assertEquals([code, message], ["no-space", expected]);
      }
    }),
});

Deno.test("open() says what stands in its way, with a code of this program", async () => {
  await withTemporaryFolder((folder) => {
    const file = `${folder}/file`;
    Deno.writeTextFileSync(file, "x");
    Deno.symlinkSync(file, `${folder}/link`);
    const open = (path: string, mode: "read" | "write" | "create-new") => () => files.open(path, mode);
    assertRefused(
      open(`${folder}/none`, "read"),
      "not-found",
      `Cannot open ${folder}/none: there is nothing at that path`,
    );
    assertRefused(open(folder, "write"), "corrupt", `Cannot open ${folder}: it is a folder, not a file`);
    assertRefused(
      open(`${file}/x`, "read"),
      "failed",
      `Cannot open ${file}/x: a part of the path is a file, not a folder`,
    );
    assertRefused(
      open(`${folder}/link`, "read"),
      "failed",
      `Cannot open ${folder}/link: it is a symbolic link (which is never followed there)`,
    );
    assertRefused(open(file, "create-new"), "failed", `Cannot open ${file}: it exists already`);
  });
});

Deno.test("open() in mode write never makes a file, and in mode create never shortens one", async () => {
  await withTemporaryFolder((folder) => {
    assertThrows(() => files.open(`${folder}/none`, "write"), ReplicationError);
    assertEquals(files.list(folder), []);
    Deno.writeTextFileSync(`${folder}/a`, "kept");
    files.open(`${folder}/a`, "create").close();
    assertEquals(files.readText(`${folder}/a`), "kept");
  });
});

Deno.test("open() makes files that only their owner may read, unless told otherwise", async () => {
  await withTemporaryFolder((folder) => {
    files.open(`${folder}/private`, "create").close();
    files.open(`${folder}/chosen`, "create", 0o640).close();
    assertEquals(files.status(`${folder}/private`)?.mode, 0o600);
    assertEquals(files.status(`${folder}/chosen`)?.mode, 0o640);
  });
});

Deno.test("setMode() is refused where the system refuses it to root too", () => {
  assertRefused(
    () => files.setMode("/proc/self/maps", 0o777),
    "denied",
    "Cannot change the mode of /proc/self/maps: permission denied",
  );
});

Deno.test("nothing but a file is opened, in any mode, and nobody is waited for", async () => {
  await withTemporaryFolder(async (folder) => {
    const kinds = thingsIn(folder);
    for (const system of [undefined, new NodeCalls()]) {
      const files = new DenoFileSystem(system);
      for (const [name, what] of kinds) {
        const path = `${folder}/${name}`;
        const message = `Cannot open ${path}: it is ${what}, not a file`;
        for (const mode of ["read", "read-named", "write", "create"] as const) {
          assertRefused(() => files.open(path, mode), "corrupt", message);
          const rejected = await assertRejects(() => files.openLater(path, mode), ReplicationError);
          assertEquals([rejected.code, rejected.message], ["corrupt", message], mode);
        }
        assertRefused(() => files.readText(path), "corrupt", message);
        assertRefused(() => files.readUtf8(path), "corrupt", message);
      }
      for (const [name] of kinds.filter(([name]) => name !== "folder")) {
        const path = `${folder}/${name}`;
        const sentence = `Cannot sync folder ${path}: a part of the path is a file, not a folder`;
        assertRefused(() => files.syncFolder(path), "failed", sentence);
        await assertRejects(() => files.syncFolderLater(path), ReplicationError, sentence);
      }
    }
    for (const [name, what] of kinds.filter(([name]) => name !== "socket")) {
      const path = `${folder}/${name}`;
      assertRefused(() => files.tryLock(path), "corrupt", `Cannot open ${path}: it is ${what}, not a file`);
    }
    assertEquals(openBelow(folder), []);
  });
});

Deno.test("status() tells what stands there, and a link's end where it is followed", async () => {
  await withTemporaryFolder(async (folder) => {
    for (const [kind] of thingsIn(folder)) {
      Deno.symlinkSync(`${folder}/${kind}`, `${folder}/link-${kind}`);
      for (const name of [kind, `link-${kind}`]) {
        assertEquals(files.status(`${folder}/${name}`)?.kind, kind);
        assertEquals((await files.statusLater(`${folder}/${name}`))?.kind, kind);
      }
      assertEquals([files.linkStatus(`${folder}/${kind}`)?.kind, files.linkStatus(`${folder}/link-${kind}`)?.kind], [
        kind,
        "link",
      ]);
    }
  });
});

Deno.test("status() gives a file's time as one that a date can be, whatever the file system keeps", async () => {
  for (const [seconds, expected] of [[1e9, 1e12], [9e15, 8.64e15], [-9e15, 8.64e15]] as const) {
    const path = Deno.makeTempFileSync({ dir: "/dev/shm" }); // A disk's file system would not keep such times.
    try {
      assert(new Deno.Command("touch", { args: ["-d", `@${seconds}`, path] }).outputSync().success);
      assertEquals([files.status(path)?.modifiedAtMs, (await files.statusLater(path))?.modifiedAtMs], [
        expected,
        expected,
      ]);
    } finally {
      Deno.removeSync(path);
    }
  }
});

Deno.test("open() follows a link where a person named the file, and nowhere else", async () => {
  await withTemporaryFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "x");
    Deno.symlinkSync(`${folder}/file`, `${folder}/link`);
    const handle = files.open(`${folder}/link`, "read-named");
    assertEquals(handle.size(), 1);
    handle.close();
    assertRefused(
      () => files.open(`${folder}/link`, "read"),
      "failed",
      `Cannot open ${folder}/link: it is a symbolic link (which is never followed there)`,
    );
    assertEquals(files.readText(`${folder}/link`), "x");
  });
});

Deno.test("a text of any size and origin is read whole, up to a bound", async () => {
  await withTemporaryFolder((folder) => {
    for (const size of [0, 1, 16_383, 16_384, 16_385, 100_000]) {
      const text = "y".repeat(size);
      Deno.writeTextFileSync(`${folder}/file`, text);
      assertEquals(files.readText(`${folder}/file`), text);
    }
    assertEquals(
      files.readText("/proc/sys/kernel/random/boot_id"),
      Deno.readTextFileSync("/proc/sys/kernel/random/boot_id"),
    );
    Deno.truncateSync(`${folder}/file`, 2 ** 40);
    const sentence = "it is larger than any such file (expected at most 16777216 bytes of text)";
    assertRefused(() => files.readText(`${folder}/file`), "corrupt", `Cannot read ${folder}/file: ${sentence}`);
  });
});

/** One of each thing that is no file, by its name in the folder, and as messages call it. */
function thingsIn(folder: string): readonly (readonly [name: string, what: string])[] {
  Deno.mkdirSync(`${folder}/folder`);
  makeNode("pipe", `${folder}/pipe`);
  makeNode("socket", `${folder}/socket`);
  const device: [string, string][] = makeNode("device", `${folder}/device`) ? [["device", "a device"]] : [];
  return [
    ["folder", "a folder"],
    ["pipe", "a named pipe"],
    ["socket", "a socket, or a device that is not there"],
    ...device,
  ];
}

Deno.test("what is done later rejects with the same code and message as what is done at once", async () => {
  await withTemporaryFolder(async (folder) => {
    const none = `${folder}/none`;
    const file = `${folder}/file`;
    const link = `${folder}/link`;
    Deno.writeTextFileSync(file, "x");
    Deno.symlinkSync(file, link);
    const pairs: [() => unknown, () => Promise<unknown>][] = [
      [() => files.open(none, "write"), () => files.openLater(none, "write")],
      [() => files.open(folder, "write"), () => files.openLater(folder, "write")],
      [() => files.open(link, "read"), () => files.openLater(link, "read")],
      [() => files.open(file, "create-new"), () => files.openLater(file, "create-new")],
      [() => files.status(`${link}\0`), () => files.statusLater(`${link}\0`)],
      [() => files.realPath(none), () => files.realPathLater(none)],
      [() => files.list(none), () => files.listLater(none)],
      [() => files.list(file), () => files.listLater(file)],
      [() => files.makeFolder(`${file}/x`), () => files.makeFolderLater(`${file}/x`)],
      [() => files.rename(none, file), () => files.renameLater(none, file)],
      [() => files.remove(none), () => files.removeLater(none)],
      [() => files.syncFolder(none), () => files.syncFolderLater(none)],
    ];
    for (const [now, later] of pairs) {
      const error = assertThrows(now, ReplicationError);
      const rejected = await assertRejects(later, ReplicationError);
      assertEquals([rejected.code, rejected.message], [error.code, error.message]);
    }
  });
});

Deno.test("what is done later finds and does the same as what is done at once", async () => {
  await withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "four");
    Deno.symlinkSync(`${folder}/file`, `${folder}/link`);
    for (const name of ["file", "link", "none", "file/below", ""]) {
      const path = `${folder}/${name}`;
      assertEquals(await files.statusLater(path), files.status(path));
      assertEquals(await files.linkStatusLater(path), files.linkStatus(path));
    }
    assertEquals(await files.realPathLater(`${folder}/link`), `${folder}/file`);
    await files.makeFolderLater(`${folder}/a/b`);
    await files.makeFolderLater(`${folder}/a/b`);
    assertEquals(files.status(`${folder}/a/b`)?.mode, 0o700);
    await (await files.openLater(`${folder}/a/2`, "create-new")).closeLater();
    assertEquals(files.status(`${folder}/a/2`)?.mode, 0o600);
    await files.renameLater(`${folder}/a/2`, `${folder}/a/10`);
    await files.syncFolderLater(`${folder}/a`);
    assertEquals(await files.listLater(`${folder}/a`), ["10", "b"]);
    await files.removeLater(`${folder}/a/10`);
    assertEquals(await files.listLater(`${folder}/a`), ["b"]);
  });
});

Deno.test("status() is undefined where nothing is, or a file stands in the way of the path", async () => {
  await withTemporaryFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "four");
    assertEquals(files.status(`${folder}/none`), undefined);
    assertEquals(files.status(`${folder}/file/below`), undefined);
    assertEquals(files.linkStatus(`${folder}/none`), undefined);
    assertEquals([files.status(`${folder}/file`)?.kind, files.status(`${folder}/file`)?.size], ["file", 4]);
    assertEquals(files.status(folder)?.kind, "folder");
  });
});

Deno.test("status() follows a link and linkStatus() does not", async () => {
  await withTemporaryFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "x");
    Deno.symlinkSync(`${folder}/file`, `${folder}/link`);
    Deno.symlinkSync(`${folder}/none`, `${folder}/dangling`);
    assertEquals(files.status(`${folder}/link`)?.inode, files.status(`${folder}/file`)?.inode);
    assertEquals(files.linkStatus(`${folder}/link`)?.kind, "link");
    assertEquals(files.status(`${folder}/dangling`), undefined);
    assertEquals(files.linkStatus(`${folder}/dangling`)?.kind, "link");
    assertEquals(files.realPath(`${folder}/link`), `${folder}/file`);
  });
});

Deno.test("makeFolder(), list(), rename(), remove() and removeTree() do what they say", async () => {
  await withTemporaryFolder((folder) => {
    files.makeFolder(`${folder}/a/b`);
    files.makeFolder(`${folder}/a/b`); // A second time is no error.
    assertEquals(files.status(`${folder}/a/b`)?.mode, 0o700);
    for (const name of ["2", "10", "1"]) Deno.writeTextFileSync(`${folder}/a/${name}`, name);
    assertEquals(files.list(`${folder}/a`), ["1", "10", "2", "b"]);
    files.rename(`${folder}/a/1`, `${folder}/a/2`);
    files.remove(`${folder}/a/10`);
    files.syncFolder(`${folder}/a`);
    assertEquals([files.list(`${folder}/a`), files.readText(`${folder}/a/2`)], [["2", "b"], "1"]);
    files.removeTree(`${folder}/a`);
    files.removeTree(`${folder}/a`);
    assertEquals(files.list(folder), []);
    assertThrows(() => files.list(`${folder}/a`), ReplicationError, "Cannot list");
    assertThrows(() => files.remove(`${folder}/a`), ReplicationError, "there is nothing at that path");
  });
});

Deno.test("removeTree() removes links and leaves what they point to", async () => {
  await withTemporaryFolder((folder) => {
    Deno.mkdirSync(`${folder}/kept`);
    Deno.writeTextFileSync(`${folder}/kept/file`, "x");
    Deno.mkdirSync(`${folder}/gone`);
    Deno.symlinkSync(`${folder}/kept`, `${folder}/gone/link`);
    files.removeTree(`${folder}/gone`);
    assertEquals([files.list(folder), files.list(`${folder}/kept`)], [["kept"], ["file"]]);
  });
});

Deno.test("readText() gives a small file whole, and undefined where there is none", async () => {
  await withTemporaryFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "grün\n");
    assertEquals(files.readText(`${folder}/a`), "grün\n");
    assertEquals(files.readText(`${folder}/none`), undefined);
  });
});

Deno.test("freeBytes(), fileSystemType() and mayAccess() ask the system", async () => {
  await withTemporaryFolder((folder) => {
    assert(files.freeBytes(folder) > 0);
    assert(files.fileSystemType("/proc") === 0x9fa0);
    assertEquals([files.mayAccess(folder, "write"), files.mayAccess(`${folder}/none`, "read")], [true, false]);
    assertThrows(() => files.freeBytes(`${folder}/none`), ReplicationError, "there is nothing at that path");
  });
});

Deno.test("tryLock() has one holder at a time, also within one process", async () => {
  await withTemporaryFolder((folder) => {
    const first = files.tryLock(`${folder}/lock`);
    assert(first !== undefined);
    assertEquals(files.tryLock(`${folder}/lock`), undefined);
    first.release();
    const second = files.tryLock(`${folder}/lock`);
    assert(second !== undefined);
    second.release();
  });
});

Deno.test("tryLock() leaves nothing open where the file system has no locks, or the file cannot be looked at", () =>
  withTemporaryFolder((folder) => {
    for (const method of ["tryLockSync", "statSync"] as const) {
      const real = Deno.FsFile.prototype[method];
      Deno.FsFile.prototype[method] = () => {
        throw new Error("No locks available");
      };
      try {
        assertThrows(() => files.tryLock(`${folder}/lock`), ReplicationError, "No locks available");
      } finally {
        Object.assign(Deno.FsFile.prototype, { [method]: real });
      }
      assertEquals(openBelow(folder), []);
    }
  }));

Deno.test({
  name: "tryLock() is refused while another process holds the lock, and given when that process was killed",
  timeout: 60_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const path = `${folder}/lock`;
      await using other = startOtherProcess();
      assertEquals(await other.call(new URL("./lock_there.ts", import.meta.url).href, "lockThere", path), true);
      assertEquals(files.tryLock(path), undefined);
      await other.kill();
      const lock = files.tryLock(path);
      assert(lock !== undefined);
      lock.release();
    }),
});
