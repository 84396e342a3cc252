import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { replaceFile } from "../../lib/platform/atomic_write.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import type { FileHandle } from "../../lib/platform/file_system.ts";

const files = new DenoFileSystem();

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Notes in which order the steps are taken. */
class NotingFileSystem extends DenoFileSystem {
  readonly steps: string[] = [];

  override open(...parameters: Parameters<DenoFileSystem["open"]>): FileHandle {
    const handle = super.open(...parameters);
    const sync = handle.sync.bind(handle);
    handle.sync = async () => {
      await sync();
      this.steps.push("sync");
    };
    return handle;
  }

  override rename(from: string, to: string): void {
    super.rename(from, to);
    this.steps.push("rename");
  }

  override syncFolder(path: string): void {
    super.syncFolder(path);
    this.steps.push("sync folder");
  }
}

Deno.test("replaceFile() makes and replaces a file and leaves no draft behind", async () => {
  await withTemporaryFolder(async (folder) => {
    await replaceFile(files, `${folder}/a`, bytesOf("a first, longer text"));
    await replaceFile(files, `${folder}/a`, bytesOf("second"));
    assertEquals(files.readText(`${folder}/a`), "second");
    assertEquals(files.list(folder), ["a"]);
    assertEquals(files.status(`${folder}/a`)?.mode, 0o600);
  });
});

Deno.test("replaceFile() syncs the bytes before the name points at them, and the name after", async () => {
  await withTemporaryFolder(async (folder) => {
    const noting = new NotingFileSystem();
    await replaceFile(noting, `${folder}/a`, bytesOf("text"));
    assertEquals(noting.steps, ["sync", "rename", "sync folder"]);
  });
});

Deno.test("replaceFile() uses no byte of a draft that a crash left behind", async () => {
  await withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/a.tmp`, "a draft that is longer than the text");
    await replaceFile(files, `${folder}/a`, bytesOf("text"));
    assertEquals([files.readText(`${folder}/a`), files.list(folder)], ["text", ["a"]]);
  });
});

Deno.test("replaceFile() keeps the old file when it fails, and does not write through a link", async () => {
  await withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "old");
    Deno.writeTextFileSync(`${folder}/other`, "other");
    Deno.symlinkSync(`${folder}/other`, `${folder}/a.tmp`);
    const error = await assertRejects(() => replaceFile(files, `${folder}/a`, bytesOf("new")), ReplicationError);
    assert(error.message.includes("it is a symbolic link"));
    assertEquals([files.readText(`${folder}/a`), files.readText(`${folder}/other`)], ["old", "other"]);
  });
});
