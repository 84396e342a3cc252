/** The rows of the trouble table that the replica causes: said once, retried for ever, nothing lost. */
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { anotherUser, give } from "../support/another_user.ts";
import { type Daemon, until } from "../support/daemon.ts";
import { insert, type Scene, withScene } from "./scene.ts";

function trouble(row: string, run: (scene: Scene) => Promise<void>): void {
  Deno.test({ name: `trouble: ${row}`, timeout: 30_000, fn: () => withScene(run) });
}

/** Retried several times, said once; the end names the replica. */
async function expectSaidOnce(daemon: Daemon, sentence: string): Promise<void> {
  await daemon.line(sentence);
  await new Promise((resolve) => setTimeout(resolve, 400)); // Retries come after 100 and 200 ms more.
  assertEquals(errorsOf(daemon).length, 1, daemon.text);
}

function errorsOf(daemon: Daemon): readonly string[] {
  return daemon.lines.filter((line) => / (ERROR|WARN) /.test(line));
}

/** Of a daemon that is to end without what it cannot have. */
const IMPATIENT = ["--shutdown-timeout", "0"];

async function expectUnfinished(scene: Scene, daemon: Daemon, problem: string): Promise<void> {
  assertEquals(await daemon.stop(), 1);
  assertEquals(daemon.lines.at(-2), `Cannot finish replica file of ${scene.database}: ${problem}`);
  assertMatch(daemon.lines.at(-1) ?? "", /^Advice: ./);
}

trouble("replica path is a file", async (scene) => {
  Deno.writeTextFileSync(scene.replica, "somebody's");
  const application = scene.application();
  insert(application, 20);
  await using daemon = scene.daemon();
  const sentence = `Cannot use ${scene.replica}: it is a file (expected a folder)`;
  await expectSaidOnce(daemon, sentence);
  assertMatch(daemon.saying(sentence).join(), /advice="give each replica a folder of its own"/);
  insert(application, 20);
  await expectUnfinished(scene, daemon, sentence);
  assertEquals(Deno.readTextFileSync(scene.replica), "somebody's");

  Deno.removeSync(scene.replica);
  await using again = scene.daemon();
  await again.ready();
  assertEquals(await again.stop(), 0);
  application.close();
  await scene.expectEqual();
});

trouble("replica unwritable", async (scene) => {
  const user = anotherUser(scene.folder);
  const application = scene.application();
  insert(application, 20);
  give(user, `${scene.folder}/data`, scene.database, `${scene.database}-wal`, `${scene.database}-shm`);
  Deno.mkdirSync(scene.replica, { mode: 0o555 });
  Deno.chmodSync(scene.replica, 0o555);
  await using daemon = scene.daemon({ ...user.options, flags: IMPATIENT });
  const sentence = `Cannot make folder ${scene.replica}/generations: permission denied`;
  await expectSaidOnce(daemon, sentence);
  insert(application, 20);
  await expectUnfinished(scene, daemon, sentence);

  await using again = scene.daemon(user.options);
  await again.line(sentence);
  insert(application, 20);
  give(user, scene.replica);
  Deno.chmodSync(scene.replica, 0o755);
  await again.line("The replica is well again");
  assertEquals(await again.stop(), 0);
  application.close();
  await scene.expectEqual();
});

/** A full device, for this process alone: no file may become larger than so much. */
const LIMITED = ["sh", "-c", `trap '' XFSZ; ulimit -S -f 1024; exec "$0" "$@"`];

function limitFileSize(daemon: Daemon, limit: number | "unlimited"): void {
  const words = ["--pid", String(daemon.pid), `--fsize=${limit}:unlimited`];
  assertEquals(new Deno.Command("prlimit", { args: words }).outputSync().code, 0);
}

trouble("replica full", async (scene) => {
  const application = scene.application();
  insert(application, 20, 100_000);
  application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  await using daemon = scene.daemon({ wrapper: LIMITED, flags: ["--shutdown-timeout", "700ms"] });
  const sentence = "the file would exceed the largest size allowed";
  await expectSaidOnce(daemon, sentence);
  insert(application, 20);
  assertEquals(await daemon.stop(), 1);
  assertMatch(
    daemon.lines.slice(-2).join("\n"),
    /^Cannot finish replica file of .*: Cannot write .*\/replica\/.*: the file would.*\nAdvice: raise the limit/,
  );

  await using again = scene.daemon({ wrapper: LIMITED });
  await again.line(sentence);
  insert(application, 20);
  limitFileSize(again, "unlimited");
  await again.line("The replica is well again");
  assertEquals(await again.stop(), 0);
  application.close();
  await scene.expectEqual();
  assertEquals((await scene.generations()).length, 1);
  assertEquals(temporaryFiles(scene.replica), []);
});

trouble("replica full, with --once, which tries once", async (scene) => {
  const application = scene.application();
  insert(application, 20, 100_000);
  application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  await using daemon = scene.daemon({ wrapper: LIMITED, flags: ["--once"] });
  assertEquals(await daemon.ended(), 1);
  assertMatch(daemon.lines.at(-2) ?? "", /^Cannot finish replica file of .*: Cannot write .*: the file would/);
  assertEquals(daemon.lines.at(-1), "Advice: raise the limit on the size of files (ulimit -f)");
  assertEquals(daemon.saying("waiting for the last sync"), []);
  application.close();
});

trouble("replica full when it is stopped, and freed a little later", async (scene) => {
  const application = scene.application();
  insert(application, 20, 100_000);
  application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  await using daemon = scene.daemon({ wrapper: LIMITED });
  await daemon.line("the file would exceed the largest size allowed");
  insert(application, 20);
  daemon.signal("SIGTERM");
  assertMatch(
    await daemon.line("Stopping: waiting for the last sync"),
    /replica=file reason="Cannot write .*: the file would exceed the largest size allowed" waited_s=\d+ left_s=\d+/,
  );
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  insert(application, 20);
  limitFileSize(daemon, "unlimited");
  assertEquals(await daemon.ended(), 0, daemon.text);
  application.close();
  assertEquals(daemon.saying("Everything is replicated").length, 1);
});

trouble("replica full, and the state's device too", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using first = scene.daemon();
  await first.line("Snapshot done");
  assertEquals(await first.stop(), 0); // Its page table is stored: without one, being away begins a generation.
  await using daemon = scene.daemon();
  await daemon.line("Following");
  const now = new Date();
  Deno.utimeSync(scene.database, now, now); // Each try then compares the file, in a shadow WAL of a new name.
  limitFileSize(daemon, 65_536);
  insert(application, 100, 2_000);
  await daemon.line("the file would exceed the largest size allowed");
  insert(application, 100, 2_000);
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // It tries again, and says the same once.
  limitFileSize(daemon, "unlimited");
  await daemon.line("Following", daemon.lines.indexOf(daemon.saying("Following")[0] ?? "") + 1);
  insert(application, 5);
  assertEquals(await daemon.stop(), 0);
  assertEquals(errorsOf(daemon).length, 1, daemon.text);
  application.close();
  await scene.expectEqual();
  assertEquals((await scene.generations()).length, 1, daemon.text);
});

trouble("replica vanishes and comes back", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using daemon = scene.daemon();
  await daemon.line("Snapshot done");
  insert(application, 5);
  await until(async () => (await scene.store.records(...await scene.newestWal())).length > 1, "the next sync");
  const away = `${scene.replica}-away`;
  Deno.renameSync(scene.replica, away);
  insert(application, 5);
  const sentence =
    `Cannot replicate to ${scene.replica}: nothing is there, though it was written before (is it mounted?)`;
  await expectSaidOnce(daemon, sentence);
  for (let i = 0; i < 20; i++) {
    insert(application, 5);
    assert(!exists(scene.replica), "it is not made again");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  Deno.renameSync(away, scene.replica);
  await daemon.line("The replica is well again");
  insert(application, 5);
  assertEquals(await daemon.stop(), 0);
  application.close();
  await scene.expectEqual();
  assertEquals((await scene.generations()).length, 1);
});

trouble("replica vanishes, and is away at the end", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using daemon = scene.daemon({ flags: IMPATIENT });
  await daemon.line("Snapshot done");
  await scene.replicated(); // Else the first append may still be under way, in the folder that is moved.
  const away = `${scene.replica}-away`;
  Deno.renameSync(scene.replica, away);
  insert(application, 5);
  const sentence =
    `Cannot replicate to ${scene.replica}: nothing is there, though it was written before (is it mounted?)`;
  await expectUnfinished(scene, daemon, sentence);
  assert(!exists(scene.replica));
});

trouble("replica not mounted", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using first = scene.daemon();
  await first.line("Snapshot done");
  assertEquals(await first.stop(), 0);
  insert(application, 5);

  const away = `${scene.replica}-away`;
  Deno.renameSync(scene.replica, away);
  Deno.mkdirSync(scene.replica); // The empty mount point.
  await using daemon = scene.daemon();
  const sentence =
    `Cannot replicate to ${scene.replica}: nothing is there, though it was written before (is it mounted?)`;
  await expectSaidOnce(daemon, sentence);
  assertMatch(daemon.saying(sentence).join(), /advice="mount it; to begin anew on purpose: mkdir -p .*\/generations"/);
  insert(application, 5);
  assertEquals([...Deno.readDirSync(scene.replica)], []);
  Deno.removeSync(scene.replica);
  Deno.renameSync(away, scene.replica);
  await daemon.line("The replica is well again");
  insert(application, 5);
  assertEquals(await daemon.stop(), 0);
  application.close();
  await scene.expectEqual();
  assertEquals((await scene.generations()).length, 1);
});

trouble("replica not mounted, and begun anew on purpose", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  await using first = scene.daemon();
  await first.line("Snapshot done");
  assertEquals(await first.stop(), 0);
  Deno.removeSync(scene.replica, { recursive: true });
  await using daemon = scene.daemon();
  await daemon.line("is it mounted?");
  Deno.mkdirSync(`${scene.replica}/generations`, { recursive: true });
  await daemon.line("Snapshot done");
  assertEquals(await daemon.stop(), 0);
  application.close();
  await scene.expectEqual();
});

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function temporaryFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? temporaryFiles(`${folder}/${name}`) : name.endsWith(".tmp") ? [`${folder}/${name}`] : []
  );
}
