/** Reads every crafted replica: what is right is restored, at each point that it holds, and what is wrong is refused. */
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { parseGeneration } from "../../lib/position/generation.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import type { RestoreTarget } from "../../lib/restore/target.ts";
import { ReplicaStore } from "../../lib/store/replica_store.ts";
import { fail } from "../support/assert.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { matrixTest } from "./support/matrix.ts";
import type { Crafted } from "./support/replica_craft.ts";
import { isSameFile } from "./support/same_file.ts";
import { NOT_YET } from "./support/not_yet.ts";
import { VARIANTS } from "./support/variants.ts";
import { Histories, Workshop } from "./support/workshop.ts";

const shared = Deno.makeTempDirSync({ prefix: "tailrace-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(shared, { recursive: true }));
const histories = new Histories(shared);

for (const { name, make } of VARIANTS) {
  matrixTest({ writer: "by hand", reader: "tailrace", feature: name }, async () => {
    return await withTemporaryFolder(async (folder) => await expectRead(make(new Workshop(folder, histories)), folder));
  }, { ignore: NOT_YET.has(name) });
}

/** What it does with the newest state, for the matrix. */
async function expectRead(crafted: Crafted, folder: string): Promise<string> {
  const { latest, mayRefuse = false, cannotBeSeen = false, points, times = [] } = crafted;
  const generation = parseGeneration(crafted.generation) ?? fail("It is no generation");
  const restored = new Restores(crafted.replica, folder);
  const isRestored = !cannotBeSeen && await restored.expect({ kind: "latest" }, latest, mayRefuse);
  for (const point of points) {
    const position = { generation, index: asIndex(point.index), offset: asOffset(point.offset) };
    const target = { kind: "position", position, generation } as const;
    await restored.expect(target, point.expected, mayRefuse || point.mayRefuse === true);
  }
  for (const { at, expected } of times) {
    await restored.expect({ kind: "time", atMs: at.getTime() }, expected, mayRefuse);
  }
  return cannotBeSeen ? "CANNOT BE SEEN" : isRestored ? "ok" : "refuses";
}

class Restores {
  readonly #replica: string;
  readonly #folder: string;
  #count = 0;

  constructor(replica: string, folder: string) {
    this.#replica = replica;
    this.#folder = folder;
  }

  /** Without an expected database it must be refused. Whether it was restored. */
  async expect(target: RestoreTarget, expected: string | undefined, mayRefuse: boolean): Promise<boolean> {
    const output = `${this.#folder}/restored-${this.#count++}.db`;
    const refusal = await this.#restore(output, target);
    const what = JSON.stringify(target);
    if (refusal !== undefined) {
      if (expected !== undefined && !mayRefuse) fail(`It refuses ${what}: ${refusal.message}`);
    } else if (expected === undefined) fail(`It restores ${what}, which it must refuse`);
    else if (!isSameFile(output, expected)) fail(`It restores another database than is expected for ${what}`);
    return refusal === undefined;
  }

  /** Each time by a store that knows nothing yet. */
  async #restore(output: string, target: RestoreTarget): Promise<ReplicationError | undefined> {
    const client = new FileReplicaClient(unsyncedFiles(), this.#replica);
    try {
      await restoreFrom(new ReplicaStore(client, { chooseLayout: () => "litestream" }), output, target);
      return undefined;
    } catch (error) {
      if (error instanceof ReplicationError) return error;
      throw error;
    }
  }
}
