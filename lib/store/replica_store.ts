/**
 * A replica, whatever its layout: each generation is read in the one it was written in, and a new one is written in that of
 * the newest, so that a replica stays what it is.
 */
import { ReplicationError } from "../base/errors.ts";
import { namesIn, type ReplicaClient } from "../clients/client.ts";
import type { Generation } from "../position/generation.ts";
import { formatGenerationKey, GENERATIONS_FOLDER, parseRawName } from "../position/keys.ts";
import { parseSegmentName, parseSnapshotName } from "../position/litestream_names.ts";
import type { Layout } from "../position/object_names.ts";
import type { Index, Offset } from "../position/position.ts";
import type { CatalogMemory } from "./catalog_memory.ts";
import type { CommitRecords } from "./commit_records.ts";
import { unlessDamaged } from "./damaged_generation.ts";
import { ForeignContent } from "./foreign_content.ts";
import { listGenerations } from "./generation_folders.ts";
import type {
  BringWal,
  GenerationCatalog,
  GenerationStore,
  ReplicaEnd,
  SnapshotImage,
  SnapshotReader,
  WalPieces,
  WrittenSnapshot,
} from "./generation_store.ts";
import { LitestreamStore } from "./litestream_store.ts";
import { lookAtPlace, newestForeignMs } from "./look_at_place.ts";
import { newestInCatalogMs } from "./newest.ts";
import { foreignFolders, judgePlace, straysIn } from "./place.ts";
import { RawStore } from "./raw_store.ts";
import type { ReplicaMemory } from "./replica_memory.ts";
import type { Encryption } from "./stored_object.ts";

export interface ReplicaStoreOptions {
  /** The layout of what is written, from what the replica holds already; throws when the two do not fit. */
  readonly chooseLayout: (held: HeldLayout) => Layout;
  readonly encryption?: Encryption | undefined;
  readonly memory?: ReplicaMemory | undefined;
  readonly readsAtOnce?: number | undefined;
  /** Asked each time; "nothing" when it is absent. */
  readonly expected?: (() => ExpectedAtPlace) | undefined;
}

export type HeldLayout = Layout | "both" | undefined;

/**
 * What must be at a place, or its device is missing: nothing, where nobody has written yet; the folder, where somebody names
 * it; a replica, where this host has written one.
 */
export type ExpectedAtPlace = "nothing" | "folder" | "replica";

const LOST = ", though this host has written a replica there (is it mounted?)";

export class ReplicaStore implements GenerationStore {
  readonly description: string;
  readonly #client: ReplicaClient;
  readonly #chooseLayout: (held: HeldLayout) => Layout;
  readonly #expected: () => ExpectedAtPlace;
  readonly #raw: RawStore;
  readonly #litestream: LitestreamStore;
  /** In which layout generations are written, and in which what they hold was found to be. */
  readonly #found = new Map<Generation, Layout>();
  readonly #held = new Map<Generation, Layout>();

  constructor(client: ReplicaClient, options: ReplicaStoreOptions) {
    const { chooseLayout, encryption, memory, readsAtOnce, expected = () => "nothing" } = options;
    this.#expected = expected;
    this.description = client.description;
    this.#client = client;
    this.#chooseLayout = chooseLayout;
    this.#raw = new RawStore(client, readsAtOnce);
    this.#litestream = new LitestreamStore(client, encryption, memory, readsAtOnce);
  }

  exists(): Promise<boolean> {
    return this.#isReplica(undefined);
  }

  async generations(chosen?: Generation): Promise<readonly Generation[]> {
    return await this.#isReplica(chosen) ? await listGenerations(this.#client) : [];
  }

  async strays(): Promise<ReadonlyMap<Generation, string>> {
    return straysIn(await this.#client.list(GENERATIONS_FOLDER));
  }

  /** Whether there is a replica, or nothing; throws for everything else that can be at a place. */
  async #isReplica(chosen: Generation | undefined): Promise<boolean> {
    const listing = await lookAtPlace(this.#client);
    const judgement = judgePlace(listing);
    const expected = this.#expected();
    const fail = (code: "unavailable" | "config-invalid" | "corrupt", reason: string) =>
      new ReplicationError(code, `Cannot use the replica ${this.description}: ${reason}`);
    switch (judgement.kind) {
      case "replica":
        if (judgement.isBesideForeign) await this.#expectOldForeign(listing.levels, chosen);
        return true;
      case "foreign":
        throw new ForeignContent(
          `Cannot use the replica ${this.description}: ${judgement.reason}, which this version cannot read ` +
            "(expected one of Litestream 0.3 or of this program)",
          [],
        );
      case "damaged":
        throw fail("corrupt", judgement.reason);
      case "absent":
        if (expected !== "nothing") throw fail("unavailable", judgement.reason);
        return false;
      case "empty":
        if (expected === "replica") throw fail("unavailable", `${judgement.reason}${LOST}`);
        return false;
      case "parent":
      case "unknown":
        if (expected === "replica") throw fail("unavailable", `${judgement.reason}${LOST}`);
        throw fail("config-invalid", judgement.reason);
    }
  }

  /** What Litestream 0.5 wrote before everything that is read here is history; what it wrote later must not be passed over. */
  async #expectOldForeign(levels: readonly string[], chosen: Generation | undefined): Promise<void> {
    const generations = await listGenerations(this.#client);
    if (chosen !== undefined && generations.includes(chosen)) return; // On purpose.
    let ownMs = -Infinity;
    for (const generation of generations) ownMs = Math.max(ownMs, newestInCatalogMs(await this.catalog(generation)));
    const foreignMs = await newestForeignMs(this.#client, levels);
    if (foreignMs < ownMs) return;
    const time = (ms: number) => Number.isFinite(ms) ? ` of ${new Date(ms).toISOString()}` : "";
    throw new ForeignContent(
      `Cannot use the replica ${this.description}: beside ${generations.join(", ")}${
        time(ownMs)
      } it holds newer objects ` +
        `of Litestream 0.5${time(foreignMs)} in ${foreignFolders(levels)}, which this version cannot read ` +
        "(--generation chooses an older state on purpose)",
      generations,
    );
  }

  async catalog(generation: Generation, memory?: CatalogMemory): Promise<GenerationCatalog> {
    return (await this.#storeOf(generation)).catalog(generation, memory);
  }

  async end(generation: Generation): Promise<ReplicaEnd | undefined> {
    return (await this.#storeOf(generation)).end(generation);
  }

  async records(generation: Generation, index: Index): Promise<CommitRecords> {
    return (await this.#storeOf(generation)).records(generation, index);
  }

  async readWal(generation: Generation, index: Index, at: number, into: Uint8Array): Promise<number> {
    return (await this.#storeOf(generation)).readWal(generation, index, at, into);
  }

  async openSnapshot(generation: Generation, index: Index): Promise<SnapshotReader> {
    return (await this.#storeOf(generation)).openSnapshot(generation, index);
  }

  async appendWal(generation: Generation, index: Index, start: Offset, wal: WalPieces): Promise<void> {
    await this.#withLayout(await this.layoutFor(generation)).appendWal(generation, index, start, wal);
  }

  async rest(): Promise<void> {
    await this.#client.rest?.();
  }

  async writeSnapshot(generation: Generation, image: SnapshotImage, bringWal: BringWal): Promise<WrittenSnapshot> {
    return await this.#withLayout(await this.layoutFor(generation)).writeSnapshot(generation, image, bringWal);
  }

  async cutWal(generation: Generation, index: Index, offset: Offset): Promise<void> {
    await (await this.#storeOf(generation)).cutWal(generation, index, offset);
  }

  async removeSnapshot(generation: Generation, index: Index): Promise<void> {
    await (await this.#storeOf(generation)).removeSnapshot(generation, index);
  }

  async removeWal(generation: Generation, index: Index): Promise<void> {
    await (await this.#storeOf(generation)).removeWal(generation, index);
  }

  /** Of a removal that was cut short, or that never was more than a draft, the names may not tell the layout. */
  async removeGeneration(generation: Generation): Promise<void> {
    const own = await this.#storeOf(generation);
    await own.removeGeneration(generation);
    await (own === this.#raw ? this.#litestream : this.#raw).removeGeneration(generation);
    this.#found.delete(generation);
    this.#held.delete(generation);
  }

  /** The layout in which this generation is written, by what the replica holds. */
  async layoutFor(generation: Generation): Promise<Layout> {
    const known = this.#found.get(generation);
    if (known !== undefined) return known;
    const own = await this.#layoutOf(generation);
    const layout = this.#chooseLayout(own ?? await this.#heldLayout());
    this.#found.set(generation, layout);
    return layout;
  }

  async #storeOf(generation: Generation): Promise<GenerationStore> {
    return this.#withLayout(this.#found.get(generation) ?? await this.#layoutOf(generation) ?? "raw");
  }

  #withLayout(layout: Layout): GenerationStore {
    return layout === "raw" ? this.#raw : this.#litestream;
  }

  async #heldLayout(): Promise<HeldLayout> {
    let held: HeldLayout;
    for (const generation of await this.generations()) {
      const layout = await this.#layoutOf(generation);
      if (layout !== undefined && held !== undefined && layout !== held) return "both";
      held = layout ?? held;
    }
    return held;
  }

  async #layoutOf(generation: Generation): Promise<Layout | undefined> {
    const layout = this.#held.get(generation) ?? await this.#layoutByNames(generation);
    if (layout !== undefined) this.#held.set(generation, layout);
    return layout;
  }

  /** By the names of its objects; undefined when it holds none. */
  async #layoutByNames(generation: Generation): Promise<Layout | undefined> {
    const key = formatGenerationKey(generation);
    const names = [
      ...await unlessDamaged(namesIn(this.#client, `${key}/snapshots`), []),
      ...await unlessDamaged(namesIn(this.#client, `${key}/wal`), []),
    ];
    if (names.some(isOnlyRaw)) return "raw";
    if (names.some(isOnlyLitestream)) return "litestream";
    // Names that both have. A snapshot alone is what a crash leaves of ours; with WAL beside it, it would have its record.
    const hasSnapshot = names.some((name) => parseRawName(name, "snapshot") !== undefined);
    const hasWal = names.some((name) => parseRawName(name, "wal") !== undefined);
    if (hasSnapshot && hasWal) return "litestream";
    return hasSnapshot || hasWal ? "raw" : undefined;
  }
}

function isOnlyRaw(name: string): boolean {
  return parseRawName(name, "commits") !== undefined || parseRawName(name, "record") !== undefined;
}

function isOnlyLitestream(name: string): boolean {
  const parsed = parseSegmentName(name) ?? parseSnapshotName(name);
  return parsed !== undefined && (parsed.encoding !== "none" || /^[0-9a-f]{8}[._]/.test(name));
}
