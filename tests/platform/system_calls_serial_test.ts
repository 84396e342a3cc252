/** Descriptors that are closed and opened again: their numbers belong to the whole process. */
import { openLibcCalls } from "../../lib/platform/libc_calls.ts";
import type { SystemCalls } from "../../lib/platform/system_calls.ts";
import { assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const libc = openLibcCalls() as SystemCalls; // Once: it is never closed.

/** The act fails on another thread while this one stands still; then the world changes, and an act that was done again would not fail. */
async function failsOnce(act: () => Promise<unknown>, code: string, meanwhile: () => void): Promise<void> {
  const acting = act().then(() => undefined, (error: { code?: unknown }) => error.code);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  meanwhile();
  assertEquals(await acting, code);
}

Deno.test("LibcCalls does nothing again on the event loop to learn why it failed on another thread", async () => {
  await withTemporaryFolder(async (folder) => {
    const file = `${folder}/file`;
    await failsOnce(() => libc.openLater(file, "read", 0), "ENOENT", () => Deno.writeTextFileSync(file, "kept"));
    await failsOnce(
      () => libc.removeLater(`${folder}/none`),
      "ENOENT",
      () => Deno.writeTextFileSync(`${folder}/none`, ""),
    );
    assertEquals(Deno.readTextFileSync(`${folder}/none`), "");
    Deno.mkdirSync(`${folder}/full/inner`, { recursive: true });
    await failsOnce(
      () => libc.removeFolderLater(`${folder}/full`),
      "ENOTEMPTY",
      () => Deno.removeSync(`${folder}/full/inner`),
    );
    assertEquals(Deno.statSync(`${folder}/full`).isDirectory, true);

    const acts: ((descriptor: number) => Promise<unknown>)[] = [
      (descriptor) => libc.readLater(descriptor, new Uint8Array(4), 0),
      (descriptor) => libc.writeLater(descriptor, Uint8Array.of(1), 0),
      (descriptor) => libc.truncateLater(descriptor, 1),
      (descriptor) => libc.syncDataLater(descriptor),
      (descriptor) => libc.closeLater(descriptor),
    ];
    for (const act of acts) {
      const descriptor = libc.open(file, "write", 0);
      libc.close(descriptor);
      let same = -1;
      await failsOnce(() => act(descriptor), "EBADF", () => same = libc.open(file, "write", 0));
      assertEquals(same, descriptor, "a number that is free is given again");
      assertEquals(Deno.readTextFileSync(file), "kept");
      libc.close(descriptor);
    }
  });
});
