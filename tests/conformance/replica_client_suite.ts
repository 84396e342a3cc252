/** What every replica client must do; a new client is done when this is green. */
import { type ErrorCode, ReplicationError } from "../../lib/base/errors.ts";
import type { ReplicaClient } from "../../lib/clients/client.ts";
import { assert, assertEquals, assertRejects } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

interface ClientTest {
  readonly name: string;
  readonly run: (client: ReplicaClient) => Promise<void>;
}

/** `make` is called for each test with a folder of its own; what it returns holds nothing yet. */
export function testReplicaClient(name: string, make: (folder: string) => ReplicaClient): void {
  for (const test of REPLICA_CLIENT_CONTRACT) {
    Deno.test(`${name} replica client: ${test.name}`, () => withTemporaryFolder((folder) => test.run(make(folder))));
  }
}

/** Gives the texts one after the other in one buffer, as callers that reuse theirs do. */
export function pieces(...texts: readonly string[]): () => Promise<Uint8Array> {
  const buffer = new Uint8Array(64);
  const left = [...texts];
  return () => {
    const { written } = new TextEncoder().encodeInto(left.shift() ?? "", buffer.fill(0));
    return Promise.resolve(buffer.subarray(0, written));
  };
}

export async function textOf(client: ReplicaClient, key: string): Promise<string> {
  const buffer = new Uint8Array(1000);
  return new TextDecoder().decode(buffer.subarray(0, await client.read(key, 0, buffer)));
}

async function namesIn(client: ReplicaClient, folder: string): Promise<string[]> {
  return (await client.list(folder)).map(({ name }) => name);
}

async function codeOf(work: Promise<unknown>): Promise<ErrorCode> {
  return (await assertRejects(() => work, ReplicationError)).code;
}

export const REPLICA_CLIENT_CONTRACT: readonly ClientTest[] = [
  {
    name: "list() of a folder that is not there gives nothing",
    run: async (client) => {
      assertEquals(await client.list("a"), []);
      assertEquals(await client.list(""), []);
    },
  },
  {
    name: "list() gives what is directly below the folder, sorted by name",
    run: async (client) => {
      for (const key of ["a/2", "a/1", "a/b/3", "c/4"]) await client.write(key, pieces("x"));
      assertEquals((await client.list("a")).map(({ name, kind }) => [name, kind]), [
        ["1", "object"],
        ["2", "object"],
        ["b", "folder"],
      ]);
      assertEquals(await namesIn(client, ""), ["a", "c"]);
      for (const folder of ["", "a", "a/b", "none"]) {
        assertEquals(
          [...await client.names?.(folder) ?? await namesIn(client, folder)].sort(),
          await namesIn(client, folder),
        );
      }
    },
  },
  {
    name: "status() tells size and time, or nothing for a key that is not there",
    run: async (client) => {
      assertEquals(await client.status("a/1"), undefined);
      await client.write("a/1", pieces("four"));
      const status = await client.status("a/1");
      assertEquals([status?.name, status?.kind, status?.size], ["1", "object", 4]);
      assert((status?.modifiedAtMs ?? 0) > 1.7e12);
      assertEquals((await client.status("a"))?.kind, "folder");
    },
  },
  {
    name: "write() joins the pieces of a buffer that is reused",
    run: async (client) => {
      await client.write("a/1", pieces("one ", "two ", "three"));
      assertEquals(await textOf(client, "a/1"), "one two three");
    },
  },
  {
    name: "write() replaces an object whole, a longer one too, and makes empty ones",
    run: async (client) => {
      await client.write("a/1", pieces("a long text"));
      await client.write("a/1", pieces("short"));
      assertEquals(await textOf(client, "a/1"), "short");
      await client.write("a/1", pieces());
      assertEquals((await client.status("a/1"))?.size, 0);
    },
  },
  {
    name: "write() that fails leaves the object as it was, and nothing beside it",
    run: async (client) => {
      await client.write("a/1", pieces("old"));
      let calls = 0;
      const failing = () =>
        calls++ === 0 ? pieces("new")() : Promise.reject(new ReplicationError("failed", "Cannot go on"));
      assertEquals(await codeOf(client.write("a/1", failing)), "failed");
      assertEquals(await textOf(client, "a/1"), "old");
      assertEquals(await namesIn(client, "a"), ["1"]);
      await client.write("a/1", pieces("new"));
      assertEquals(await textOf(client, "a/1"), "new");
    },
  },
  {
    name: "read() fills from the offset and gives fewer bytes only at the end",
    run: async (client) => {
      await client.write("a/1", pieces("0123456789"));
      const into = new Uint8Array(4);
      assertEquals(await client.read("a/1", 3, into), 4);
      assertEquals(new TextDecoder().decode(into), "3456");
      assertEquals(await client.read("a/1", 8, into), 2);
      assertEquals(await client.read("a/1", 10, into), 0);
      assertEquals(await client.read("a/1", 99, into), 0);
    },
  },
  {
    name: "read() of a key that is not there is not-found",
    run: async (client) => {
      assertEquals(await codeOf(client.read("a/1", 0, new Uint8Array(1))), "not-found");
    },
  },
  {
    name: "open() reads as read() does, many times, and of a key that is not there is not-found",
    run: async (client) => {
      await client.write("a/1", pieces("0123456789"));
      const opened = await client.open("a/1");
      const into = new Uint8Array(4);
      assertEquals(await opened.read(3, into), 4);
      assertEquals(new TextDecoder().decode(into), "3456");
      assertEquals(await opened.read(8, into), 2);
      assertEquals(await opened.read(99, into), 0);
      await opened.close();
      assertEquals(await codeOf(client.open("a/2")), "not-found");
    },
  },
  {
    name: "append() makes the object, goes on at its end, and writes over what stands behind the offset",
    run: async (client) => {
      if (client.append === undefined) return;
      await client.append("a/1", 0, pieces("one ", "two "));
      await client.append("a/1", 8, pieces("three"));
      assertEquals(await textOf(client, "a/1"), "one two three");
      await client.append("a/1", 4, pieces("2"));
      assertEquals(await textOf(client, "a/1"), "one 2wo three");
    },
  },
  {
    name: "append() beyond the end of the object is an error, and changes nothing",
    run: async (client) => {
      if (client.append === undefined) return;
      assertEquals(await codeOf(client.append("a/1", 1, pieces("x"))), "gap");
      await client.append("a/1", 0, pieces("abc"));
      assertEquals(await codeOf(client.append("a/1", 4, pieces("x"))), "gap");
      assertEquals(await textOf(client, "a/1"), "abc");
    },
  },
  {
    name: "append() may be called again after an error",
    run: async (client) => {
      if (client.append === undefined) return;
      const failing = () => Promise.reject(new ReplicationError("failed", "Cannot go on"));
      assertEquals(await codeOf(client.append("a/1", 0, failing)), "failed");
      await client.append("a/1", 0, pieces("abc"));
      assertEquals(await textOf(client, "a/1"), "abc");
    },
  },
  {
    name: "assemble() takes bytes in any order and cuts the object to its size",
    run: async (client) => {
      if (client.assemble === undefined) return;
      await client.assemble("a/draft.tmp", async (draft) => {
        assertEquals(await client.status("a/1"), undefined);
        await draft.writeAt(new TextEncoder().encode("world, and more"), 6);
        await draft.writeAt(new TextEncoder().encode("hello "), 0);
        return { key: "a/1", sizeBytes: 11 };
      });
      assertEquals(await textOf(client, "a/1"), "hello world");
      assertEquals(await namesIn(client, "a"), ["1"]);
    },
  },
  {
    name: "assemble() begins anew over a draft that was left, and leaves none when it fails",
    run: async (client) => {
      if (client.assemble === undefined) return;
      await client.write("a/draft.tmp", pieces("left by a crash, and long"));
      const failure = client.assemble("a/draft.tmp", async (draft) => {
        await draft.writeAt(new Uint8Array(3), 0);
        throw new ReplicationError("failed", "Cannot go on");
      });
      assertEquals(await codeOf(failure), "failed");
      assertEquals(await namesIn(client, "a"), []);
      await client.write("a/draft.tmp", pieces("left by a crash, and long"));
      await client.assemble("a/draft.tmp", async (draft) => {
        await draft.writeAt(new TextEncoder().encode("b"), 1);
        return { key: "a/1", sizeBytes: 3 };
      });
      assertEquals(await textOf(client, "a/1"), "\0b\0");
    },
  },
  {
    name: "delete() removes what is there and passes over what is not",
    run: async (client) => {
      await client.write("a/1", pieces("x"));
      await client.write("a/2", pieces("x"));
      await client.delete(["a/1", "a/none", "none/1"]);
      assertEquals(await namesIn(client, "a"), ["2"]);
      await client.delete([]);
    },
  },
  {
    name: "removeEmptyFolder() removes a folder that holds nothing, and leaves every other thing",
    run: async (client) => {
      if (client.removeEmptyFolder === undefined) return;
      for (const key of ["a/b/1", "a/c/2"]) await client.write(key, pieces("x"));
      await client.delete(["a/b/1"]);
      for (const folder of ["a/b", "a/c", "a/c/2", "a", "a/none", "none"]) await client.removeEmptyFolder(folder);
      assertEquals([await namesIn(client, "a"), await namesIn(client, "a/c")], [["c"], ["2"]]);
      await client.write("a/b/3", pieces("again"));
      assertEquals(await textOf(client, "a/b/3"), "again");
    },
  },
];
