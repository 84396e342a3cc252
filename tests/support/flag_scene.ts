/** A folder in which every flag of every command has something to act on. */
import { DatabaseSync } from "node:sqlite";
import { EPOCH_MS, ReplicaBuilder } from "./replica_builder.ts";
import { imageOf, WalBuilder } from "./wal_builder.ts";
import { databaseChecksum } from "./xxh64.ts";

/** The older and the newer generation of both replicas. */
export const OLD = "00000000000000aa";
export const NEW = "00000000000000bb";

const PAGE = 4096;
const INDEXES = 4;

/**
 * `app.db` with the replicas `near` and `far`, each of two generations, the older of two indexes and several points;
 * the config `c.yml` names them by the variable `SCENE`. `there.db` is a database already, `empty` a replica not begun.
 * `app.db` is one that SQLite opens where it `isReal`.
 */
export async function buildFlagScene(folder: string, isReal: boolean): Promise<void> {
  for (const name of ["near", "far"]) {
    await generation(`${folder}/${name}`, OLD, EPOCH_MS);
    await generation(`${folder}/${name}`, NEW, EPOCH_MS + 60_000);
  }
  for (const name of ["empty", "scratch", "tmp"]) Deno.mkdirSync(`${folder}/${name}`);
  Deno.writeTextFileSync(`${folder}/there.db`, "something");
  if (isReal) makeDatabase(`${folder}/app.db`);
  else Deno.writeTextFileSync(`${folder}/app.db`, "");
  const replicas = ["near", "far"].map((name) => `      - name: ${name}\n        path: \${SCENE}/${name}\n`).join("");
  Deno.writeTextFileSync(`${folder}/c.yml`, `dbs:\n  - path: \${SCENE}/app.db\n    replicas:\n${replicas}`);
}

function makeDatabase(path: string): void {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES (1)");
  database.close();
}

async function generation(root: string, generation: string, startMs: number): Promise<void> {
  const replica = new ReplicaBuilder(root, { generation, startMs });
  await replica.snapshot(0, 0, imageOf(PAGE, 1, 2));
  let pages: [number, number] = [1, 2];
  for (let index = 0; index < INDEXES; index++) {
    const wal = new WalBuilder();
    const commits = [10, 20].map((fill) => {
      pages = [fill + index, pages[1]];
      const checksum = databaseChecksum(imageOf(PAGE, ...pages), PAGE);
      return { end: wal.commit(2, [1, fill + index]), databasePages: 2, checksum };
    });
    await replica.wal(index, wal.bytes(), ...commits);
    if (index < INDEXES - 1) await replica.close(index);
    if (index === 0) await replica.snapshot(1, 0, imageOf(PAGE, ...pages));
  }
}

/**
 * Another folder like it, for a run that may change it; everything was written when the first record was. For one that makes and
 * removes files, and writes into none that is there, links will do, and take a tenth of the time.
 */
export function copyFlagScene(from: string, to: string, isLinked: boolean): void {
  Deno.mkdirSync(to);
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    const [source, copy] = [`${from}/${name}`, `${to}/${name}`];
    if (isDirectory) copyFlagScene(source, copy, isLinked);
    else {
      if (isLinked) Deno.linkSync(source, copy);
      else Deno.copyFileSync(source, copy);
      Deno.utimeSync(copy, new Date(EPOCH_MS), new Date(EPOCH_MS));
    }
  }
}

/** Every file with its size, by path. */
export function filesBelow(folder: string, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory
      ? filesBelow(`${folder}/${name}`, `${prefix}${name}/`)
      : [`${prefix}${name} of ${Deno.statSync(`${folder}/${name}`).size}`]
  ).sort();
}
