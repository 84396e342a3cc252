import { ensureDir, exists } from "@std/fs";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

Deno.test("ensureDir() makes a folder with those above it, again without harm", () =>
  withTemporaryFolder(async (folder) => {
    await ensureDir(`${folder}/a/b`);
    await ensureDir(`${folder}/a/b`);
    assert(Deno.statSync(`${folder}/a/b`).isDirectory);
  }));

Deno.test("ensureDir() refuses a path that is a file", () =>
  withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "");
    await assertRejects(() => ensureDir(`${folder}/a`), Deno.errors.AlreadyExists);
  }));

Deno.test("exists() tells files from folders where asked to, and follows links", () =>
  withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "");
    Deno.symlinkSync(`${folder}/gone`, `${folder}/dangling`);
    const file = `${folder}/file`;
    const asked = [
      exists(file),
      exists(file, { isFile: true, isReadable: true }),
      exists(file, { isDirectory: true }),
      exists(folder, { isDirectory: true }),
      exists(folder, { isFile: true }),
      exists(`${folder}/dangling`),
      exists(new URL(`file://${folder}/missing`)),
    ];
    assertEquals(await Promise.all(asked), [true, true, false, true, false, false, false]);
  }));
