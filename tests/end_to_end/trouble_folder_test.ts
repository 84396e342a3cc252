/** The rows of the trouble table about what lies around: drafts, strange names, the state folder, a second daemon. */
import { assert, assertEquals, assertGreater, assertMatch } from "../support/assert.ts";
import { linesAmiss, startReplicate } from "../support/daemon.ts";
import { removeInUse } from "../support/remove_in_use.ts";
import { expectRefusal, insert, type Scene, withScene } from "./scene.ts";

function trouble(row: string, run: (scene: Scene) => Promise<void>): void {
  Deno.test({ name: `trouble: ${row}`, timeout: 30_000, fn: () => withScene(run) });
}

function write(path: string): void {
  Deno.writeTextFileSync(path, "left over");
}

trouble(".tmp left over", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using first = scene.daemon();
  await first.line("Snapshot done");
  assertEquals(await first.stop(), 0);
  const [generation] = await scene.generations();
  const folder = `${scene.replica}/generations/${generation}`;
  const drafts = [
    `${folder}/snapshots/snapshot.tmp`,
    `${folder}/snapshots/0000000000000009.record.tmp`,
    `${folder}/wal/0000000000000009.wal.tmp`,
    `${folder}/wal/0000000000000000.commits.tmp`,
    `${scene.state}/generation.tmp`,
    `${scene.state}/version.tmp`,
    `${scene.state}/shadow/${generation}/0000000000000009.wal.tmp`,
  ];
  drafts.forEach(write);
  await using again = scene.daemon();
  await again.ready();
  insert(application, 5);
  await scene.newGeneration(again); // Which writes a snapshot and the state anew.
  insert(application, 5);
  assertEquals(await again.stop(), 0);
  application.close();
  await scene.expectEqual();
  assert(generation !== undefined);
  assertGreater((await scene.points(generation)).size, 0);
});

trouble(".tmp left over by a snapshot that was killed", async (scene) => {
  const application = scene.application();
  insert(application, 40, 100_000);
  {
    await using before = scene.daemon(); // What it knows of the pages has the generation go on after a kill.
    await before.line("Snapshot done");
    assertEquals(await before.stop(), 0);
  }
  // A draft may be finished while it is seen; the next one is larger.
  for (let rows = 40; leftOver(scene).length === 0; rows *= 2) {
    for (const { name } of Deno.readDirSync(`${scene.replica}/generations`)) {
      Deno.removeSync(`${scene.replica}/generations/${name}`, { recursive: true });
    }
    insert(application, rows, 100_000);
    await using first = scene.daemon();
    await first.until(() => leftOver(scene).length > 0 || first.saying("Snapshot done").length > 0, "a draft");
    await first.stop("SIGKILL");
  }
  await using again = scene.daemon();
  await again.line("Snapshot done");
  assertEquals(await again.stop(), 0);
  application.close();
  assertEquals(leftOver(scene), []);
  await scene.expectEqual();
});

function leftOver(scene: Scene): string[] {
  try {
    return [...Deno.readDirSync(`${scene.replica}/generations`)].flatMap(({ name }) =>
      [...Deno.readDirSync(`${scene.replica}/generations/${name}/snapshots`)].map(({ name }) => name)
        .filter((name) => name.endsWith(".tmp"))
    );
  } catch {
    return []; // Nothing is made yet.
  }
}

trouble("unknown file names", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using first = scene.daemon();
  await first.line("Snapshot done");
  assertEquals(await first.stop(), 0);
  const [generation] = await scene.generations();
  const folder = `${scene.replica}/generations/${generation}`;
  const strange = [
    `${scene.replica}/README.txt`,
    `${scene.replica}/generations/lost+found`,
    `${scene.replica}/generations/0123456789abcdeg`,
    `${folder}/snapshots/000000000000000A.snapshot`,
    `${folder}/snapshots/00000000.snapshot.lz4`,
    `${folder}/wal/00000000000000ff.wal.bak`,
    `${folder}/wal/ffffffffffffffff.wal`,
    `${folder}/wal/1.wal`,
    `${folder}/wal/.nfs0000000001`,
    `${scene.state}/notes`,
    `${scene.state}/shadow/${generation}/00000000000000ff.wal~`,
    `${scene.state}/shadow/notes`,
  ];
  strange.forEach(write);
  await using again = scene.daemon();
  await again.ready();
  insert(application, 5);
  application.exec("PRAGMA wal_checkpoint(RESTART)");
  insert(application, 5);
  assertEquals(await again.stop(), 0);
  assertEquals(linesAmiss(again.lines), []);
  application.close();
  await scene.expectEqual();
  assertEquals((await scene.generations()).length, 1);
  for (const path of strange) assertEquals(Deno.readTextFileSync(path), "left over", path);
});

trouble("two daemons on one database", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using first = scene.daemon();
  await first.line("Snapshot done");
  const said = first.lines.length;
  await using second = startReplicate([scene.database, `file://${scene.folder}/other-replica`]);
  assertEquals(await second.ended(), 75);
  expectRefusal(
    second,
    `Cannot use the state folder ${scene.state}: process ${first.pid} replicates this database`,
  );
  insert(application, 5);
  assertEquals(await first.stop(), 0);
  assertEquals(linesAmiss(first.lines.slice(said)), []);
  assertEquals((await scene.generations()).length, 1);
  application.close();
  await scene.expectEqual();
});

trouble("two daemons on one database, the second through a symlink", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using first = scene.daemon();
  await first.line("Snapshot done");
  const link = `${scene.folder}/link.db`;
  Deno.symlinkSync(scene.database, link);
  await using second = startReplicate([link, `file://${scene.folder}/other-replica`]);
  assertEquals(await second.ended(), 75);
  expectRefusal(second, `Cannot use the state folder ${scene.state}: process ${first.pid} replicates this database`);
  assertEquals(await first.stop(), 0);
  application.close();
  await scene.expectEqual();
});

trouble("state folder is a symlink", async (scene) => {
  scene.application().close();
  Deno.mkdirSync(`${scene.folder}/elsewhere`);
  Deno.symlinkSync(`${scene.folder}/elsewhere`, scene.state);
  await using daemon = scene.daemon();
  assertEquals(await daemon.ended(), 2);
  expectRefusal(
    daemon,
    `Cannot use the state folder ${scene.state}: it is a symbolic link (should be a folder)`,
  );
  assertEquals(daemon.saying("Advice: "), ["Advice: move it away, or name another place with meta-path"]);
  assertEquals([...Deno.readDirSync(`${scene.folder}/elsewhere`)], []);
});

trouble("state folder is a file", async (scene) => {
  scene.application().close();
  write(scene.state);
  await using daemon = scene.daemon();
  assertEquals(await daemon.ended(), 2);
  expectRefusal(daemon, `Cannot use the state folder ${scene.state}: it is not a folder`);
  assertEquals(Deno.readTextFileSync(scene.state), "left over");
});

trouble("state folder is of a later version", async (scene) => {
  scene.application().close();
  Deno.mkdirSync(scene.state);
  Deno.writeTextFileSync(`${scene.state}/version`, "2\n");
  await using daemon = scene.daemon();
  assertEquals(await daemon.ended(), 1);
  expectRefusal(daemon, `Cannot use the state folder ${scene.state}: its format is version 2 (should be 1)`);
});

trouble("state folder deleted", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using first = scene.daemon();
  await first.line("Snapshot done");
  assertEquals(await first.stop(), 0);
  const [generation] = await scene.generations();
  assert(generation !== undefined);
  const points = await scene.points(generation);
  Deno.removeSync(scene.state, { recursive: true });
  insert(application, 5);
  await using again = scene.daemon();
  assertMatch(await again.line("A new generation begins"), /reason="there is no earlier state"/);
  await again.line("Snapshot done");
  insert(application, 5);
  assertEquals(await again.stop(), 0);
  application.close();
  await scene.expectEqual();
  assertEquals(await scene.points(generation), points);
});

trouble("state folder deleted while it was in use", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using daemon = scene.daemon();
  await daemon.line("Snapshot done");
  const [generation] = await scene.generations();
  await scene.replicated();
  const said = daemon.lines.length;
  removeInUse(scene.state);
  insert(application, 5);
  // Whichever finds it first: the look for it, or a write of a file in it.
  assertMatch(
    await daemon.line(" ERROR "),
    / Cannot (go on with \S+\/app\.db: its state folder was deleted|\w+ \S+-tailrace\/\S+: there is nothing at that path)/,
  );
  await daemon.line("Snapshot done", said);
  insert(application, 5);
  assertEquals(await daemon.stop(), 0);
  assertEquals(daemon.saying(" ERROR ").length, 1, daemon.text);
  application.close();
  await scene.expectEqual();
  assertEquals((await scene.generations()).length, 2);
  assert(generation !== undefined);
  assertGreater((await scene.points(generation)).size, 0);
});

trouble("state folder replaced while it was in use", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using daemon = scene.daemon();
  await daemon.line("Snapshot done");
  const said = daemon.lines.length;
  Deno.renameSync(scene.state, `${scene.state}-old`);
  Deno.mkdirSync(scene.state, { mode: 0o700 });
  insert(application, 5);
  await daemon.line("its state folder was deleted or replaced");
  await daemon.line("Snapshot done", said);
  insert(application, 5);
  assertEquals(await daemon.stop(), 0);
  application.close();
  await scene.expectEqual();
});

if (Deno.uid() === 0) {
  trouble("state folder foreign", async (scene) => {
    scene.application().close();
    Deno.mkdirSync(scene.state);
    Deno.chownSync(scene.state, 65_534, 65_534);
    await using daemon = scene.daemon();
    assertEquals(await daemon.ended(), 2);
    expectRefusal(
      daemon,
      `Cannot use the state folder ${scene.state}: it belongs to user 65534 (should belong to the database's owner, user 0)`,
    );
    assertEquals([...Deno.readDirSync(scene.state)], []);
  });

  trouble("state folder is made by root for another user's database", async (scene) => {
    const application = scene.application();
    insert(application, 5);
    for (const suffix of ["", "-wal", "-shm"]) Deno.chownSync(`${scene.database}${suffix}`, 65_534, 65_534);
    await using daemon = scene.daemon();
    await daemon.line("Snapshot done");
    insert(application, 5);
    assertEquals(await daemon.stop(), 0);
    for (const path of everythingIn(scene.state)) {
      const { uid, gid, mode, isDirectory } = Deno.lstatSync(path);
      assertEquals({ path, uid, gid }, { path, uid: 65_534, gid: 65_534 });
      assertEquals((mode ?? 0) & 0o777, isDirectory ? 0o700 : 0o600, path);
    }
    application.close();
    await scene.expectEqual();
  });
}

function everythingIn(folder: string): string[] {
  const below = [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? everythingIn(`${folder}/${name}`) : [`${folder}/${name}`]
  );
  return [folder, ...below];
}
