import { assert, assertEquals } from "../support/assert.ts";
import { aKeyPair, OBJECT } from "../support/age.ts";
import { randomBytes, seededRandom } from "../support/random.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import type { NextBytes, StoredBytes } from "../../lib/base/byte_source.ts";
import { openAge } from "../../lib/age/decrypt.ts";
import { encrypt } from "../../lib/age/encrypt.ts";

const SIZE = 300 << 20;
const GROWTH_MAX = 48 << 20;

Deno.test({
  name: "encrypt() and openAge() keep a few chunks in memory, however large the object is",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const { identities, recipients } = await aKeyPair();
      const next = encrypt(repeated(randomBytes(seededRandom(1), 1 << 20), SIZE), recipients);
      using file = Deno.openSync(`${folder}/sealed`, { create: true, read: true, write: true });
      const before = Deno.memoryUsage().rss;
      let highest = 0;
      const look = () => highest = Math.max(highest, Deno.memoryUsage().rss - before);
      for (let part = await next(); part.length > 0; part = await next()) {
        for (let done = 0; done < part.length;) done += file.writeSync(part.subarray(done));
        look();
      }
      const object = await openAge(fileBytes(file), identities, OBJECT);
      assertEquals(object.sizeBytes, SIZE);
      const into = new Uint8Array(256 << 10);
      for (let at = 0; at < SIZE; at += into.length) {
        assertEquals(await object.read(at, into), into.length);
        look();
      }
      assert(highest < GROWTH_MAX, `${highest >> 20} MiB more while ${SIZE >> 20} MiB passed through`);
    }),
});

function repeated(piece: Uint8Array, sizeBytes: number): NextBytes {
  let left = sizeBytes;
  return () => {
    const part = piece.subarray(0, left);
    left -= part.length;
    return Promise.resolve(part);
  };
}

function fileBytes(file: Deno.FsFile): StoredBytes {
  return {
    sizeBytes: file.statSync().size,
    read: (at, into) => {
      file.seekSync(at, Deno.SeekMode.Start);
      let done = 0;
      for (let count: number | null = 0; done < into.length; done += count) {
        count = file.readSync(into.subarray(done));
        if (count === null) break;
      }
      return Promise.resolve(done);
    },
  };
}
