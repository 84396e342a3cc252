/**
 * One history of a database, from a seed: an application does what applications do, the checksum that is kept is compared
 * with one computed from scratch, then the program is away, and comes back to one of several kinds of trouble.
 */
import { equalBytes } from "../../lib/base/bytes.ts";
import type { Layout } from "../../lib/position/object_names.ts";
import { restoreWithLitestream } from "../litestream/support/real_litestream.ts";
import { sleep } from "../support/daemon.ts";
import { comparePages } from "../support/database_image.ts";
import type { OtherProcess } from "../support/other_process.ts";
import { randomInteger, seededRandom } from "../support/random.ts";
import { restoreFrom } from "../support/restore_tools.ts";
import { databaseChecksum } from "../support/xxh64.ts";
import { bytesWritten, contentOf, flipByte, forgetShadowWal, harmReplica, killDaemon, shell } from "./page_troubles.ts";
import { HEALING_MS, PATIENCE_MS, Watching } from "./watching.ts";
import { verifyAt } from "./verify_trial.ts";
import { creation, randomShape, randomStep, type Shape } from "./application_steps.ts";

/** What happens while the program is away, or to what it left. */
export const KINDS = [
  "deploy",
  "deploy without writes",
  "written, and kept open",
  "killed",
  "page flipped",
  "replica put back",
  "replica put back far",
  "replica's last object lost",
  "replica's last object cut",
  "replica's last object flipped",
  "replica's snapshot lost",
] as const;
export type Kind = typeof KINDS[number];

export interface HistoryResult {
  readonly kind: Kind;
  readonly comparisons: number;
  /** Bytes that came to the replica when the program was back. */
  readonly uploaded: number;
  readonly changedPages: number;
  readonly healedBy: "nothing" | "segments" | "resync" | "pages that changed" | "snapshot" | "new generation";
  readonly layout: Layout;
  /** By how many programs the replica was restored at last. */
  readonly readers: number;
}

export class Failed extends Error {}

/** `litestreamShare`: of the replicas in its layout, those that the real Litestream restores too. */
export async function runHistory(
  seed: number,
  kind: Kind,
  folder: string,
  application: OtherProcess,
  { litestreamShare = 0 }: { readonly litestreamShare?: number } = {},
): Promise<HistoryResult> {
  const random = seededRandom(seed);
  const shape = randomShape(random);
  const layout: Layout = random() < 0.5 ? "raw" : "litestream";
  const watching = new Watching(folder, layout);
  const history = new History(folder, shape, watching, application, litestreamShare);
  try {
    return await history.run(kind, random);
  } catch (error) {
    throw new Failed(`${error instanceof Error ? error.message : error}\n${watching.lines.slice(-12).join("\n")}`, {
      cause: error,
    });
  } finally {
    await history.end();
  }
}

class History {
  readonly #watching: Watching;
  readonly #shape: Shape;
  readonly #application: OtherProcess;
  #isApplicationOpen = false;
  #comparisons = 0;

  constructor(
    readonly folder: string,
    shape: Shape,
    watching: Watching,
    application: OtherProcess,
    readonly litestreamShare: number,
  ) {
    this.#shape = shape;
    this.#watching = watching;
    this.#application = application;
  }

  async run(kind: Kind, random: () => number): Promise<HistoryResult> {
    await this.#begin(random);
    const generation = this.#watching.database.generation();
    if (kind === "page flipped") await this.#flip(random);
    const before = await this.#watching.image();
    await this.#watching.leave();

    await this.#away(kind, random);
    const changedPages = comparePages(before, await this.#watching.image()).different.length;
    const held = contentOf(this.#watching.replica);
    const said = this.#watching.lines.length;
    await this.#watching.begin();
    await this.#watching.replicated();
    const uploaded = bytesWritten(held, contentOf(this.#watching.replica));
    const healedBy = this.#healedBy(this.#watching.lines.slice(said), uploaded);
    this.#expect(this.#watching.database.generation() === generation, "a new generation began");
    this.#judge(kind, healedBy, uploaded, changedPages);
    await this.#compare();

    const readers = await this.#goOnAndRestore(random);
    return {
      kind,
      comparisons: this.#comparisons,
      uploaded,
      changedPages,
      healedBy,
      layout: this.#watching.layout,
      readers,
    };
  }

  /** Some steps, of which the checksum is compared now and then, and a copy of the replica as it was early on. */
  async #begin(random: () => number): Promise<void> {
    await this.#open();
    await this.#application.runAll(creation(this.#shape));
    await this.#watching.begin();
    for (let i = 0, steps = 3 + randomInteger(random, 6); i < steps; i++) {
      await this.#step(random);
      if (random() < 0.5) await this.#compare();
      if (i === 2) await this.#keepReplica();
    }
    await this.#compare();
    await this.#watching.replicated();
  }

  /** As it is now, with its first snapshot. */
  async #keepReplica(): Promise<void> {
    await this.#watching.replicated();
    await this.#saidSince(0, /Snapshot done/);
    await this.#watching.leave();
    await shell(`cp -r '${this.#watching.replica}' '${this.folder}/kept'`);
    await this.#watching.begin();
  }

  #judge(kind: Kind, healedBy: HistoryResult["healedBy"], uploaded: number, changedPages: number): void {
    if (!this.#isApplicationOpen && healedBy === "resync" && !kind.startsWith("replica")) {
      const most = (changedPages + 3) * (this.#shape.pageSize + 64) + 4_096;
      this.#expect(uploaded <= most, `${uploaded} bytes were uploaded for ${changedPages} pages`);
    }
    if (kind === "deploy without writes") this.#expect(uploaded === 0, `${uploaded} bytes were uploaded for nothing`);
    if (kind === "replica's snapshot lost") this.#expect(healedBy === "snapshot", `it was healed by ${healedBy}`);
    else if (healedBy === "snapshot") this.#expect(this.#isSnapshotDue(kind), "a snapshot was made");
  }

  /** Where nearly every page changed since, a snapshot is the least that can be done. */
  #isSnapshotDue(kind: Kind): boolean {
    const reason = this.#watching.lines.findLast((line) => line.includes("Making a snapshot")) ?? "";
    return kind.startsWith("replica") && /which pages changed since is not known|less work/.test(reason);
  }

  async #goOnAndRestore(random: () => number): Promise<number> {
    if (!this.#isApplicationOpen) await this.#open();
    for (let i = 0; i < 2; i++) await this.#step(random);
    await this.#compare();
    await this.#watching.replicated();
    const image = await this.#watching.image();
    await this.#watching.leave();
    const restored = `${this.folder}/restored.db`;
    const { checksum } = await restoreFrom(this.#watching.store, restored);
    this.#expect(checksum === "equal", "the restore had no checksum to compare with");
    this.#expectEqual(image, restored, "restored");
    await this.#expectProven();
    if (this.#watching.layout === "raw" || random() >= this.litestreamShare) return 1;
    const byLitestream = `${this.folder}/litestream.db`;
    const { code, stderr } = await restoreWithLitestream(this.#watching.replica, byLitestream);
    this.#expect(code === 0, `Litestream restores nothing: ${stderr}`);
    this.#expectEqual(image, byLitestream, "Litestream restored");
    return 2;
  }

  /** What was harmed may have left a gap; every state that is there is the source's. */
  async #expectProven(): Promise<void> {
    const scratch = `${this.folder}/scratch`;
    Deno.mkdirSync(scratch, { recursive: true });
    const { findings } = await verifyAt({ root: this.#watching.replica, layout: this.#watching.layout }, scratch);
    const wrong = findings.filter(({ rung }) => rung === "intact" || rung === "equal");
    this.#expect(wrong.length === 0, `verify says: ${wrong.map(({ problem }) => problem).join("; ")}`);
  }

  #expectEqual(image: Uint8Array, path: string, who: string): void {
    const { different } = comparePages(image, Deno.readFileSync(path));
    this.#expect(different.length === 0, `${who} other pages: ${different.slice(0, 10)}`);
  }

  async end(): Promise<void> {
    await this.#watching.leave();
    if (this.#isApplicationOpen) await this.#application.close();
  }

  #expect(condition: boolean, otherwise: string): void {
    if (!condition) throw new Error(otherwise);
  }

  async #open(): Promise<void> {
    await this.#application.open(this.#watching.path, { create: true, busyTimeoutMs: 5_000 });
    this.#isApplicationOpen = true;
    await this.#application.run("PRAGMA wal_autocheckpoint = 0");
  }

  async #close(): Promise<void> {
    await this.#application.close();
    this.#isApplicationOpen = false;
  }

  async #step(random: () => number): Promise<void> {
    await this.#application.runAll(randomStep(random, this.#shape));
  }

  /** The checksum that is kept is that of the database as it is. */
  async #compare(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const { checksum } = await this.#watching.captured();
      if (checksum !== undefined) {
        const image = await this.#watching.image();
        const computed = databaseChecksum(image, this.#shape.pageSize);
        this.#expect(equalBytes(checksum, computed), "the checksum that is kept is not that of the database");
        this.#comparisons++;
        return;
      }
      this.#expect(performance.now() < deadline, "the page table is never known");
      await sleep(HEALING_MS);
    }
  }

  async #away(kind: Kind, random: () => number): Promise<void> {
    const place = {
      folder: this.folder,
      database: this.#watching.path,
      replica: this.#watching.replica,
      layout: this.#watching.layout,
    };
    const isIdle = kind === "deploy without writes" || kind === "page flipped";
    for (let i = 0, steps = isIdle ? 0 : 1 + randomInteger(random, 3); i < steps; i++) await this.#step(random);
    if (kind === "written, and kept open") return;
    if (kind.startsWith("replica put back")) {
      await shell(`rm -r '${this.#watching.replica}' && cp -r '${this.folder}/kept' '${this.#watching.replica}'`);
      if (kind === "replica put back far") forgetShadowWal(place);
    }
    if (kind.startsWith("replica's")) harmReplica(kind, random, place);
    if (!kind.startsWith("replica") || random() < 0.5) await this.#close();
    if (kind !== "killed") return;
    for (let kills = 1 + randomInteger(random, 2); kills > 0; kills--) await killDaemon(random, place);
  }

  /** The scrub finds a page that was flipped behind everybody's back, names it, and has it resynced. */
  async #flip(random: () => number): Promise<void> {
    await this.#application.run("PRAGMA wal_checkpoint(TRUNCATE)");
    await this.#watching.replicated();
    const page = 2 + randomInteger(random, Deno.statSync(this.#watching.path).size / this.#shape.pageSize - 1);
    const at = (page - 1) * this.#shape.pageSize + randomInteger(random, this.#shape.pageSize);
    // And flipped back: nobody could go on with what a flipped bit means to SQLite.
    for (let flips = 0; flips < 2; flips++) {
      const said = this.#watching.lines.length;
      await flipByte(this.folder, this.#watching.path, at);
      // Where the watch looked between the write and the time's being put back, the time has told already.
      await this.#saidSince(
        said,
        new RegExp(` ERROR .*page ${page} of the database file| WARN .* overwritten in place`),
      );
      await this.#saidSince(said, /Resynced/);
      await this.#watching.replicated();
    }
  }

  async #saidSince(lines: number, wanted: RegExp): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!this.#watching.lines.slice(lines).some((line) => wanted.test(line))) {
      this.#expect(performance.now() < deadline, `no line says ${wanted}`);
      await sleep(HEALING_MS);
    }
  }

  #healedBy(lines: readonly string[], uploaded: number): HistoryResult["healedBy"] {
    const says = (text: string) => lines.some((line) => line.includes(text));
    if (says("A new generation begins")) return "new generation";
    if (says("Making a snapshot")) return "snapshot";
    if (says("Caught up")) return "pages that changed";
    if (says("Resynced")) return "resync";
    return uploaded > 0 ? "segments" : "nothing";
  }
}
