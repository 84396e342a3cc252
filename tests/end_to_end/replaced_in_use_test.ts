/**
 * Another file takes the database's name while an application goes on in the old one. Its `-wal` and `-shm` keep their names,
 * so that SQLite would take them for those of the new file: neither the one nor the other may be harmed, or be replicated.
 */
import { DatabaseSync } from "node:sqlite";
import { assertEquals, assertMatch, assertNotEquals } from "../support/assert.ts";
import { startOtherProcess } from "../support/other_process.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, withScene } from "./scene.ts";

const ROW = "INSERT INTO entry(body) VALUES(randomblob(2000))";

for (const isRunning of [true, false]) {
  Deno.test({
    name: `replicate, ${
      isRunning ? "running" : "stopped"
    } when a database in use is replaced, waits until nobody has it open`,
    timeout: 90_000,
    fn: () =>
      withScene(async (scene) => {
        const config = scene.config([]);
        await using old = startOtherProcess();
        await old.open(scene.database, { create: true, busyTimeoutMs: 5_000 });
        await old.runAll([
          "PRAGMA journal_mode = WAL",
          "CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)",
          ...Array(30).fill(ROW),
        ]);
        const replacement = `${scene.database}.other`;
        const other = new DatabaseSync(replacement);
        other.exec("PRAGMA journal_mode = WAL; CREATE TABLE entry(n INTEGER PRIMARY KEY, body BLOB)");
        insert(other, 60, 3_000);
        other.close();
        const content = Deno.readFileSync(replacement);

        await using first = scene.daemon();
        await first.line("Snapshot done");
        await scene.replicated();
        const before = await scene.restored();
        if (!isRunning) assertEquals(await first.stop(), 0);
        const said = first.lines.length;
        Deno.renameSync(replacement, scene.database);
        await using daemon = isRunning ? first : scene.daemon();
        const line = await daemon.line("still has the file open that had this name before", isRunning ? said : 0);
        assertMatch(line, new RegExp(`WARN .* [a-z]+ ${old.pid} still has`));
        const { code, stdout } = await runTailrace(["status", "--config", config]);
        assertNotEquals(code, 0);
        assertMatch(stdout, /^NOT SAFE/);

        await old.runAll([...Array(20).fill(ROW), "PRAGMA wal_checkpoint(PASSIVE)", ROW]);
        assertEquals(await old.run("PRAGMA integrity_check"), [["ok"]]);
        assertEquals(await old.run("SELECT count(*) FROM entry"), [[51]]);
        assertEquals(Deno.readFileSync(scene.database), content);
        assertEquals(await scene.restored(), before);

        await old.close();
        // SQLite leaves the WAL of a file that has lost its name, and would replay it into the new one.
        await daemon.line("a WAL of", isRunning ? said : 0);
        assertEquals(Deno.readFileSync(scene.database), content);
        for (const suffix of ["-shm", "-wal"]) Deno.removeSync(`${scene.database}${suffix}`);
        await daemon.line("Resynced", isRunning ? said : 0);
        const next = scene.application();
        insert(next, 5);
        assertEquals(await daemon.stop(), 0);
        assertEquals(next.prepare("SELECT count(*) AS rows FROM entry").get()?.["rows"], 65);
        next.close();
        await scene.expectEqual();
      }),
  });
}
