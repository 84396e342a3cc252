/**
 * Three processes commit one-row transactions without a pause. At the end every commit that was reported is in the restored
 * database, and it is the source page by page.
 *
 *     deno task test:long saturated [--seconds N]
 */
import { DatabaseSync } from "node:sqlite";
import { comparePages, databaseImage } from "../support/database_image.ts";
import { startDaemon, tailrace } from "./programs.ts";

export async function saturated(seconds: number, processes: number): Promise<number> {
  const folder = Deno.makeTempDirSync({ prefix: "tailrace-saturated-" });
  const database = `${folder}/app.db`;
  const db = new DatabaseSync(database);
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE ledger(writer TEXT, n INTEGER, payload BLOB)");
  db.close();
  const daemon = startDaemon([database, `file://${folder}/replica`]);
  const writers = Array.from({ length: processes }, (_, i) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", new URL("../support/writer.ts", import.meta.url).pathname, database]
        .concat(["--seconds", String(seconds), "--seed", String(i + 1), "--name", `writer-${i}`]),
      stdout: "piped",
    }).output());
  const reported = (await Promise.all(writers)).map(({ stdout }) => Number(new TextDecoder().decode(stdout)));
  const code = await daemon.kill("SIGTERM");
  const copy = `${folder}/restored.db`;
  const restored = await tailrace("restore", "-o", copy, `file://${folder}/replica`);
  if (code !== 0 || restored.code !== 0) {
    console.log(
      `FAILED: daemon ${code}, restore ${restored.code}\n${daemon.lines().slice(-10).join("\n")}\n${restored.stderr}`,
    );
    return 1;
  }
  const result = comparePages(databaseImage(database, `${folder}/image`), Deno.readFileSync(copy));
  const found = new DatabaseSync(copy, { readOnly: true }).prepare("SELECT count(*) AS n FROM ledger").get()?.["n"];
  const total = reported.reduce((sum, n) => sum + n, 0);
  const generations = [...Deno.readDirSync(`${folder}/replica/generations`)].length;
  const indexes = countWal(`${folder}/replica/generations`);
  const good = found === total && result.different.length === 0 && generations === 1;
  console.log(
    `saturated: ${processes} processes, ${seconds} s, ${total} commits reported, ${found} restored, ${indexes} indexes, ` +
      `${generations} generation, ${result.pages} pages ${result.different.length === 0 ? "equal" : "DIFFERENT"}`,
  );
  if (good) Deno.removeSync(folder, { recursive: true });
  return good ? 0 : 1;
}

function countWal(folder: string): number {
  let count = 0;
  for (const { name } of Deno.readDirSync(folder)) {
    count += [...Deno.readDirSync(`${folder}/${name}/wal`)].filter((entry) => entry.name.endsWith(".wal")).length;
  }
  return count;
}
