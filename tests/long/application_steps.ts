/** What applications do to a database, by chance: the statements of one step. */
import { randomInteger } from "../support/random.ts";

const MODES = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] as const;

export interface Shape {
  readonly pageSize: number;
  readonly autoVacuum: 0 | 1 | 2;
  readonly rows: number;
}

export function randomShape(random: () => number): Shape {
  const pageSize = [512, 1_024, 4_096, 4_096, 4_096, 8_192, 65_536][randomInteger(random, 7)] ?? 4_096;
  const autoVacuum = ([0, 0, 1, 2] as const)[randomInteger(random, 4)] ?? 0;
  return { pageSize, autoVacuum, rows: 5 + randomInteger(random, 60) };
}

export function creation({ pageSize, autoVacuum, rows }: Shape): string[] {
  return [
    `PRAGMA page_size = ${pageSize}`,
    `PRAGMA auto_vacuum = ${autoVacuum}`,
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = OFF",
    "PRAGMA wal_autocheckpoint = 0",
    "CREATE TABLE entry(n INTEGER PRIMARY KEY, kind INTEGER, body BLOB)",
    "CREATE INDEX by_kind ON entry(kind)",
    insertion(rows, 900),
  ];
}

function insertion(rows: number, bytes: number): string {
  return `WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ${rows})
    INSERT INTO entry(kind, body) SELECT abs(random()) % 50, randomblob(${bytes}) FROM c`;
}

/** Committed or not, every step leaves no transaction open. */
export function randomStep(random: () => number, { pageSize }: Shape): string[] {
  const rows = 1 + randomInteger(random, 30);
  const bytes = 1 + randomInteger(random, 3 * Math.min(pageSize, 4_096));
  const part = 2 + randomInteger(random, 6);
  const rest = randomInteger(random, part);
  switch (randomInteger(random, 14)) {
    case 0:
    case 1:
    case 2:
      return [insertion(rows, bytes)];
    case 3:
    case 4:
      return [`UPDATE entry SET body = randomblob(${bytes}) WHERE n % ${part} = ${rest}`];
    case 5:
    case 6:
      return [`DELETE FROM entry WHERE n % ${part} = ${rest}`];
    case 7:
      return ["VACUUM"];
    case 8:
      return [`PRAGMA incremental_vacuum(${rows})`];
    case 9: // Larger than its cache: frames of an open transaction reach the WAL.
      return ["PRAGMA cache_size = 5", "BEGIN", insertion(100, bytes), "UPDATE entry SET kind = kind + 1", "COMMIT"];
    case 10:
      return ["PRAGMA cache_size = 5", "BEGIN", insertion(100, bytes), "ROLLBACK"];
    case 11:
      return [
        "BEGIN",
        insertion(rows, 200),
        "SAVEPOINT s",
        "DELETE FROM entry",
        "ROLLBACK TO s",
        "RELEASE s",
        "COMMIT",
      ];
    case 12:
      return [
        `CREATE TABLE IF NOT EXISTS extra(a, b)`,
        `INSERT INTO extra VALUES(1, randomblob(${bytes}))`,
        "DROP TABLE extra",
      ];
    default:
      return [`PRAGMA wal_checkpoint(${MODES[randomInteger(random, MODES.length)]})`];
  }
}
