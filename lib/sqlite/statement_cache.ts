const KEPT_MAX = 32;

/**
 * The kinds of statement that are run again and again and do all their work when they run. Most PRAGMAs do it while they
 * are compiled: a kept one would set or show nothing new.
 */
const KEPT = new RegExp(
  String.raw`^(?:(?:BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE|SELECT)\b` +
    String.raw`|PRAGMA\s+(?:wal_checkpoint(?:\s*\(\w+\))?|data_version|user_version|schema_version|page_count)\s*;?$)`,
  "i",
);

/** The compiled statements of one connection by their text. Whoever runs one leaves it reset: a statement that is not holds a read lock. */
export class StatementCache<Statement> {
  readonly #kept = new Map<string, Statement>();
  readonly #compile: (sql: string) => Statement;
  readonly #finalize: (statement: Statement) => void;

  constructor(compile: (sql: string) => Statement, finalize: (statement: Statement) => void) {
    this.#compile = compile;
    this.#finalize = finalize;
  }

  use<Result>(sql: string, work: (statement: Statement) => Result): Result {
    const kept = this.#kept.get(sql);
    if (kept !== undefined) return work(kept);
    const statement = this.#compile(sql);
    if (KEPT.test(sql)) {
      this.#keep(sql, statement);
      return work(statement);
    }
    try {
      return work(statement);
    } finally {
      this.#finalize(statement);
    }
  }

  clear(): void {
    for (const statement of this.#kept.values()) this.#finalize(statement);
    this.#kept.clear();
  }

  #keep(sql: string, statement: Statement): void {
    if (this.#kept.size >= KEPT_MAX) this.#dropOldest();
    this.#kept.set(sql, statement);
  }

  #dropOldest(): void {
    for (const [sql, statement] of this.#kept) {
      this.#kept.delete(sql);
      this.#finalize(statement);
      return;
    }
  }
}
