import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
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
