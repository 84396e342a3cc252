/**
 * One database, from a seed, and a program that is away again and again: meanwhile the application commits, checkpoints in
 * every mode, cuts the WAL near the end of what was captured, closes, kills, or finds earlier copies put back or the database
 * file written in place. Each time the program is back, what is restored must be the live database, byte for byte.
 *
 *     deno task test:away [--histories N] [--seed N] [--lanes N]
 */
import { option } from "../../scripts/project.ts";
import { FRAME_HEADER_SIZE, FRAME_SALT_AT, frameSize, PAGE_NUMBER_AT } from "../../lib/wal/frame.ts";
import { WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { comparePages } from "../support/database_image.ts";
import { type OtherProcess, startOtherProcess } from "../support/other_process.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { creation, randomStep } from "./application_steps.ts";
import { shell } from "./page_troubles.ts";
import { Watching } from "./watching.ts";

const PAGE_SIZE = 4_096;
const SALTS_AT = 16;
const MARKS = 40;
const MODES = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] as const;
const SHAPE = { pageSize: PAGE_SIZE, autoVacuum: 0, rows: 20 } as const;

type Action = (away: Away) => Promise<string>;

/** What happens while nobody watches; the weight is how often it is named. */
const ACTIONS: readonly Action[] = [
  async (away) => `mark ${await away.mark()}`,
  async (away) => `mark ${await away.mark()}`,
  async (away) => `mark ${await away.mark()}`,
  async (away) => `checkpoint ${await away.checkpoint()}`,
  async (away) => `checkpoint ${await away.checkpoint()}`,
  async (away) => `limit ${await away.limit()}`,
  async (away) => `limit ${await away.limit()}`,
  (away) => away.cut(),
  (away) => away.cut(),
  (away) => away.step(),
  (away) => away.closeAndOpen(),
  (away) => away.keepCopy(),
  (away) => away.putBack(),
  (away) => away.rollBack(),
  (away) => away.writeInPlace(),
  (away) => away.writeInPlace(),
];

export interface AwayResult {
  readonly rounds: number;
  /** How the history went on, of each round. */
  readonly reasons: readonly string[];
}

/** Throws when what is restored is not the database, with what was done. */
export async function runAway(seed: number, folder: string, application: OtherProcess): Promise<AwayResult> {
  const random = seededRandom(seed);
  const watching = new Watching(folder, random() < 0.7 ? "raw" : "litestream");
  const away = new Away(watching, application, random);
  try {
    return await away.run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error([message, ...away.told, ...watching.lines.slice(-8)].join("\n"), { cause: error });
  } finally {
    await watching.leave();
    await application.close().catch(() => {}); // It may be closed.
  }
}

class Away {
  readonly told: string[] = [];
  readonly #watching: Watching;
  readonly #application: OtherProcess;
  readonly #random: () => number;
  #capturedBytes = 0;
  #hasCopy = false;

  constructor(watching: Watching, application: OtherProcess, random: () => number) {
    this.#watching = watching;
    this.#application = application;
    this.#random = random;
  }

  async run(): Promise<AwayResult> {
    await this.#open();
    await this.#application.runAll([
      ...creation(SHAPE),
      "CREATE TABLE mark(n INTEGER PRIMARY KEY, body BLOB)",
      // A page each, so that a mark changes one page that nothing else touches.
      ...Array.from({ length: MARKS }, (_, n) => `INSERT INTO mark VALUES(${n}, randomblob(${PAGE_SIZE - 500}))`),
    ]);
    if (this.#random() < 0.5) await this.#application.run("PRAGMA wal_checkpoint(RESTART)");
    const reasons: string[] = [];
    const rounds = 3 + randomInteger(this.#random, 3);
    for (let round = 0; round < rounds; round++) {
      const said = this.#watching.lines.length;
      await this.#watching.begin();
      await this.#watching.replicated();
      reasons.push(this.#wentOn(this.#watching.lines.slice(said).join("\n")));
      this.told.push(`back: ${reasons.at(-1)}`);
      await this.#compare(round);
      if (this.#random() < 0.7) await this.mark();
      await this.#watching.replicated();
      this.#capturedBytes = this.#watching.database.position()?.offset ?? 0;
      await this.#watching.leave();
      for (let i = 0, actions = randomInteger(this.#random, 7); i < actions; i++) {
        this.told.push(await this.#any(ACTIONS)(this));
      }
    }
    return { rounds, reasons };
  }

  async mark(): Promise<number> {
    const n = randomInteger(this.#random, MARKS);
    const blob = `randomblob(${PAGE_SIZE - 500})`;
    await this.#application.run(`UPDATE mark SET body = ${blob} WHERE n = ${n}`);
    return n;
  }

  async checkpoint(): Promise<string> {
    const mode = this.#any(MODES);
    await this.#application.run(`PRAGMA wal_checkpoint(${mode})`);
    return mode;
  }

  async limit(): Promise<number> {
    const frame = frameSize(PAGE_SIZE);
    const near = this.#any([0, 0, 0, -1, 1, FRAME_HEADER_SIZE, FRAME_HEADER_SIZE + 1, frame, -frame, frame - 1]);
    const bytes = this.#random() < 0.8 ? Math.max(WAL_HEADER_SIZE, this.#capturedBytes + near) : -1;
    await this.#application.run(`PRAGMA journal_size_limit = ${bytes}`);
    return bytes - this.#capturedBytes;
  }

  /** A transaction that nothing else tells of, once the life that it stands in is cut off behind what was captured. */
  async cut(): Promise<string> {
    const marks = [await this.mark()];
    await this.#application.run(`PRAGMA wal_checkpoint(${this.#any(["PASSIVE", "FULL", "RESTART"])})`);
    const limit = await this.limit();
    marks.push(await this.mark());
    return `cut ${limit} from the captured end, marks ${marks}`;
  }

  async step(): Promise<string> {
    const statements = randomStep(this.#random, SHAPE);
    await this.#application.runAll(statements);
    return statements.join("; ");
  }

  async closeAndOpen(): Promise<string> {
    await this.#application.close();
    await this.#open();
    return "closed and opened";
  }

  /** Of a database that somebody may have open: nobody checkpoints meanwhile. */
  async keepCopy(): Promise<string> {
    const { folder, path } = this.#watching;
    await shell(
      `mkdir -p '${folder}/kept' && rm -f '${folder}/kept/'* && cp '${path}' '${folder}/kept/'; ` +
        `[ ! -e '${path}-wal' ] || cp '${path}-wal' '${folder}/kept/'`,
    );
    this.#hasCopy = true;
    return "copied";
  }

  async putBack(): Promise<string> {
    if (!this.#hasCopy) return "nothing to put back";
    const { folder, path } = this.#watching;
    await this.#application.close();
    await shell(`rm -f '${path}-wal' '${path}-shm' && cp '${folder}/kept/'app.db* '${folder}/'`);
    await this.#open();
    return "put back";
  }

  async rollBack(): Promise<string> {
    await this.#application.runAll([
      "PRAGMA cache_size = 5",
      "BEGIN",
      `UPDATE mark SET body = randomblob(${PAGE_SIZE - 500})`,
      "ROLLBACK",
      "PRAGMA cache_size = 500",
    ]);
    return "rolled back";
  }

  /**
   * A page of one row becomes another, past SQLite; the time of modification may stay what it was. None of which the WAL has
   * a frame: once all frames are in the file SQLite reads it from there, and after a crash from the WAL.
   */
  async writeInPlace(): Promise<string> {
    const { path } = this.#watching;
    const inWal = pagesInWal(`${path}-wal`);
    using file = Deno.openSync(path, { read: true, write: true });
    const { mtime, size } = file.statSync();
    const page = new Uint8Array(PAGE_SIZE);
    const pages = size / PAGE_SIZE;
    const first = randomInteger(this.#random, pages);
    for (let i = 0; i < pages; i++) {
      const at = ((first + i) % pages) * PAGE_SIZE;
      file.seekSync(at, Deno.SeekMode.Start);
      file.readSync(page);
      if (!isPageOfOneRow(page) || inWal.has(at / PAGE_SIZE + 1)) continue;
      file.seekSync(at + PAGE_SIZE / 2, Deno.SeekMode.Start);
      file.writeSync(crypto.getRandomValues(new Uint8Array(4)));
      const isHidden = mtime !== null && this.#random() < 0.5;
      if (isHidden) await Deno.utime(path, mtime, mtime);
      return `page ${at / PAGE_SIZE + 1} written in place${isHidden ? ", time put back" : ""}`;
    }
    return "no page to write in place";
  }

  async #open(): Promise<void> {
    await this.#application.open(this.#watching.path, { create: true, busyTimeoutMs: 5_000 });
    await this.#application.runAll(["PRAGMA wal_autocheckpoint = 0", "PRAGMA synchronous = OFF"]);
  }

  async #compare(round: number): Promise<void> {
    const image = await this.#watching.image();
    const restored = `${this.#watching.folder}/restored-${round}.db`;
    await restoreFrom(this.#watching.store, restored);
    const { different } = comparePages(image, Deno.readFileSync(restored));
    if (different.length > 0) throw new Error(`restored other pages: ${different.slice(0, 10)}`);
  }

  #wentOn(lines: string): string {
    const reason = /(?:Resynced|A new generation begins) .*?reason="([^"]*)"/.exec(lines)?.[1];
    return reason ?? "continued";
  }

  #any<T>(all: readonly T[]): T {
    return all[randomInteger(this.#random, all.length)] as T;
  }
}

/** Those of the frames that have the salts of the header: what stands behind them is of an earlier life. */
function pagesInWal(path: string): ReadonlySet<number> {
  const pages = new Set<number>();
  try {
    const view = new DataView(Deno.readFileSync(path).buffer);
    for (let at = WAL_HEADER_SIZE; at + frameSize(PAGE_SIZE) <= view.byteLength; at += frameSize(PAGE_SIZE)) {
      if (view.getBigUint64(at + FRAME_SALT_AT) !== view.getBigUint64(SALTS_AT)) break;
      pages.add(view.getUint32(at + PAGE_NUMBER_AT));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return pages;
}

/** A leaf of a table with one cell, which fills most of it. */
function isPageOfOneRow(page: Uint8Array): boolean {
  const view = new DataView(page.buffer);
  return page[0] === 13 && view.getUint16(3) === 1 && view.getUint16(5) < PAGE_SIZE / 4;
}

async function main(): Promise<void> {
  const histories = Number(option("histories") ?? 200);
  const first = Number(option("seed") ?? Math.floor(performance.timeOrigin) % 100_000);
  const counts = new Map<string, number>();
  let [next, failures] = [0, 0];
  const lane = async () => {
    await using application = startOtherProcess();
    while (next < histories) {
      const seed = first + next++;
      const folder = Deno.makeTempDirSync({ prefix: "tailrace-away-" });
      try {
        const { reasons } = await runAway(seed, folder, application);
        for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
        Deno.removeSync(folder, { recursive: true });
      } catch (error) {
        failures++;
        console.log(`seed ${seed}: ${error instanceof Error ? error.message : error}\n  kept in ${folder}`);
      }
    }
  };
  await Promise.all(Array.from({ length: Number(option("lanes") ?? 2) }, lane));
  for (const [reason, count] of [...counts].sort((a, b) => b[1] - a[1])) console.log(`${count} times: ${reason}`);
  console.log(`${histories} histories from seed ${first} on, ${failures} failures`);
  Deno.exit(failures === 0 ? 0 : 1);
}

if (import.meta.main) await main();
