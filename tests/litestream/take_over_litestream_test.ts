/**
 * The real Litestream takes over a database whose replica we keep, and we take it back: each begins a generation of its own,
 * nothing of that is damage, and what ours says of its states is still compared. One object without its tail in a generation
 * of ours is damage, whoever else wrote beside it, and the newest state is compared all the same.
 */
import { DatabaseSync } from "node:sqlite";
import { foreignFrame } from "../long/damage.ts";
import { viewReplica } from "../long/replica_view.ts";
import { storeOf } from "../long/verify_trial.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { startReplicate } from "../support/daemon.ts";
import { runTailrace } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { startLitestream } from "./support/real_litestream.ts";

interface Proof {
  readonly code: number;
  readonly text: string;
  /** Outcome of that rung. */
  readonly rung: (name: string) => string | undefined;
}

async function proofOf(replica: string): Promise<Proof> {
  const { code, stdout, stderr } = await runTailrace(["verify", "--format", "json", `file://${replica}`]);
  const { replicas: [{ rungs }] } = JSON.parse(stdout);
  const rung = (name: string) => rungs.find((one: { rung: string }) => one.rung === name)?.outcome;
  return { code, text: stdout + stderr, rung };
}

Deno.test("verify proves a replica that Litestream took over and we took back, and names an object without its tail", () =>
  withTemporaryFolder(async (folder) => {
    const [path, root, config] = [`${folder}/app.db`, `${folder}/replica`, `${folder}/tailrace.yml`];
    using db = new DatabaseSync(path, { timeout: 5_000 });
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)");
    const write = () => {
      for (let n = 0; n < 6; n++) db.exec("INSERT INTO t(b) VALUES(randomblob(3000)), (randomblob(700))");
    };
    const place = { root, layout: "litestream" } as const;
    Deno.writeTextFileSync(
      config,
      JSON.stringify({ dbs: [{ path, replicas: [{ path: root, layout: "litestream", "snapshot-interval": "1s" }] }] }),
    );
    /** Of which index our newest snapshot is. */
    const newestSnapshot = async () => {
      const all = await Promise.all((await storeOf(place).generations()).map((one) => storeOf(place).catalog(one)));
      const own = all.flatMap(({ snapshots }) => snapshots).filter(({ isPeers }) => isPeers !== true);
      return Math.max(-1, ...own.map(({ index }) => index));
    };
    const ours = async () => {
      await using daemon = startReplicate(["--config", config]);
      await daemon.ready();
      const before = await newestSnapshot();
      await daemon.until(async () => {
        write();
        db.exec("PRAGMA wal_checkpoint(RESTART)");
        return await newestSnapshot() > Math.max(0, before);
      }, "a snapshot of a later index");
      write();
      assertEquals(await daemon.stop(), 0);
      const { code, text, rung } = await proofOf(root);
      assertEquals([code, rung("equal")], [0, "pass"], text);
    };
    await ours();
    const generations = async () => (await storeOf(place).generations()).length;
    assertEquals(await generations(), 1);
    {
      const database = { path, replicas: [{ path: root }] };
      await using litestream = startLitestream(`${folder}/litestream.yml`, [database]);
      await litestream.synced();
      write();
      await litestream.synced();
      assertEquals(await litestream.stop(), 0);
    }
    assertEquals(await generations(), 2, "Litestream began one of its own");
    const theirs = await proofOf(root);
    assertEquals([theirs.code, theirs.rung("equal")], [0, "not-available"], theirs.text);
    await ours();
    assert(await generations() >= 2);

    const { generations: views } = await viewReplica({ ...place, isOurs: true }, storeOf(place));
    const own = views.find(({ indexes }) => indexes[0]?.records[0]?.isAtHome === true);
    const { object, content } = own?.indexes[0]?.segments[0] ?? { object: "", content: new Uint8Array() };
    Deno.writeFileSync(`${root}/${object}`, await foreignFrame(content)); // As Litestream would have written it.
    const harmed = await proofOf(root);
    assertEquals([harmed.code, harmed.rung("equal")], [4, "pass"], harmed.text);
    assertStringIncludes(harmed.text, `${object} is damaged: it has no tail`);
  }));
