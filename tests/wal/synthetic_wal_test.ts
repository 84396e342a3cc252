import { DatabaseSync } from "node:sqlite";
import { formatWalHeader } from "../../lib/wal/header.ts";
import { syntheticHeader, SyntheticWal } from "../../lib/wal/synthetic_wal.ts";
import { assertEquals } from "../support/assert.ts";
import { comparePages } from "../support/database_image.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

Deno.test("SQLite replays a SyntheticWal of any pages, and cuts the database to its size", () =>
  withTemporaryFolder((folder) => {
    const path = `${folder}/app.db`;
    const db = new DatabaseSync(path);
    db.exec(`PRAGMA journal_mode = WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT i, randomblob(900) FROM n;
      PRAGMA wal_checkpoint(TRUNCATE)`);
    const before = Deno.readFileSync(path);
    db.exec(
      "DELETE FROM t WHERE a > 700; UPDATE t SET b = randomblob(900) WHERE a % 9 = 0; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)",
    );
    db.close();
    const wanted = Deno.readFileSync(path);
    const pages = wanted.length / 4_096;
    const different = comparePages(before, wanted).different.filter((page) => page <= pages);

    const header = syntheticHeader(4_096, Uint8Array.of(1, 2, 3, 4, 250, 251, 252, 253));
    const parts = [formatWalHeader(header)];
    const wal = new SyntheticWal(header, header.checksum, (_after, frames) => void parts.push(frames.slice()));
    wal.add(different[0] ?? 1, new Uint8Array(4_096).fill(9)); // A page may come more than once: the last one counts.
    for (const page of different) wal.add(page, wanted.subarray((page - 1) * 4_096, page * 4_096));
    assertEquals(wal.finish(pages).frames, different.length + 1);

    Deno.writeFileSync(path, before);
    Deno.writeFileSync(`${path}-wal`, new Uint8Array(parts.flatMap((part) => [...part])));
    const replayed = new DatabaseSync(path);
    assertEquals(replayed.prepare("SELECT count(*) AS rows FROM t").get(), { rows: 700 });
    replayed.close();
    assertEquals(comparePages(Deno.readFileSync(path), wanted).different, []);
  }));
