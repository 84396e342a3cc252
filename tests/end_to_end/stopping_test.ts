/** How `replicate` ends: after a last sync, with the code that says whether it was complete; at once when told twice. */
import { DatabaseSync } from "node:sqlite";
import { ReplicationError } from "../../lib/base/errors.ts";
import { limits } from "../../lib/base/limits.ts";
import { databaseConfigFromArguments } from "../../lib/config/from_arguments.ts";
import { awaitDaemonOf } from "../../lib/daemon/await_daemon.ts";
import { SystemClock } from "../../lib/platform/clock.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { SystemRandom } from "../../lib/platform/random.ts";
import { SystemWeb } from "../../lib/platform/web.ts";
import { assert, assertEquals, assertGreaterOrEqual, assertMatch, assertRejects } from "../support/assert.ts";
import { linesAmiss, sleep, startReplicate, until } from "../support/daemon.ts";
import { expectRefusal, insert, type Scene, withScene } from "./scene.ts";

const WRITER = new URL("./shutdown_writer.ts", import.meta.url).pathname;

function stopping(name: string, run: (scene: Scene) => Promise<void>): void {
  Deno.test({ name, timeout: 30_000, fn: () => withScene(run) });
}

async function restoredBodies(scene: Scene): Promise<unknown[]> {
  const path = `${scene.folder}/bodies.db`;
  Deno.writeFileSync(path, await scene.restored());
  using restored = new DatabaseSync(path);
  return restored.prepare("SELECT body FROM entry ORDER BY n").all().map(({ body }) => body);
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  stopping(`replicate ends with 0 after one ${signal}, and the replica holds every commit before it`, async (scene) => {
    const application = scene.application();
    for (let round = 0; round < 10; round++) {
      await using daemon = scene.daemon();
      await daemon.ready();
      const isAsleep = round % 2 === 1; // Then it hears of the rows and of the signal at the same moment.
      if (isAsleep) daemon.signal("SIGSTOP");
      insert(application, 1 + 30 * round, 1 + 300 * round);
      daemon.signal(signal);
      if (isAsleep) daemon.signal("SIGCONT");
      const before = Number(application.prepare("SELECT count(*) AS n FROM entry").get()?.["n"]);
      while (application.isOpen && daemon.saying("Everything is replicated").length === 0) {
        insert(application, 1); // The application knows nothing of it.
        await sleep(0);
      }
      assertEquals(await daemon.ended(), 0, daemon.text);
      const restored = (await restoredBodies(scene)).length;
      assertGreaterOrEqual(restored, before);
      const rows = application.prepare("SELECT body FROM entry ORDER BY n LIMIT ?").all(restored);
      assertEquals(await restoredBodies(scene), rows.map(({ body }) => body));
    }
    assertEquals((await scene.generations()).length, 1);
  });
}

/** However the tests were started themselves. */
const HEARING = ["env", "--default-signal=HUP,INT,QUIT,USR1,USR2"];

for (const signal of ["SIGHUP", "SIGQUIT", "SIGUSR2", "SIGXCPU", "SIGPWR"] as const) {
  stopping(`replicate ends with 0 after one ${signal}, which ends a program by default`, async (scene) => {
    const application = scene.application();
    await using daemon = scene.daemon({ wrapper: HEARING });
    await daemon.ready();
    insert(application, 20);
    assertEquals(await daemon.stop(signal), 0, daemon.text);
    application.close();
    await scene.expectEqual();
  });
}

stopping("replicate that nohup started is not stopped by SIGHUP", async (scene) => {
  const application = scene.application();
  await using daemon = scene.daemon({ wrapper: ["sh", "-c", `trap '' HUP; exec "$0" "$@"`] });
  await daemon.ready();
  daemon.signal("SIGHUP");
  await sleep(700); // The run-time takes this signal for itself half a second after the start.
  daemon.signal("SIGHUP");
  insert(application, 20);
  await scene.replicated();
  assertEquals(daemon.saying("Stopping"), []);
  assertEquals(await daemon.stop(), 0);
});

stopping("replicate opens no debugger when SIGUSR1 comes, at whatever moment", async (scene) => {
  const application = scene.application();
  await using daemon = scene.daemon({ wrapper: HEARING });
  await daemon.ready();
  // The run-time would begin to listen half a second after its start, or as late as a busy machine has it.
  for (const start = performance.now(); performance.now() - start < 3_000;) {
    daemon.signal("SIGUSR1");
    insert(application, 1);
    await sleep(25);
  }
  assertEquals(portsOf(daemon.pid), []); // It would say nothing of it: it runs with `--quiet`.
  assertEquals(await daemon.stop(), 0, daemon.text);
  application.close();
  await scene.expectEqual();
});

/** Where the process listens, as the system lists it: addresses in hex. */
function portsOf(pid: number): readonly string[] {
  const open = [...Deno.readDirSync(`/proc/${pid}/fd`)].flatMap(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      return []; // It was closed just now.
    }
  });
  return ["tcp", "tcp6"].flatMap((kind) =>
    Deno.readTextFileSync(`/proc/${pid}/net/${kind}`).split("\n").slice(1).flatMap((line) => {
      const [, address = "", , state, , , , , , inode] = line.trim().split(/\s+/);
      return state === LISTENING && open.includes(`socket:[${inode}]`) ? [address] : [];
    })
  );
}

const LISTENING = "0A";

stopping("replicate --exec has the child hear every signal as if nobody stood between", async (scene) => {
  scene.application();
  const signals = `${scene.folder}/signals`;
  await using daemon = scene.daemon({
    wrapper: HEARING,
    flags: ["--exec", `sh -c 'grep SigIgn /proc/self/status > ${signals}'`],
  });
  assertEquals(await daemon.ended(), 0);
  const ignored = BigInt(`0x${Deno.readTextFileSync(signals).split(/\s+/)[1]}`);
  const names = { SIGHUP: 1, SIGUSR1: 10, SIGUSR2: 12, SIGPIPE: 13, SIGXCPU: 24, SIGXFSZ: 25 };
  for (const [name, number] of Object.entries(names)) {
    assertEquals(ignored >> BigInt(number - 1) & 1n, 0n, `${name} is not ignored`);
  }
});

for (const [signal, told] of [["SIGHUP", "HUP"], ["SIGUSR2", "USR2"], ["SIGXCPU", "TERM"]] as const) {
  stopping(`replicate --exec tells the child of ${signal} by ${told}, once`, async (scene) => {
    const application = scene.application();
    const toldFile = `${scene.folder}/told`;
    const trap = `trap "echo ${told} >> ${toldFile}" ${told}; echo ready > ${toldFile}`;
    const child = `sh -c '${trap}; while ! grep -q ${told} ${toldFile}; do sleep 0.05; done; sleep 0.3; exit 5'`;
    await using daemon = scene.daemon({ wrapper: HEARING, flags: ["--exec", child] });
    await until(() => exists(toldFile), "the child");
    insert(application, 10);
    daemon.signal(signal);
    await sleep(30);
    daemon.signal(signal);
    assertEquals(await daemon.ended(), 5, daemon.text);
    assertEquals(Deno.readTextFileSync(toldFile), `ready\n${told}\n`);
    application.close();
    await scene.expectEqual();
  });
}

stopping(
  "replicate that is stopped right after its start leaves a replica that is complete, or says so",
  async (scene) => {
    const application = scene.application();
    insert(application, 20, 50_000);
    for (const delayMs of [60, 90, 105, 120, 150, 200]) {
      await using daemon = scene.daemon();
      await sleep(delayMs);
      insert(application, 3);
      const code = await daemon.stop();
      if (code === 0) {
        assertEquals(daemon.saying("Everything is replicated").length, 1, daemon.text);
      } else assert(code === 1 || code === 143, `exit code ${code}`); // 143: the program had not begun to listen.
      if (code === 1) assertEquals(daemon.saying("Cannot finish replica file").length, 1, daemon.text);
    }
    await using daemon = scene.daemon();
    await daemon.ready();
    assertEquals(await daemon.stop(), 0);
    application.close();
    await scene.expectEqual();
  },
);

/** A program that neither signal ends. */
function stubborn(scene: Scene): { readonly command: string; end(): void } {
  const pidFile = `${scene.folder}/pid`;
  const command = `sh -c 'trap "" TERM INT; echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 25'`;
  return { command, end: () => Deno.kill(Number(Deno.readTextFileSync(pidFile)), "SIGKILL") };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
  stopping(`replicate leaves at once with ${code} on a second ${signal}`, async (scene) => {
    const application = scene.application();
    const child = stubborn(scene);
    await using daemon = scene.daemon({ flags: ["--exec", child.command] });
    await until(() => exists(`${scene.folder}/pid`), "the child");
    daemon.signal(signal);
    await daemon.line("Stopping");
    await sleep(30);
    daemon.signal(signal); // By a supervisor, as the first one was by a terminal: the same wish.
    await sleep(limits.sameSignalMs + 100);
    assertEquals(daemon.saying("Leaving at once"), []);
    daemon.signal(signal);
    assertEquals(await daemon.exitCode(), code);
    child.end(); // It was still there: nobody has waited for it.
    await daemon.ended();
    assertEquals(daemon.saying("Leaving at once").length, 1, daemon.text);
    application.close();
    assert(exists(scene.database));
  });
}

for (const [command, code] of [["sh -c 'exit 7'", 7], ["true", 0], ["sh -c 'kill -9 $$'", 137]] as const) {
  stopping(`replicate --exec ${command} passes on ${code} after a last sync`, async (scene) => {
    const application = scene.application();
    insert(application, 20);
    await using daemon = scene.daemon({ flags: ["--exec", command] });
    assertEquals(await daemon.ended(), code);
    assertEquals(daemon.saying("Everything is replicated").length, 1);
    application.close();
    await scene.expectEqual();
  });
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  stopping(`replicate --exec forwards ${signal} and replicates what the child then writes`, async (scene) => {
    const words = [Deno.execPath(), "run", "--allow-all", "--quiet", WRITER, scene.database, "5"];
    // The child makes the database: it must not be waited for.
    await using daemon = scene.daemon({ flags: ["--exec", words.map((word) => `'${word}'`).join(" ")] });
    await daemon.ready();
    await scene.replicated();
    assertEquals(await daemon.stop(signal), 5);
    assertEquals(daemon.saying("Everything is replicated").length, 1);
    assertEquals(await restoredBodies(scene), ["at start", `at ${signal}`]);
    await scene.expectEqual();
  });
}

stopping("replicate --exec as the first process leaves no zombies of the child's orphans", async (scene) => {
  scene.application();
  const subreaper = new URL("../support/subreaper.ts", import.meta.url).pathname;
  const orphans = 'for i in 1 2 3; do sh -c "sleep 0.1 &"; done';
  await using daemon = scene.daemon({
    wrapper: [Deno.execPath(), "run", "--allow-all", "--quiet", subreaper],
    flags: ["--exec", `sh -c '${orphans}; sleep 0.5; echo > ${scene.folder}/ended; exec sleep 25'`],
  });
  await until(() => exists(`${scene.folder}/ended`), "the orphans to end");
  await daemon.until(() => childrenOf(daemon.pid).length === 1, "only the child to be left");
  assertEquals(await daemon.stop(), 143);
});

/** The processes whose parent it is, ended or not. */
function childrenOf(pid: number): readonly string[] {
  const { stdout } = new Deno.Command("ps", { args: ["--ppid", String(pid), "-o", "pid=,stat=,args="] }).outputSync();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}

stopping("replicate --exec says which program cannot be started", async (scene) => {
  const application = scene.application();
  insert(application, 20);
  await using daemon = scene.daemon({ flags: ["--exec", "/no/such/program --now"] });
  assertEquals(await daemon.ended(), 2);
  assertEquals(daemon.saying("Cannot "), [
    "Cannot start the program /no/such/program: there is no such program (neither at that path nor in PATH)",
  ]);
});

stopping("replicate --once ends with 0 when the replica holds everything", async (scene) => {
  const application = scene.application();
  for (let round = 0; round < 4; round++) {
    insert(application, 50);
    await using daemon = scene.daemon({ flags: ["--once"] });
    assertEquals(await daemon.ended(), 0);
    const restored = (await restoredBodies(scene)).length;
    assertEquals(restored, 50 * (round + 1));
    if (round === 2) application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }
  application.close();
  await scene.expectEqual();
});

stopping("replicate --once ends with 1 and names the replica that does not hold everything", async (scene) => {
  const application = scene.application();
  insert(application, 5);
  Deno.writeTextFileSync(`${scene.folder}/file`, "");
  await using daemon = startReplicate([
    "--once",
    scene.database,
    `file://${scene.replica}`,
    `file://${scene.folder}/file`,
  ]);
  assertEquals(await daemon.ended(), 1);
  expectRefusal(
    daemon,
    `Cannot finish replica file-2 of ${scene.database}: Cannot use ${scene.folder}/file: it is a file (expected a folder)`,
  );
  application.close();
  Deno.mkdirSync(`${scene.folder}/x`);
  await scene.expectEqual();
});

stopping("replicate --once beside a daemon ends with 0 when that one has replicated everything", async (scene) => {
  const application = scene.application();
  await using daemon = scene.daemon();
  await daemon.ready();
  for (let round = 0; round < 5; round++) {
    insert(application, 40 * round);
    if (round === 3) application.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    await using once = scene.daemon({ flags: ["--once"] });
    assertEquals(await once.ended(), 0, once.text);
    assertMatch(once.text, /Waiting until process \d+, which replicates the database already/);
    assertEquals(
      (await restoredBodies(scene)).length,
      Number(application.prepare("SELECT count(*) AS n FROM entry").get()?.["n"]),
    );
  }
  assertEquals(await daemon.stop(), 0);
  assertEquals(linesAmiss(daemon.lines), []);
  application.close();
  await scene.expectEqual();
});

stopping("replicate --once beside a daemon gives up with 75 when that one does not finish", async (scene) => {
  const application = scene.application();
  await using daemon = scene.daemon();
  await daemon.ready();
  insert(application, 5);
  await scene.replicated();
  daemon.signal("SIGSTOP");
  insert(application, 5);
  const platform = {
    clock: new SystemClock(),
    files: new DenoFileSystem(),
    random: new SystemRandom(),
    web: new SystemWeb(),
  };
  const config = databaseConfigFromArguments(scene.database, [`file://${scene.replica}`], scene.folder);
  application.close(); // Reading -shm in this process would drop its locks.
  const error = await assertRejects(() => awaitDaemonOf(platform, config, { patienceMs: 300 }), ReplicationError);
  assertEquals(error.code, "busy");
  assertEquals(
    error.message,
    `Cannot replicate ${scene.database} once: the process that replicates it did not finish within 0.3 s`,
  );
  daemon.signal("SIGCONT");
  await awaitDaemonOf(platform, config, { patienceMs: 10_000 });
  assertEquals(await daemon.stop(), 0);
  await scene.expectEqual();
});
