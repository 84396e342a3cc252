/**
 * The WAL that a restore has replayed, and so has proven frame by frame: it need not be read again. Its records are compared
 * with it on the way, those of one index at a time.
 */
import { nameObject, type ObjectHome } from "../position/object_names.ts";
import type { Generation } from "../position/generation.ts";
import type { Index } from "../position/position.ts";
import type { WalChunk } from "../restore/wal_chunks.ts";
import type { CommitRecord } from "../store/commit_record.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import { describeRecord, recordProblem } from "./record_check.ts";
import type { Finding } from "./report.ts";

interface Replayed {
  from: number;
  to: number;
  readonly findings: Finding[];
}

export class ReplayedWal {
  readonly #store: GenerationStore;
  readonly #indexes = new Map<string, Replayed>();
  #records: { readonly key: string; readonly records: readonly CommitRecord[] } | undefined;

  constructor(store: GenerationStore) {
    this.#store = store;
  }

  async observe(generation: Generation, { step, at, frames, count }: WalChunk): Promise<void> {
    const key = `${generation}/${step.index}`;
    if (this.#records?.key !== key) {
      this.#records = { key, records: await this.#store.records(generation, step.index) };
    }
    const replayed = this.#indexes.get(key) ?? { from: at, to: step.to, findings: [] };
    this.#indexes.set(key, replayed);
    replayed.from = Math.min(replayed.from, at);
    const size = frames.length / count;
    const end = at + frames.length;
    for (const record of this.#records.records) {
      if (record.end <= at || record.end > end) continue;
      const problem = recordProblem(record, frames, at, size);
      if (problem !== undefined) {
        replayed.findings.push({ rung: "intact", code: "corrupt", problem: describeRecord(step.index, problem) });
      }
    }
  }

  /** What was replayed of an index, and what was wrong with its records; undefined when nothing was. */
  of(home: ObjectHome & { readonly generation: Generation }, index: Index) {
    const replayed = this.#indexes.get(`${home.generation}/${index}`);
    if (replayed === undefined) return undefined;
    const named = replayed.findings.map((finding) => ({
      ...finding,
      problem: `${nameObject(home, index, "wal")}, ${finding.problem}`,
    }));
    return { from: replayed.from, to: replayed.to, findings: named };
  }
}
