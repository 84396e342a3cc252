import { DatabaseSync } from "node:sqlite";

/** A database whose rows are `old 1` and `old 2`, of which the second is only in the -wal. */
export function oldDatabaseWithWal(path: string): void {
  const source = `${path}.source`;
  const database = new DatabaseSync(source);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES('old 1')");
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.exec("INSERT INTO t VALUES('old 2')");
  for (const suffix of ["", "-wal"]) Deno.writeFileSync(`${path}${suffix}`, Deno.readFileSync(`${source}${suffix}`));
  database.close();
  Deno.removeSync(source);
}

/** The same rows, with a transaction half written into the file and a -journal that takes it back. */
export function oldDatabaseWithJournal(path: string): void {
  const source = `${path}.source`;
  const database = new DatabaseSync(source);
  database.exec("PRAGMA journal_mode = DELETE; CREATE TABLE t(x); INSERT INTO t VALUES('old 1'), ('old 2')");
  database.exec("PRAGMA cache_size = 1; BEGIN; UPDATE t SET x = 'half'; CREATE TABLE big(x)");
  for (let i = 0; i < 200; i++) database.exec("INSERT INTO big VALUES(randomblob(4000))");
  for (const suffix of ["", "-journal"]) {
    Deno.writeFileSync(`${path}${suffix}`, Deno.readFileSync(`${source}${suffix}`));
  }
  database.close();
  Deno.removeSync(source);
}

export function newDatabase(path: string): void {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES('new')");
  database.close();
}
