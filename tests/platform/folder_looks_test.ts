/** Whole folders: their names, and what a look at each tells. */
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileSystem, FolderEntry } from "../../lib/platform/file_system.ts";
import { Looks } from "../../lib/platform/folder_looks.ts";
import { openLibcCalls } from "../../lib/platform/libc_calls.ts";
import { NodeCalls } from "../../lib/platform/node_calls.ts";
import { ANSWER_AT, LOOK_BYTES } from "../../lib/platform/raw_calls.ts";
import type { SystemCalls } from "../../lib/platform/system_calls.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { makeNode } from "../support/no_files.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const EMPTY = new Uint8Array();
const libc = openLibcCalls() as SystemCalls; // Once: it is never closed.

for (
  const [system, calls] of [["the system's calls", libc], ["the run-time's", new NodeCalls()]] as const
) {
  Deno.test(`entriesLater() tells by ${system} what linkStatusLater() tells of each name`, async () => {
    const files = new DenoFileSystem(calls);
    const dir = Deno.makeTempDirSync({ dir: "/dev/shm" }); // A disk's file system would not keep such times.
    try {
      Deno.mkdirSync(`${dir}/folder`);
      for (const kind of ["pipe", "socket", "device"] as const) makeNode(kind, `${dir}/${kind}`);
      for (const kind of ["folder", "pipe", "socket"]) Deno.symlinkSync(kind, `${dir}/link-${kind}`);
      Deno.symlinkSync("nothing", `${dir}/\uFEFFü ends nowhere`);
      const times = ["1e9", "9e15", "-9e15", "-1.5", "-1.9999999", "1e9.9999999", "0.0019999", "-0.0000001"];
      for (const [slot, seconds] of times.entries()) {
        const path = `${dir}/${slot}`;
        Deno.writeFileSync(path, new Uint8Array(slot));
        const time = seconds.replace(/(.*)e(\d+)/, (_, digits, zeros) => digits + "0".repeat(Number(zeros)));
        assert(new Deno.Command("touch", { args: ["-d", `@${time}`, path] }).outputSync().success);
      }
      const odd = new Deno.Command("bash", { args: ["-c", "printf x > $'no \\xff UTF-8'"], cwd: dir });
      assert(odd.outputSync().success); // Nothing is found by the name that this is read as.
      Deno.writeFileSync(`${dir}/sparse`, new Uint8Array(1));
      Deno.truncateSync(`${dir}/sparse`, 2 ** 40 + 5);
      for (let slot = 0; slot < 1_000; slot++) {
        Deno.writeFileSync(`${dir}/many-${"n".repeat(slot % 200)}${slot}`, EMPTY);
      }
      const names = [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
      assertEquals(await files.listLater(dir), names);
      const looked: FolderEntry[] = [];
      for (const name of names) {
        const found = await files.linkStatusLater(`${dir}/${name}`);
        if (found === undefined) continue;
        looked.push({ name, kind: found.kind, size: found.size, modifiedAtMs: found.modifiedAtMs });
      }
      assertEquals(looked.length, names.length - 1);
      assertEquals(await files.entriesLater(dir), looked);
      assertEquals(await files.entriesLater(`${dir}/folder`), []);
      const error = await assertRejects(() => files.entriesLater(`${dir}/none`), ReplicationError);
      assertEquals([error.code, error.message], [
        "not-found",
        `Cannot list ${dir}/none: there is nothing at that path`,
      ]);
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  });
}

Deno.test("entriesLater() leaves out what is gone by then, and tells what it may not look at", async () => {
  await withTemporaryFolder(async (folder) => {
    for (let slot = 0; slot < 100; slot++) Deno.writeFileSync(`${folder}/${slot}`, EMPTY);
    const names = await libc.namesLater?.(folder) ?? [];
    const without: SystemCalls = Object.create(libc);
    without.looksLater = (paths) => libc.looksLater?.(paths) ?? Promise.resolve([]);
    without.namesLater = () => Promise.resolve([...names, "gone", "0/below", "n".repeat(300)]);
    const files = new DenoFileSystem(without);
    const error = await assertRejects(() => files.entriesLater(folder), ReplicationError);
    assertStringIncludes(error.message, `Cannot look at ${folder}/${"n".repeat(300)}: `);
    without.namesLater = () => Promise.resolve([...names, "gone", "0/below"]);
    assertEquals((await files.entriesLater(folder)).map(({ name }) => name), names.toSorted());
  });
});

Deno.test("FileReplicaClient.list() looks at the objects of a folder by the dozen, not each by a call of its own", () =>
  withTemporaryFolder(async (folder) => {
    for (let slot = 0; slot < 1_000; slot++) Deno.writeFileSync(`${folder}/${slot}`, EMPTY);
    const calls: SystemCalls = Object.create(libc);
    let [many, single] = [0, 0];
    calls.namesLater = (path) => libc.namesLater?.(path) ?? Promise.resolve([]);
    calls.looksLater = (paths) => (many++, libc.looksLater?.(paths) ?? Promise.resolve([]));
    const files = new DenoFileSystem(calls);
    const counted: FileSystem = Object.create(files);
    counted.linkStatusLater = (path) => (single++, files.linkStatusLater(path));
    assertEquals((await new FileReplicaClient(counted, folder).list("")).length, 1_000);
    assertEquals([many, single], [16, 0]);
  }));

Deno.test("Looks goes on with what a signal interrupted", async () => {
  const asked: number[] = [];
  const looks = (_paths: unknown, _stride: number, into: Uint8Array, count: number) => {
    asked.push(count);
    const view = new DataView(into.buffer);
    for (let slot = 0; slot < count; slot++) {
      const isInterrupted = asked.length < 3 && slot === 1;
      view.setBigInt64(slot * LOOK_BYTES + ANSWER_AT, isInterrupted ? -4n : -2n, true);
    }
    return Promise.resolve();
  };
  const found = await new Looks({ looks, modeAt: 24 }, () => new Error("none")).at(["a", "b", "c", "d"]);
  assertEquals([found, asked], [new Array(4).fill(undefined), [4, 3, 2]]);
});

Deno.test("a folder that was removed while it is read holds nothing", () =>
  withTemporaryFolder(async (folder) => {
    const path = `${folder}/gone`;
    Deno.mkdirSync(path);
    using _kept = Deno.openSync(path);
    const descriptor = [...Deno.readDirSync("/proc/self/fd")].find(({ name }) => linkOf(name) === path)?.name;
    Deno.removeSync(path);
    assertEquals(await libc.namesLater?.(`/proc/self/fd/${descriptor}`), []);
  }));

function linkOf(descriptor: string): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined; // That of the list itself.
  }
}
