/** Every crafted replica, as this program reads it: rightly or not at all, never half. */
import { ReplicationError } from "../../lib/base/errors.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { parseGeneration } from "../../lib/position/generation.ts";
import { parseSegmentName } from "../../lib/position/litestream_names.ts";
import { asIndex, asOffset, type Position } from "../../lib/position/position.ts";
import type { RestoreTarget } from "../../lib/restore/target.ts";
import { ReplicaStore } from "../../lib/store/replica_store.ts";
import { assertEquals, fail } from "../support/assert.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";
import { matrixTest } from "./support/matrix.ts";
import type { Crafted } from "./support/replica_craft.ts";
import { isSameFile } from "./support/same_file.ts";
import { VARIANTS } from "./support/variants.ts";
import { Histories, Workshop } from "./support/workshop.ts";

const shared = Deno.makeTempDirSync({ prefix: "tailrace-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(shared, { recursive: true }));
const histories = new Histories(shared);

for (const { name, make } of VARIANTS) {
  matrixTest({ writer: "by hand", reader: "tailrace", feature: name }, async () => {
    return await withTemporaryFolder(async (folder) => {
      const crafted = make(new Workshop(folder, histories));
      const outcomes = new Outcomes(folder, crafted);
      const { cannotBeSeen = false, mayRefuse = false, latest } = crafted;
      const isRestored = !cannotBeSeen && await outcomes.expect("latest", { kind: "latest" }, latest, mayRefuse);
      for (const { index, offset, expected, ...point } of crafted.points) {
        const generation = parseGeneration(crafted.generation) ?? fail(`"${crafted.generation}" is no generation`);
        const position = { generation, index: asIndex(index), offset: asOffset(offset) };
        const isDoubtful = mayRefuse || point.mayRefuse === true;
        await outcomes.expect(`${index}:${offset}`, { kind: "position", position, generation }, expected, isDoubtful);
      }
      for (const { at, expected } of crafted.times ?? []) {
        await outcomes.expect(at.toISOString(), { kind: "time", atMs: at.getTime() }, expected, mayRefuse);
      }
      return cannotBeSeen ? "cannot be seen" : isRestored ? "ok" : "refuses";
    });
  });
}

class Outcomes {
  readonly #folder: string;
  readonly #crafted: Crafted;
  #restores = 0;

  constructor(folder: string, crafted: Crafted) {
    this.#folder = folder;
    this.#crafted = crafted;
  }

  /** Points are where segments end: what ends inside of one has no time, and is no point for the real Litestream either. */
  #isBetweenSegments({ index, offset }: Position): boolean {
    const folder = `${this.#crafted.replica}/generations/${this.#crafted.generation}/wal`;
    return [...Deno.readDirSync(folder)].map(({ name }) => parseSegmentName(name)).some((name) =>
      name?.index === index && name.offset === offset
    );
  }

  /** Restores exactly that database; without one, refuses and leaves nothing. Whether it was restored. */
  async expect(
    what: string,
    target: RestoreTarget,
    expected: string | undefined,
    mayRefuse: boolean,
  ): Promise<boolean> {
    const output = `${this.#folder}/restored-${this.#restores++}.db`;
    const client = new FileReplicaClient(unsyncedFiles(), this.#crafted.replica);
    const store = new ReplicaStore(client, { chooseLayout: () => "litestream" });
    try {
      await restoreFrom(store, output, target);
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      assertEquals([...Deno.readDirSync(this.#folder)].filter(({ name }) => name.startsWith("restored-")), []);
      if (expected === undefined || mayRefuse) return false;
      if (target.kind === "position" && error.code === "not-found" && !this.#isBetweenSegments(target.position)) {
        return false;
      }
      fail(`${what}: ${error.message}`);
    }
    if (expected === undefined) fail(`${what}: it restored what cannot be right`);
    if (!isSameFile(output, expected)) fail(`${what}: it restored another database than is expected`);
    Deno.removeSync(output);
    return true;
  }
}
