/** The rows of the trouble table about bytes that are not what they should be: never replicated, every older point restores. */
import { WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { frameSize } from "../../lib/wal/frame.ts";
import { assert, assertEquals, assertGreater, assertMatch } from "../support/assert.ts";
import { linesAmiss, sleep } from "../support/daemon.ts";
import { flipBit } from "../support/flip_bit.ts";
import { insert, type Scene, withScene } from "./scene.ts";

const FRAME = frameSize(4_096);

function trouble(row: string, run: (scene: Scene) => Promise<void>): void {
  Deno.test({ name: `trouble: ${row}`, timeout: 30_000, fn: () => withScene(run) });
}

/** Every point of the generation still restores to what it was. */
async function expectSamePoints(scene: Scene, points: Map<string, Uint8Array>): Promise<void> {
  const [generation] = await scene.generations();
  assert(generation !== undefined);
  const now = await scene.points(generation);
  assertGreater(points.size, 0);
  for (const [position, image] of points) assertEquals(now.get(position), image, position);
}

const COMMITTED = 9;

for (
  const [row, at, problem] of [
    ["WAL frame damaged", WAL_HEADER_SIZE + 6 * FRAME + 1_000, "frame 7 of the WAL does not continue the chain"],
    [
      "WAL frame damaged, its header",
      WAL_HEADER_SIZE + 6 * FRAME + 17,
      "frame 7 of the WAL does not continue the chain",
    ],
    ["WAL header damaged", 17, "the WAL header's checksum does not match"],
  ] as const
) {
  trouble(`${row} while the daemon is down and the application is not`, async (scene) => {
    const application = scene.application();
    insert(application, 4);
    await using first = scene.daemon();
    await first.line("Snapshot done");
    assertEquals(await first.stop(), 0);
    const [generation] = await scene.generations();
    assert(generation !== undefined);
    const points = await scene.points(generation);
    insert(application, COMMITTED);
    flipBit(scene.wal, at);
    await using daemon = scene.daemon();
    assertEquals(await daemon.ended(), 4);
    assertMatch(daemon.saying("Cannot ").join(), new RegExp(`Cannot follow ${scene.wal}: ${problem}`));
    assertEquals(daemon.saying("Cannot ").length, 1);
    assertMatch(daemon.text, /SQLite has the WAL-reset bug \(fixed in 3\.51\.3, 3\.50\.7, 3\.44\.6\)/);
    assertMatch(daemon.text, /every earlier point of the replicas still restores\)/);
    assertMatch(daemon.text, new RegExp(`sqlite3 ${scene.database} 'PRAGMA integrity_check'`));
    await expectSamePoints(scene, points);

    application.exec("PRAGMA wal_checkpoint(TRUNCATE)"); // What was damaged is gone.
    insert(application, 4);
    await using again = scene.daemon();
    await again.line("Resynced");
    await again.ready();
    insert(application, 4);
    assertEquals(await again.stop(), 0);
    application.close();
    await scene.expectEqual();
    await expectSamePoints(scene, points);
  });
}

trouble("WAL frame damaged while both are running", async (scene) => {
  const application = scene.application();
  insert(application, 4);
  await using daemon = scene.daemon();
  await daemon.line("Snapshot done");
  await scene.replicated();
  daemon.signal("SIGSTOP");
  insert(application, COMMITTED);
  const frames = (Deno.statSync(scene.wal).size - WAL_HEADER_SIZE) / FRAME;
  flipBit(scene.wal, WAL_HEADER_SIZE + (frames - 3) * FRAME + 1_000);
  daemon.signal("SIGCONT");
  const sentence = `Cannot follow ${scene.wal}: frame ${frames - 2} of the WAL does not continue the chain`;
  await daemon.line(sentence);
  const warning = daemon.saying("committed frames that form no chain: damage, or an application whose SQLite has")
    .join();
  assertMatch(warning, / WARN .*the WAL-reset bug \(fixed in .*; a resync follows, .* reason="frame \d+ of the WAL/);
  const [generation] = await scene.generations();
  assert(generation !== undefined);
  const points = await scene.points(generation);
  insert(application, 4); // Said once, however the WAL grows.
  await sleep(400);
  assertEquals(daemon.saying("Cannot ").length, 1, daemon.text);
  await expectSamePoints(scene, points);

  application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  insert(application, 4);
  await daemon.line("Resynced");
  insert(application, 4);
  assertEquals(await daemon.stop(), 0);
  application.close();
  await scene.expectEqual();
  await expectSamePoints(scene, points);
});

trouble("WAL frame damaged while nobody runs", async (scene) => {
  const application = scene.connect();
  const keeper = scene.application();
  insert(keeper, 8);
  await using first = scene.daemon();
  await first.line("Snapshot done");
  assertEquals(await first.stop(), 0);
  const [generation] = await scene.generations();
  assert(generation !== undefined);
  const points = await scene.points(generation);
  const [database, wal] = [Deno.readFileSync(scene.database), Deno.readFileSync(scene.wal)];
  keeper.close();
  application.close();
  Deno.writeFileSync(scene.database, database);
  Deno.writeFileSync(scene.wal, wal); // As after a power loss: no -shm, nobody has it open.
  flipBit(scene.wal, WAL_HEADER_SIZE + 7 * FRAME + 1_000);
  await using again = scene.daemon();
  assertMatch(await again.line("Resynced"), /the WAL ends before what was captured/);
  await again.ready();
  assertEquals(await again.stop(), 0);
  await scene.expectEqual();
  await expectSamePoints(scene, points);
});

/** Copies what an operator who takes a machine back to an older state would: the database and our state. */
function saveAll(scene: Scene): () => void {
  const kept = `${scene.folder}/kept`;
  run("cp", ["-a", `${scene.folder}/data`, kept]);
  return () => {
    // The database stays the same file: beside another one the history would not be continued at all.
    run("find", [`${scene.folder}/data`, "-mindepth", "1", "-not", "-path", scene.database, "-delete"]);
    run("cp", ["-a", `${kept}/.`, `${scene.folder}/data`]);
  };
}

function run(program: string, words: readonly string[]): void {
  assertEquals(new Deno.Command(program, { args: [...words] }).outputSync().code, 0);
}

/** Replicates, keeps a copy, replicates more; then the copy is put back. The points of the time before. */
async function rollBack(scene: Scene, more: (application: ReturnType<Scene["application"]>) => void) {
  const application = scene.application();
  insert(application, 6);
  await using first = scene.daemon();
  await first.line("Snapshot done");
  insert(application, 6);
  assertEquals(await first.stop(), 0);
  const putBack = saveAll(scene);
  await using second = scene.daemon();
  await second.ready();
  more(application);
  assertEquals(await second.stop(), 0);
  application.close();
  const [generation] = await scene.generations();
  assert(generation !== undefined);
  const points = await scene.points(generation);
  putBack();
  Deno.removeSync(`${scene.database}-shm`);
  return points;
}

async function expectFork(scene: Scene, points: Map<string, Uint8Array>, reason: string): Promise<void> {
  await using daemon = scene.daemon();
  await daemon.line("A new generation is needed");
  assertMatch(await daemon.line("A new generation begins"), new RegExp(`reason="${reason}"`));
  await daemon.line("Snapshot done");
  const application = scene.application();
  insert(application, 3);
  assertEquals(await daemon.stop(), 0);
  application.close();
  await scene.expectEqual();
  await expectSamePoints(scene, points);
  assertEquals((await scene.generations()).length, 2);
}

trouble("replica ahead of us", async (scene) => {
  const points = await rollBack(scene, (application) => insert(application, 20));
  await expectFork(scene, points, "the replica is ahead of this host");
});

trouble("replica ahead of us, by whole indexes", async (scene) => {
  const points = await rollBack(scene, (application) => {
    for (let i = 0; i < 3; i++) {
      insert(application, 20);
      application.exec("PRAGMA wal_checkpoint(RESTART)");
    }
    insert(application, 1);
  });
  await expectFork(scene, points, "the replica is ahead of this host");
});

trouble("replica ahead of us, which have written other things meanwhile", async (scene) => {
  const points = await rollBack(scene, (application) => insert(application, 2));
  const application = scene.connect();
  insert(application, 30);
  Deno.copyFileSync(scene.wal, `${scene.wal}.kept`);
  Deno.copyFileSync(scene.database, `${scene.database}.kept`);
  application.close();
  Deno.renameSync(`${scene.wal}.kept`, scene.wal);
  Deno.copyFileSync(`${scene.database}.kept`, scene.database); // In place.
  // The replica may be looked at before all of it is captured.
  await expectFork(scene, points, "the replica (holds other WAL than this host captured|is ahead of this host)");
});

trouble("replica ahead of us, which have begun another index meanwhile", async (scene) => {
  const points = await rollBack(scene, (application) => insert(application, 20));
  const keeper = scene.connect();
  keeper.exec("PRAGMA wal_checkpoint(RESTART)");
  insert(keeper, 1);
  await expectFork(scene, points, "the replica is ahead of this host");
});

for (const suffix of ["wal", "commits"]) {
  for (const cut of [1, 63, 64, 65, 100, 4_000, 4_121, 9_000, Infinity]) {
    trouble(`replica's last bytes torn, ${cut} of the .${suffix}`, async (scene) => {
      const application = scene.application();
      insert(application, 4);
      await using first = scene.daemon();
      await first.line("Snapshot done");
      insert(application, 1);
      await first.until(async () => (await scene.store.records(...await scene.newestWal())).length > 1, "a sync");
      insert(application, 1);
      assertEquals(await first.stop(), 0);
      const [generation, index] = await scene.newestWal();
      const folder = `${scene.replica}/generations/${generation}/wal`;
      const path = `${folder}/${index.toString(16).padStart(16, "0")}.${suffix}`;
      const { size } = Deno.statSync(path);
      Deno.truncateSync(path, Math.max(0, size - cut));
      insert(application, 3);
      await using again = scene.daemon();
      await again.ready();
      insert(application, 3);
      assertEquals(await again.stop(), 0);
      assertEquals(linesAmiss(again.lines), []);
      application.close();
      await scene.expectEqual();
      assertEquals((await scene.generations()).length, 1);
      assertGreater((await scene.points(generation)).size, 1);
    });
  }
}
