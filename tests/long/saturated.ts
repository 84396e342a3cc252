/**
 * Three processes commit one-row transactions without a pause. At the end every commit that was reported is in the restored
 * database, and it is the source page by page.
 *
 *     deno task test:long saturated [--seconds N] [--layout raw|litestream]
 */
import { DatabaseSync } from "node:sqlite";
import type { Layout } from "../../lib/position/object_names.ts";
import { comparePages, databaseImage } from "../support/database_image.ts";
import { startDaemon, tailrace } from "./programs.ts";

export async function saturated(seconds: number, processes: number, layout: Layout): Promise<number> {
  const folder = Deno.makeTempDirSync({ prefix: "tailrace-saturated-" });
  const database = `${folder}/app.db`;
  const db = new DatabaseSync(database);
  db.exec("PRAGMA journal_mode = WAL; CREATE TABLE ledger(writer TEXT, n INTEGER, payload BLOB)");
  db.close();
  const config = `${folder}/tailrace.yml`;
  const replicas = `[{path: ${folder}/replica, layout: ${layout}}]`;
  Deno.writeTextFileSync(config, `dbs: [{path: ${database}, replicas: ${replicas}}]\n`);
  const daemon = startDaemon(["--config", config]);
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
  const objects = countWal(`${folder}/replica/generations`);
  const good = found === total && result.different.length === 0 && generations === 1;
  console.log(
    `saturated, ${layout}: ${processes} processes, ${seconds} s, ${total} commits reported, ${found} restored, ` +
      `${objects} WAL objects, ` +
      `${generations} generation, ${result.pages} pages ${result.different.length === 0 ? "equal" : "DIFFERENT"}`,
  );
  if (good) Deno.removeSync(folder, { recursive: true });
  return good ? 0 : 1;
}

function countWal(folder: string): number {
  let count = 0;
  for (const { name } of Deno.readDirSync(folder)) {
    count += [...Deno.readDirSync(`${folder}/${name}/wal`)].filter(({ name }) => /\.wal(\.lz4)?$/.test(name)).length;
  }
  return count;
}
