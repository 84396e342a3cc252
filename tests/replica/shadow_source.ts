/** A source of replicators without a database: a shadow WAL that the test fills, and an image that it gives. */
import { Notifier } from "../../lib/base/notifier.ts";
import { FileShadowReader } from "../../lib/database/shadow_reader.ts";
import { ShadowWal } from "../../lib/database/shadow_wal.ts";
import type { DatabaseSource, ShadowClaim, ShadowReader, WalMark } from "../../lib/database/source.ts";
import type { Generation } from "../../lib/position/generation.ts";
import type { Index, Offset, Position } from "../../lib/position/position.ts";
import type { CommitRecord } from "../../lib/store/commit_record.ts";
import type { SnapshotImage } from "../../lib/store/generation_store.ts";
import { capture, PAGE_SIZE, type ShadowStage } from "../database/shadow_stage.ts";
import { imageOf } from "../support/wal_builder.ts";

const IMAGE_PAGES = 50;

export class ShadowSource implements DatabaseSource {
  readonly path = "/data/app.db";
  readonly stage: ShadowStage;
  readonly #changes = new Notifier();
  readonly #places: string[] = [];
  shadow: ShadowWal;
  pauses = 0;
  images = 0;
  readonly begun: string[] = [];
  latestMs = -1;
  readonly memories = new Map<string, string>();
  /** Runs in the middle of an image; what it throws breaks the image off. */
  duringImage: () => void = () => {};
  /** When everything is captured. */
  nowMs: () => number = () => 1_000;

  constructor(stage: ShadowStage) {
    this.stage = stage;
    this.shadow = stage.create();
  }

  capture(wal: Uint8Array, frames: number): void {
    capture(this.shadow, wal, frames, this.nowMs());
    this.#changes.notify();
  }

  closeIndex(): void {
    this.shadow.closeIndex(this.nowMs());
    this.#changes.notify();
  }

  changed(): Promise<void> {
    return this.#changes.next();
  }

  generation(): Generation | undefined {
    return this.shadow.generation;
  }

  position(): Position {
    return { generation: this.shadow.generation, index: this.shadow.index, offset: this.shadow.offset };
  }

  oldestIndex(): Index {
    return this.shadow.oldestIndex();
  }

  markAt(index: Index, offset: Offset): WalMark | undefined {
    return this.shadow.markAt(index, offset);
  }

  endsInResync(index: Index): boolean {
    return this.shadow.endsInResync(index);
  }

  changesSince(): undefined {
    return undefined;
  }

  openReader(position: Position): ShadowReader {
    return new FileShadowReader(this.stage.files, () => this.shadow, position);
  }

  image(): SnapshotImage {
    const bytes = imageOf(PAGE_SIZE, ...Array.from({ length: IMAGE_PAGES }, (_, page) => page));
    const written = () => {
      const { index, offset } = this.position();
      const record: CommitRecord = {
        kind: "snapshot",
        pageSize: PAGE_SIZE,
        start: offset,
        end: offset,
        capturedAtMs: this.nowMs(),
        databasePages: IMAGE_PAGES,
        capturedLate: false,
        indexClosed: false,
      };
      return { index, stateIndex: index, record, sizeBytes: bytes.length };
    };
    return {
      writeTo: async (target) => {
        this.images++;
        await target.writeAt(bytes.subarray(0, 5 * PAGE_SIZE), 0);
        this.duringImage();
        await target.writeAt(bytes.subarray(5 * PAGE_SIZE), 5 * PAGE_SIZE);
        return written();
      },
      stream: () => {
        this.images++;
        const { index } = this.position();
        const pieces = [bytes.subarray(0, 5 * PAGE_SIZE), bytes.subarray(5 * PAGE_SIZE)];
        return Promise.resolve({
          index,
          next: () => {
            if (pieces.length === 1) this.duringImage();
            return Promise.resolve(pieces.shift() ?? new Uint8Array(0));
          },
          end: () => Promise.resolve({ ...written(), index }),
        });
      },
    };
  }

  claim(): ShadowClaim {
    return { need: () => {}, release: () => {} };
  }

  pauseCheckpoints(): () => void {
    this.pauses++;
    return () => this.pauses--;
  }

  startGeneration(reason: string): Promise<void> {
    this.begun.push(reason);
    this.shadow.close();
    const generation = `${this.begun.length}`.padStart(16, "f") as Generation;
    this.shadow = ShadowWal.create(this.stage.files, this.stage.folder, generation, this.latestMs);
    this.#changes.notify();
    return Promise.resolve();
  }

  wasReplicatedTo(place: string): boolean {
    return this.#places.includes(place);
  }

  rememberTime(ms: number): Promise<void> {
    this.latestMs = Math.max(this.latestMs, ms);
    return Promise.resolve();
  }

  notBeforeMs(): number {
    return this.shadow.notBeforeMs;
  }

  recall(place: string): string | undefined {
    return this.memories.get(place);
  }

  remember(place: string, text: string): Promise<void> {
    this.memories.set(place, text);
    return Promise.resolve();
  }

  rememberReplica(place: string): Promise<void> {
    if (!this.#places.includes(place)) this.#places.push(place);
    return Promise.resolve();
  }
}
