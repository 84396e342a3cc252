import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { AssertionError } from "../../lib/base/assert.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileSystem } from "../../lib/platform/file_system.ts";
import { pieces, testReplicaClient, textOf } from "../conformance/replica_client_suite.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows, fail } from "../support/assert.ts";
import { HangingDevice } from "../support/hanging_device.ts";
import { openBelow } from "../support/open_below.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

testReplicaClient("file", (folder) => new FileReplicaClient(new DenoFileSystem(), `${folder}/replica`));

/** The real files, with a note of every call that changes or syncs something. */
function notedFiles(notes: string[], root: string): FileSystem {
  const real = new DenoFileSystem();
  const files: FileSystem = Object.create(real);
  const short = (path: string) => path.startsWith(root) ? path.slice(root.length) || "." : "above";
  const note = (act: string, path: string) => notes.push(`${act} ${short(path)}`);
  files.openLater = async (path, mode, permissions) => {
    const handle = await real.openLater(path, mode, permissions);
    note(`open ${mode}`, path);
    const sync = handle.sync.bind(handle);
    return Object.assign(handle, {
      sync: async () => {
        await sync();
        note("sync", path);
      },
    });
  };
  files.renameLater = async (from, to) => {
    await real.renameLater(from, to);
    note("rename to", to);
  };
  files.makeFolderLater = async (path, permissions) => {
    await real.makeFolderLater(path, permissions);
    note("make", path);
  };
  files.syncFolderLater = async (path) => {
    await real.syncFolderLater(path);
    note("sync folder", path);
  };
  return files;
}

Deno.test("write() syncs the bytes before the name, and each new folder into the one above it", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/new/replica`;
    const notes: string[] = [];
    const client = new FileReplicaClient(notedFiles(notes, root), root);
    await client.write("a/b/1", pieces("x"));
    assertEquals(notes, [
      "make above",
      "sync folder above",
      "make .",
      "sync folder above",
      "make /a",
      "sync folder .",
      "make /a/b",
      "sync folder /a",
      "open create-new /a/b/1.tmp",
      "sync /a/b/1.tmp",
      "rename to /a/b/1",
      "sync folder /a/b",
    ]);
  }));

Deno.test("append() syncs the folder when the file is new, and only then", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const notes: string[] = [];
    const client = new FileReplicaClient(notedFiles(notes, root), root);
    await client.append("a/1", 0, pieces("x"));
    assertEquals(notes.slice(-3), ["open create-new /a/1", "sync /a/1", "sync folder /a"]);
    notes.length = 0;
    await client.append("a/1", 1, pieces("y"));
    assertEquals(notes, ["sync /a/1"]);
    await client.rest();
  }));

Deno.test("append() keeps open what it will go on with, two files at most, and rest() closes them", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const notes: string[] = [];
    const client = new FileReplicaClient(notedFiles(notes, root), root);
    for (const key of ["a/1", "a/2", "a/3"]) {
      await client.append(key, 0, pieces("x"));
      await client.append(key, 1, pieces("y"));
    }
    assertEquals(openBelow(root), ["/a/2", "/a/3"]);
    notes.length = 0;
    await client.append("a/3", 2, pieces("z"));
    await client.append("a/2", 2, pieces("z"));
    assertEquals(notes, ["sync /a/3", "sync /a/2"]);
    await client.rest();
    assertEquals(openBelow(root), []);
    await client.append("a/3", 3, pieces("!"));
    assertEquals(await textOf(client, "a/3"), "xyz!");
    await client.rest();
  }));

Deno.test("append() closes no file twice when the one that makes room for it cannot be closed", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const closed: string[] = [];
    const files: FileSystem = Object.create(new DenoFileSystem());
    const openLater = files.openLater.bind(files);
    files.openLater = async (path, mode, permissions) => {
      const handle = await openLater(path, mode, permissions);
      const closeLater = handle.closeLater.bind(handle);
      return Object.assign(handle, {
        closeLater: async () => {
          await closeLater();
          closed.push(`${mode} ${path.slice(root.length)}`);
          if (mode === "write" && path.endsWith("/1")) throw new ReplicationError("unavailable", "Cannot close it");
        },
      });
    };
    const client = new FileReplicaClient(files, root);
    for (const key of ["a/1", "a/2", "a/3"]) await client.append(key, 0, pieces("x"));
    for (const key of ["a/1", "a/2"]) await client.append(key, 1, pieces("y"));
    closed.length = 0;
    await assertRejects(() => client.append("a/3", 1, pieces("y")), ReplicationError, "Cannot close it");
    assertEquals(closed, ["write /a/1"]);
    await client.append("a/3", 2, pieces("z"));
    await client.rest();
    assertEquals(closed, ["write /a/1", "write /a/2", "write /a/3"]);
    assertEquals(openBelow(root), []);
    assertEquals(await textOf(client, "a/3"), "xyz");
  }));

Deno.test("append() goes on with the file that stands there, whatever is still open", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const client = new FileReplicaClient(new DenoFileSystem(), root);
    await client.append("a/1", 0, pieces("x"));
    await client.append("a/1", 1, pieces("y"));
    Deno.renameSync(`${root}/a/1`, `${root}/a/old`);
    Deno.writeTextFileSync(`${root}/a/1`, "12345");
    await client.append("a/1", 2, pieces("z"));
    assertEquals(await textOf(client, "a/1"), "12z45");
    assertEquals(await textOf(client, "a/old"), "xy");
    await client.write("a/1", pieces("new"));
    await client.append("a/1", 3, pieces("er"));
    assertEquals(await textOf(client, "a/1"), "newer");
    await client.rest();
  }));

Deno.test("append() at its end refuses an object of any other size, and asks for nothing", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const client = new FileReplicaClient(new DenoFileSystem(), root);
    await client.append("a/1", 0, pieces("xyz"));
    for (const offset of [0, 2, 4]) {
      const attempt = () => client.append("a/1", offset, () => fail("nothing is asked for"), "its-end");
      const error = await assertRejects(attempt, ReplicationError);
      assertEquals(error.code, "unavailable");
      assertEquals(
        error.message,
        `Cannot append to ${root}/a/1: it has 3 bytes (expected ${offset}: does another program write there?)`,
      );
    }
    await client.append("a/1", 3, pieces("!"), "its-end");
    assertEquals(await textOf(client, "a/1"), "xyz!");
    await client.rest();
  }));

Deno.test("append(), occupy() and write() refuse what another program writes, until it rests, and change nothing", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const [own, other] = [0, 1].map(() => new FileReplicaClient(new DenoFileSystem(), root)) as [
      FileReplicaClient,
      FileReplicaClient,
    ];
    const isRefused = async (attempt: () => Promise<void>, what: string) => {
      const error = await assertRejects(attempt, ReplicationError);
      assertEquals([error.code, error.message], ["contested", `Cannot ${what}: another program writes there, too`]);
    };
    await own.append("a/1", 0, pieces("x"));
    await isRefused(() => other.append("a/1", 1, pieces("other")), `append to ${root}/a/1`);
    await isRefused(() => other.occupy("a/1"), `append to ${root}/a/1`);
    await own.append("a/1", 1, pieces("y"));
    assertEquals(await textOf(own, "a/1"), "xy");
    await own.rest();
    await other.occupy("a/1");
    await isRefused(() => own.append("a/1", 2, pieces("z")), `append to ${root}/a/1`);
    await other.rest();
    await own.write("a/2", async () => {
      await isRefused(() => other.write("a/2", pieces("other")), `write ${root}/a/2.tmp`);
      return new Uint8Array();
    });
    assertEquals(await textOf(own, "a/2"), "");
    await own.assemble("a/draft.tmp", async (draft) => {
      await draft.writeAt(new TextEncoder().encode("own"), 0);
      const key = { key: "a/3", sizeBytes: 0 };
      await isRefused(() => other.assemble("a/draft.tmp", () => Promise.resolve(key)), `write ${root}/a/draft.tmp`);
      return { key: "a/3", sizeBytes: 3 };
    });
    assertEquals(await textOf(own, "a/3"), "own");
  }));

Deno.test("write() to a new name leaves what is there, and what has come meanwhile", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const client = new FileReplicaClient(new DenoFileSystem(), root);
    await client.write("a/1", pieces("first"), "a-new-name");
    assertEquals(Deno.statSync(`${root}/a/1`).nlink, 1);
    const late = () => {
      Deno.writeTextFileSync(`${root}/a/2`, "other");
      return Promise.resolve(new Uint8Array());
    };
    for (const [key, fill] of [["a/1", pieces("second")], ["a/2", late]] as const) {
      const error = await assertRejects(() => client.write(key, fill, "a-new-name"), ReplicationError);
      assertEquals(error.code, "contested");
    }
    assertEquals([await textOf(client, "a/1"), await textOf(client, "a/2")], ["first", "other"]);
    assertEquals([...Deno.readDirSync(`${root}/a`)].map(({ name }) => name).sort(), ["1", "2"]);
  }));

Deno.test("append() syncs the folder of a file that an earlier process may have left without that", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    Deno.mkdirSync(`${root}/a`, { recursive: true });
    Deno.writeTextFileSync(`${root}/a/1`, "x");
    const notes: string[] = [];
    await new FileReplicaClient(notedFiles(notes, root), root).append("a/1", 1, pieces("y"));
    assertEquals(notes, ["sync folder .", "open write /a/1", "sync /a/1", "sync folder /a"]);
  }));

Deno.test("FileReplicaClient never makes a root again that has vanished, nor what stood right below it", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    for (const gone of [root, `${root}/a`]) {
      const client = new FileReplicaClient(new DenoFileSystem(), root);
      await client.append("a/b/1", 0, pieces("x"));
      Deno.removeSync(gone, { recursive: true });
      for (const attempt of [() => client.append("a/b/1", 0, pieces("y")), () => client.write("a/b/2", pieces("y"))]) {
        const error = await assertRejects(attempt, ReplicationError);
        assertEquals(error.code, "unavailable");
        assertEquals(error.message, `Cannot write to ${gone}: it is gone, though it was there (is it mounted?)`);
      }
      assertThrows(() => Deno.statSync(gone), Deno.errors.NotFound);
      Deno.mkdirSync(`${root}/a`, { recursive: true }); // Mounted again.
      await client.append("a/b/1", 0, pieces("y"));
      assertEquals(await textOf(client, "a/b/1"), "y");
      await client.rest();
    }
  }));

Deno.test("append() makes and syncs a deeper folder again that was removed meanwhile", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const notes: string[] = [];
    const client = new FileReplicaClient(notedFiles(notes, root), root);
    await client.append("a/b/1", 0, pieces("x"));
    Deno.removeSync(`${root}/a/b`, { recursive: true });
    notes.length = 0;
    await client.append("a/b/1", 0, pieces("y"));
    assertEquals(notes, ["make /a/b", "sync folder /a", "open create-new /a/b/1", "sync /a/b/1", "sync folder /a/b"]);
  }));

Deno.test("FileReplicaClient keeps its files to their owner", () =>
  withTemporaryFolder(async (folder) => {
    const client = new FileReplicaClient(new DenoFileSystem(), `${folder}/replica`);
    await client.write("a/1", pieces("x"));
    await client.append("a/2", 0, pieces("x"));
    await client.assemble("a/draft.tmp", async (draft) => {
      await draft.writeAt(new Uint8Array(1), 0);
      return { key: "a/3", sizeBytes: 1 };
    });
    const mode = (name: string) => (Deno.statSync(`${folder}/replica${name}`).mode ?? 0) & 0o777;
    assertEquals(["", "/a", "/a/1", "/a/2", "/a/3"].map(mode), [0o700, 0o700, 0o600, 0o600, 0o600]);
  }));

Deno.test("FileReplicaClient makes nothing by looking, not even the root", () =>
  withTemporaryFolder(async (folder) => {
    const client = new FileReplicaClient(new DenoFileSystem(), `${folder}/replica`);
    await client.list("a");
    await client.status("a/1");
    await client.delete(["a/1"]);
    assertEquals([...Deno.readDirSync(folder)], []);
  }));

Deno.test("FileReplicaClient follows no symbolic link below its root, in no component", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const client = new FileReplicaClient(new DenoFileSystem(), root);
    await client.write("a/1", pieces("x"));
    Deno.mkdirSync(`${folder}/elsewhere`);
    Deno.writeTextFileSync(`${folder}/elsewhere/1`, "secret");
    Deno.symlinkSync(`${folder}/elsewhere`, `${root}/b`);
    Deno.symlinkSync(`${folder}/elsewhere/1`, `${root}/a/2`);
    Deno.symlinkSync(`${folder}/nowhere`, `${root}/a/3`);
    const attempts: Record<string, () => Promise<unknown>> = {
      "read a file's link": () => client.read("a/2", 0, new Uint8Array(1)),
      "read below a folder's link": () => client.read("b/1", 0, new Uint8Array(1)),
      "list a folder's link": () => client.list("b"),
      "status of a link": () => client.status("a/2"),
      "write below a folder's link": () => client.write("b/2", pieces("x")),
      "write to a link that leads nowhere": () => client.write("a/3", pieces("x")),
      "append to a link": () => client.append("a/2", 0, pieces("x")),
      "append to a link that leads nowhere": () => client.append("a/3", 0, pieces("x")),
      "assemble below a folder's link": () =>
        client.assemble("b/d.tmp", () => Promise.resolve({ key: "b/3", sizeBytes: 0 })),
      "assemble as a link": () => client.assemble("a/d.tmp", () => Promise.resolve({ key: "a/2", sizeBytes: 0 })),
      "delete a link": () => client.delete(["a/2"]),
    };
    for (const [what, attempt] of Object.entries(attempts)) {
      const error = await assertRejects(attempt, ReplicationError, undefined, what);
      assertEquals(error.code, "corrupt", what);
      assertStringIncludes(error.message, "symbolic link");
    }
    assertEquals(Deno.readTextFileSync(`${folder}/elsewhere/1`), "secret");
    assertEquals((await client.list("a")).map(({ name, kind }) => `${name} ${kind}`), [
      "1 object",
      "2 object",
      "3 object",
    ]);
  }));

Deno.test("FileReplicaClient may be reached through a symbolic link", () =>
  withTemporaryFolder(async (folder) => {
    Deno.mkdirSync(`${folder}/real`);
    Deno.symlinkSync(`${folder}/real`, `${folder}/link`);
    const client = new FileReplicaClient(new DenoFileSystem(), `${folder}/link`);
    await client.write("a/1", pieces("x"));
    assertEquals(await textOf(client, "a/1"), "x");
    assert(Deno.statSync(`${folder}/real/a/1`).isFile);
  }));

Deno.test("FileReplicaClient says so when its root is a file", () =>
  withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/replica`, "x");
    const client = new FileReplicaClient(new DenoFileSystem(), `${folder}/replica`);
    for (const attempt of [() => client.list("a"), () => client.status("a"), () => client.write("a/1", pieces("x"))]) {
      const error = await assertRejects(attempt, ReplicationError);
      assertEquals(error.code, "config-invalid");
      assertEquals(error.message, `Cannot use ${folder}/replica: it is a file (expected a folder)`);
    }
  }));

Deno.test("FileReplicaClient takes no key that leads out of its root", () =>
  withTemporaryFolder(async (folder) => {
    const client = new FileReplicaClient(new DenoFileSystem(), `${folder}/replica`);
    for (const key of ["../x", "a/../../x", "/etc/passwd", "a//b", "./a"]) {
      await assertRejects(() => client.read(key, 0, new Uint8Array(1)), AssertionError);
    }
  }));

Deno.test({
  name: "FileReplicaClient leaves the event loop to others while its device hangs, and goes on when it answers",
  timeout: 30_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const device = new HangingDevice();
      const client = new FileReplicaClient(device.files, `${folder}/replica`);
      await client.write("a/1", pieces("one"));
      await client.append("a/2", 0, pieces("two"));

      device.hang();
      let ended = 0;
      const calls = [
        client.append("a/2", 3, pieces(" more")),
        client.write("a/3", pieces("three")),
        client.list("a"),
        client.status("a/1"),
        client.read("a/1", 0, new Uint8Array(3)),
        client.assemble("b/d.tmp", async (draft) => {
          await draft.writeAt(new Uint8Array(8), 0);
          return { key: "b/4", sizeBytes: 4 };
        }),
        client.delete(["a/4"]),
      ];
      for (const call of calls) call.finally(() => ended++);
      await ticks(100);
      assertEquals(ended, 0);

      device.answerAgain();
      const [, , entries, status, length] = await Promise.all(calls);
      assertEquals([Array.isArray(entries), status !== undefined, length], [true, true, 3]);
      assertEquals(await textOf(client, "a/2"), "two more");
      assertEquals(await textOf(client, "a/3"), "three");
      assertEquals((await client.status("b/4"))?.size, 4);
    }),
});

/** Others have had so many turns; a call on the event loop, which would keep them from it, is an error of the device. */
async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setTimeout(resolve, 5));
}

Deno.test("FileReplicaClient finds a folder that became a link after it was used, and a root that became a file", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const client = new FileReplicaClient(new DenoFileSystem(), root);
    await client.append("a/b/1", 0, pieces("x"));
    await client.append("a/b/1", 1, pieces("y"));
    for (const part of ["a", "a/b"]) {
      Deno.renameSync(`${root}/${part}`, `${folder}/moved`);
      Deno.symlinkSync(`${folder}/moved`, `${root}/${part}`); // The same folder behind it, and yet a link.
      const attempts: (() => Promise<unknown>)[] = [
        () => client.append("a/b/1", 2, pieces("z")),
        () => client.write("a/b/2", pieces("z")),
        () => client.read("a/b/1", 0, new Uint8Array(1)),
        () => client.status("a/b/1"),
        () => client.list("a/b"),
      ];
      for (const attempt of attempts) {
        const error = await assertRejects(attempt, ReplicationError);
        assertEquals(
          [error.code, error.message],
          [
            "corrupt",
            `Cannot use ${root}/${part}: it is a symbolic link (below the root of a replica none is followed)`,
          ],
        );
      }
      Deno.removeSync(`${root}/${part}`);
      Deno.renameSync(`${folder}/moved`, `${root}/${part}`);
      assertEquals(await textOf(client, "a/b/1"), "xy");
    }
    Deno.renameSync(root, `${folder}/moved`);
    Deno.writeTextFileSync(root, "a file");
    for (const attempt of [() => client.append("a/b/1", 2, pieces("z")), () => client.status("a/b/1")]) {
      assertEquals((await assertRejects(attempt, ReplicationError)).code, "config-invalid");
    }
  }));

Deno.test("append() that is refused leaves no file open, also one that it knows", () =>
  withTemporaryFolder(async (folder) => {
    const root = `${folder}/replica`;
    const client = new FileReplicaClient(new DenoFileSystem(), root);
    await client.append("a/1", 0, pieces("x"));
    await client.append("a/1", 1, pieces("y"));
    for (let i = 0; i < 3; i++) {
      assertEquals((await assertRejects(() => client.append("a/1", 5, pieces("y")), ReplicationError)).code, "gap");
    }
    Deno.renameSync(`${root}/a`, `${folder}/moved`);
    Deno.symlinkSync(`${folder}/moved`, `${root}/a`);
    for (let i = 0; i < 3; i++) {
      assertEquals((await assertRejects(() => client.append("a/1", 2, pieces("z")), ReplicationError)).code, "corrupt");
    }
    assertEquals(openBelow(folder), []);
    assertEquals(Deno.readTextFileSync(`${folder}/moved/1`), "xy");
  }));

Deno.test("FileReplicaClient follows a root whose own link is set to another folder", () =>
  withTemporaryFolder(async (folder) => {
    for (const name of ["first", "second"]) Deno.mkdirSync(`${folder}/${name}/a`, { recursive: true });
    Deno.symlinkSync(`${folder}/first`, `${folder}/link`);
    const client = new FileReplicaClient(new DenoFileSystem(), `${folder}/link`);
    await client.write("a/1", pieces("first"));
    Deno.removeSync(`${folder}/link`);
    Deno.symlinkSync(`${folder}/second`, `${folder}/link`);
    await client.write("a/1", pieces("second"));
    assertEquals(await textOf(client, "a/1"), "second");
    assertEquals(Deno.readTextFileSync(`${folder}/first/a/1`), "first");
  }));
