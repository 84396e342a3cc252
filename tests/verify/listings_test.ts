/** How often a run lists the objects of a replica, of which there may be very many, and looks at what it found. */
import { SystemClock } from "../../lib/platform/clock.ts";
import { FileReplicaClient } from "../../lib/clients/file/client.ts";
import { ReplicaStore } from "../../lib/store/replica_store.ts";
import { verifyReplica } from "../../lib/verify/verify.ts";
import { assertEquals } from "../support/assert.ts";
import { tinySegments } from "../support/hostile_inputs.ts";
import { manyCommits } from "../support/many_commits.ts";
import { NEWEST_UP_TO_EQUAL } from "../support/ladder_options.ts";
import { restoreTools } from "../support/restore_tools.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";

/** How often the folder of WAL is listed in a run, and how often a run sleeps before a second look. */
async function countedRun(folder: string) {
  const root = `${folder}/replica`;
  const client = new FileReplicaClient(unsyncedFiles(), root);
  let [lists, sleeps] = [0, 0];
  const list = client.list.bind(client);
  client.list = (key) => {
    if (key.endsWith("/wal")) lists++;
    return list(key);
  };
  const clock = Object.assign(new SystemClock(), { sleep: () => Promise.resolve(void sleeps++) });
  Deno.mkdirSync(`${folder}/scratch`);
  const { outcome } = await verifyReplica(
    { replica: { name: "file", store: new ReplicaStore(client, { chooseLayout: () => "litestream" }) }, url: root },
    NEWEST_UP_TO_EQUAL,
    { ...restoreTools({ clock }), folder: `${folder}/scratch`, keep: false },
  );
  return { outcome, lists, sleeps };
}

Deno.test("a run lists a whole replica anew for the restore, for what it reads and for what it says of it, no oftener", () =>
  withTemporaryFolder(async (folder) => {
    await manyCommits(`${folder}/replica`, "litestream", { commits: 2 });
    assertEquals(await countedRun(folder), { outcome: "pass", lists: 4, sleeps: 0 });
  }));

Deno.test("a run lists a damaged replica once more for each second look, and for the state before the damage", () =>
  withTemporaryFolder(async (folder) => {
    await tinySegments(`${folder}/replica`, 200);
    assertEquals(await countedRun(folder), { outcome: "fail", lists: 7, sleeps: 2 });
  }));
