import { ReplicationError } from "../../lib/base/errors.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileSystem } from "../../lib/platform/file_system.ts";
import { Draft } from "../../lib/restore/draft.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const files = new DenoFileSystem();
const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name);

Deno.test("Draft that was removed leaves the one that came after it alone, and is removed once", () =>
  withTemporaryFolder((folder) => {
    const first = Draft.take(files, `${folder}/app.db`);
    first.remove();
    const second = Draft.take(files, `${folder}/app.db`); // It may well have the number of the first one.
    first.remove();
    assertEquals(names(folder), ["app.db.tailrace-restore.tmp"]);
    assertThrows(() => Draft.take(files, `${folder}/app.db`), Error, "another process restores to it");
    second.remove();
    assertEquals(names(folder), []);
  }));

Deno.test("Draft that has become the database stays", () =>
  withTemporaryFolder((folder) => {
    const draft = Draft.take(files, `${folder}/app.db`);
    Deno.renameSync(draft.path, `${folder}/app.db`);
    draft.remove();
    assert(Deno.statSync(`${folder}/app.db`).isFile);
  }));

function codeOf(work: () => unknown): string {
  return assertThrows(work, ReplicationError).code;
}

function draftTest(name: string, work: (output: string, path: string) => void): void {
  Deno.test(name, () =>
    withTemporaryFolder((folder) => {
      const output = `${folder}/app.db`;
      work(output, `${output}.tailrace-restore.tmp`);
      return Promise.resolve();
    }));
}

draftTest(
  "Draft.take() gives an empty file, whatever a killed process has left, and to one at a time",
  (output, path) => {
    Deno.writeTextFileSync(path, "half of a larger database");
    const draft = Draft.take(files, output);
    assertEquals([draft.path, Deno.statSync(path).size], [path, 0]);
    assertEquals(codeOf(() => Draft.take(files, output)), "busy");
    draft.remove();
    assertEquals(files.status(path), undefined);
    Draft.take(files, output).remove();
  },
);

draftTest("Draft.take() refuses what is no file, and follows no link", (output, path) => {
  Deno.writeTextFileSync(`${output}.other`, "somebody's");
  Deno.symlinkSync(`${output}.other`, path);
  assertEquals(codeOf(() => Draft.take(files, output)), "usage");
  assertEquals(Deno.readTextFileSync(`${output}.other`), "somebody's");
});

draftTest("Draft.take() does not write to a file that became the database before it was locked", (output, path) => {
  const renamedBefore: FileSystem = new Proxy(files, {
    get: (target, name) =>
      name !== "tryLock" ? Reflect.get(target, name).bind?.(target) : (locked: string) => {
        const lock = target.tryLock(locked);
        Deno.renameSync(path, output); // By the process that had it, which then ended.
        Deno.writeTextFileSync(output, "the restored database");
        return lock;
      },
  });
  assertEquals(codeOf(() => Draft.take(renamedBefore, output)), "busy");
  assertEquals(Deno.readTextFileSync(output), "the restored database");
  Draft.take(files, output).remove();
});
