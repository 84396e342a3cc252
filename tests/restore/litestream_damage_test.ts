/** Damage anywhere in a replica of the layout `litestream`: what is restored is what was stored, or nothing. */
import { ReplicationError } from "../../lib/base/errors.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import { RecordedDatabase } from "../support/recorded_database.ts";
import { aStore } from "../support/replica_builder.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

type Damage = (bytes: Uint8Array, random: () => number) => Uint8Array | undefined;

const DAMAGES: Readonly<Record<string, Damage>> = {
  "a flipped bit": (bytes, random) => {
    const damaged = bytes.slice();
    const at = randomInteger(random, bytes.length);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << randomInteger(random, 8));
    return damaged;
  },
  "a cut": (bytes, random) => bytes.slice(0, randomInteger(random, bytes.length)),
  "bytes in between": (bytes, random) => {
    const at = randomInteger(random, bytes.length);
    return Uint8Array.from([...bytes.subarray(0, at), 7, ...bytes.subarray(at)]);
  },
  "zeros": (bytes, random) => {
    const at = randomInteger(random, bytes.length);
    const damaged = bytes.slice();
    damaged.fill(0, at, at + 100);
    return damaged;
  },
  "a missing object": () => undefined,
};

function objectsBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? objectsBelow(`${folder}/${name}`) : [`${folder}/${name}`]
  ).sort();
}

for (const [name, damage] of Object.entries(DAMAGES)) {
  Deno.test(`restore() of a litestream replica with ${name} anywhere is exact or refused`, () =>
    withTemporaryFolder(async (folder) => {
      const options = { seed: 31, pageSize: 1024, actions: 60, restarts: 8, layout: "litestream" } as const;
      const { replica } = await RecordedDatabase.make(folder, options);
      await restoreFrom(replica.store, `${folder}/whole.db`);
      const whole = Deno.readFileSync(`${folder}/whole.db`).toBase64();
      const random = seededRandom(32);
      const objects = objectsBelow(`${replica.root}/generations`);
      assert(objects.length > 20, `${objects.length} objects`);
      let refused = 0;
      for (let round = 0; round < 60; round++) {
        const path = objects[randomInteger(random, objects.length)] ?? "";
        const bytes = Deno.readFileSync(path);
        const damaged = damage(bytes, random);
        if (damaged === undefined) Deno.removeSync(path);
        else Deno.writeFileSync(path, damaged);
        const output = `${folder}/restored-${round}.db`;
        try {
          await restoreFrom(aStore(replica.root, "litestream"), output);
          const what = `round ${round}, ${path.slice(replica.root.length)}`;
          const isWhole = Deno.readFileSync(output).toBase64() === whole;
          const isOlder = damaged === undefined && path === objects.at(-1);
          assert(isWhole || isOlder, `${what}: something else was restored`);
          Deno.removeSync(output);
        } catch (error) {
          if (!(error instanceof ReplicationError)) throw error;
          assert(["corrupt", "gap", "not-found", "unsupported"].includes(error.code), error.message);
          refused++;
        }
        Deno.writeFileSync(path, bytes);
      }
      assertEquals(refused > 10, true, `${refused} were refused`);
    }));
}
