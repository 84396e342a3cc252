/** Proves the hands: the real Litestream does with each crafted replica what is known of it. */
import { assertEquals, assertFalse, assertMatch, fail } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { matrixTest } from "./support/matrix.ts";
import { type LitestreamTarget, restoreWithLitestream } from "./support/real_litestream.ts";
import type { PeerDoes } from "./support/replica_craft.ts";
import { isSameFile } from "./support/same_file.ts";
import { VARIANTS } from "./support/variants.ts";
import { Histories, Workshop } from "./support/workshop.ts";

const shared = Deno.makeTempDirSync({ prefix: "tailrace-test-" });
globalThis.addEventListener("unload", () => Deno.removeSync(shared, { recursive: true }));
const histories = new Histories(shared);

for (const { name, make } of VARIANTS) {
  matrixTest({ writer: "by hand", reader: "litestream", feature: name }, async () => {
    return await withTemporaryFolder(async (folder) => {
      const { replica, peer, latest, times = [] } = make(new Workshop(folder, histories));
      await expectPeer(replica, `${folder}/latest.db`, peer);
      for (const [slot, { at, peer }] of times.entries()) {
        await expectPeer(replica, `${folder}/at-${slot}.db`, peer, { timestamp: at });
      }
      return describe(peer, latest);
    });
  });
}

/** For the matrix. */
function describe(peer: PeerDoes, latest: string | undefined): string {
  switch (peer.kind) {
    case "fails":
      return peer.code === 1 ? "refuses" : "crashes";
    case "damages":
      return "CORRUPT";
    case "restores":
      return latest !== undefined && isSameFile(peer.expected, latest) ? "ok" : "WRONG STATE";
  }
}

async function expectPeer(replica: string, output: string, peer: PeerDoes, options: LitestreamTarget = {}) {
  const { code, stderr } = await restoreWithLitestream(replica, output, options);
  if (peer.kind === "fails") {
    assertMatch(stderr, peer.says);
    assertEquals(code, peer.code);
    return;
  }
  assertEquals(code, 0, stderr);
  if (peer.kind === "restores") {
    if (!isSameFile(output, peer.expected)) fail(`It restored another database than is expected: ${stderr}`);
  } else assertFalse(peer.states.some((state) => isSameFile(output, state)), "the database once was like that");
}
