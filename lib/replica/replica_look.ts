/**
 * Looks from time to time whether a replica holds what was written to it, and whether a restore gets to its end: somebody may
 * harm it while nothing is written. By listings and records alone; the bytes of snapshots and WAL are for `verify` to read.
 */
import { messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../platform/clock.ts";
import type { Generation } from "../position/generation.ts";
import { comparePositions, formatPosition, type Position, stillHolds } from "../position/position.ts";
import { isUnread, type Reach, reachOf, unbrokenSince } from "../restore/reach.ts";
import { CatalogMemory } from "../store/catalog_memory.ts";
import type { GenerationCatalog, GenerationStore } from "../store/generation_store.ts";
import { recordedEnd } from "../store/newest.ts";

export interface ReplicaLookOptions {
  readonly store: GenerationStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly intervalMs: number;
  /** Throws when nothing stands where the replica was. */
  readonly expectReplica: () => Promise<void>;
}

export interface LookFacts {
  /** Why a restore does not get to the end of what was written; undefined while it does, and before anything is known. */
  readonly brokenBecause: string | undefined;
  /** When the last look ended; undefined: there was none yet. */
  readonly lookedAtMs: number | undefined;
  /** For so long a look has been under way; 0: none is. */
  readonly lookingMs: number;
}

interface Harm {
  readonly reason: string;
  /** The newest state before the damage that can still be restored, where there is one. */
  readonly reachable?: Position;
}

export type LookOutcome =
  | { readonly kind: "well" }
  /** Where the replica stands must be found anew, which brings what is missing. */
  | { readonly kind: "harmed" }
  /** That did not help: a new generation does. */
  | { readonly kind: "beyond-repair"; readonly reason: string }
  /** Nor did that. It is tried again after the interval. */
  | { readonly kind: "given-up" };

export class ReplicaLook {
  readonly #options: ReplicaLookOptions;
  #memory = new CatalogMemory();
  #dueAtMs = -Infinity;
  #beganMs: number | undefined;
  #lookedAtMs: number | undefined;
  #harm: Harm | undefined;
  #saidMs = -Infinity;
  /** Looks in a row that found harm. */
  #harmed = 0;
  /** From where on every state could be restored when all was well. */
  #since: Position | undefined;
  /** States that were passed over when the replica was brought forward. */
  #passedOver: string | undefined;

  constructor(options: ReplicaLookOptions) {
    this.#options = options;
  }

  get facts(): LookFacts {
    const lookingMs = this.#beganMs === undefined ? 0 : this.#options.clock.monotonicMs() - this.#beganMs;
    return { brokenBecause: this.#harm?.reason, lookedAtMs: this.#lookedAtMs, lookingMs };
  }

  get isDue(): boolean {
    return this.dueInMs() === 0;
  }

  dueInMs(): number {
    return Math.max(0, this.#dueAtMs - this.#options.clock.monotonicMs());
  }

  /** The next look is due at once. */
  hasten(): void {
    this.#dueAtMs = -Infinity;
  }

  /** A catalog that is read anew, and from which the next look goes on; that is due at once. */
  async catalogAnew(generation: Generation): Promise<GenerationCatalog> {
    this.#memory = this.#memory.readAnew();
    this.hasten();
    return await this.#options.store.catalog(generation, this.#memory);
  }

  /** The end was cut off on purpose. */
  noteCut(): void {
    this.#memory = new CatalogMemory();
  }

  /** `written` is known to have been durable there. */
  async look(written: Position): Promise<LookOutcome> {
    const { clock, store, expectReplica, intervalMs } = this.#options;
    const { generation } = written;
    this.#beganMs = clock.monotonicMs();
    try {
      await expectReplica();
      let catalog = await store.catalog(generation, this.#memory);
      let harm = await this.#judge(catalog, written);
      if (harm !== undefined) { // Read again, all of it: somebody may have removed something in the middle of the look.
        catalog = await this.catalogAnew(generation);
        harm = await this.#judge(catalog, written);
      }
      this.#lookedAtMs = clock.now().getTime();
      this.#dueAtMs = clock.monotonicMs() + intervalMs;
      if (harm !== undefined) return this.#noteHarmed(harm);
      this.#noteWell(catalog);
      return { kind: "well" };
    } finally {
      this.#beganMs = undefined;
    }
  }

  /** Found where it was to be gone on, before any look. */
  noteBroken(reason: string, catalog: GenerationCatalog): void {
    if (this.#harm !== undefined) return;
    const reach = reachOf(catalog);
    this.#noteHarm({ reason, ...(reach.kind === "broken" ? reachableOf(reach) : {}) });
  }

  /** Said once for each reason, then hourly. */
  #noteHarm(harm: Harm): void {
    const nowMs = this.#options.clock.monotonicMs();
    const isSaid = harm.reason === this.#harm?.reason && nowMs - this.#saidMs < limits.saidAgainMs;
    this.#harm = harm;
    if (isSaid) return;
    this.#saidMs = nowMs;
    const message = `The replica can no longer be restored to its end: ${harm.reason}; it is mended now`;
    this.#options.log.error(message, {}, "replica-broken");
  }

  /** Bringing the replica forward left out the states between. */
  notePassedOver(from: Position, to: Position): void {
    if (this.#harm === undefined) return;
    this.#passedOver = `states between ${formatPosition(from)} and ${formatPosition(to)} are lost`;
  }

  #noteHarmed(harm: Harm): LookOutcome {
    this.#noteHarm(harm);
    this.#harmed++;
    if (this.#harmed > 2) {
      this.#harmed = 0;
      return { kind: "given-up" };
    }
    this.hasten(); // Whether it is mended is looked at next.
    return this.#harmed === 1 ? { kind: "harmed" } : { kind: "beyond-repair", reason: harm.reason };
  }

  #noteWell(catalog: GenerationCatalog): void {
    const since = unbrokenSince(catalog);
    if (this.#harm !== undefined) this.#sayMended(this.#harm, since);
    this.#harm = undefined;
    this.#harmed = 0;
    this.#passedOver = undefined;
    this.#since = since;
  }

  #sayMended({ reachable }: Harm, since: Position | undefined): void {
    const { log } = this.#options;
    const lost = this.#isUnbrokenFrom(since) ? this.#passedOver : lostBefore(since, reachable);
    const message = `The replica can be restored to its end again; ${lost ?? "no state is lost"}`;
    log[lost === undefined ? "info" : "warn"](message, {}, "replica-mended");
  }

  #isUnbrokenFrom(since: Position | undefined): boolean {
    const before = this.#since;
    return before !== undefined && since?.generation === before.generation && comparePositions(since, before) <= 0;
  }

  async #judge(catalog: GenerationCatalog, written: Position): Promise<Harm | undefined> {
    const { generation } = catalog;
    const reach = reachOf(catalog);
    if (reach.kind === "broken") return { reason: reach.problem, ...reachableOf(reach) };
    try {
      const found = isUnread(catalog) ? await this.#rememberedEnd(generation) : recordedEnd(catalog)?.position;
      if (stillHolds(found, written)) return reach.kind === "whole" ? undefined : { reason: reach.problem };
      return { reason: await this.#whyLost(found, written), ...(found === undefined ? {} : { reachable: found }) };
    } catch (error) {
      if (error instanceof ReplicationError && error.code === "corrupt") return { reason: messageOf(error) };
      throw error;
    }
  }

  /** Of what nobody here can read; throws `corrupt` when it is not what this host remembers. */
  async #rememberedEnd(generation: Generation): Promise<Position | undefined> {
    const end = await this.#options.store.end(generation);
    return end && { generation, index: end.index, offset: end.offset };
  }

  async #whyLost(found: Position | undefined, written: Position): Promise<string> {
    if (found !== undefined) return `it ends at ${formatPosition(found)}, and holds no longer what was written behind`;
    const { generation } = written;
    const others = (await this.#options.store.generations()).filter((other) => other !== generation);
    return others.length === 0
      ? `nothing of generation ${generation} is there, which was written to it`
      : `generation ${generation} is not there, which was written to it, and another history is: ${others.join(", ")}`;
  }
}

function reachableOf({ reachable }: Extract<Reach, { readonly kind: "broken" }>): Pick<Harm, "reachable"> {
  return reachable === undefined ? {} : { reachable: { ...reachable.point, generation: reachable.generation } };
}

function lostBefore(since: Position | undefined, reachable: Position | undefined): string {
  const upTo = reachable === undefined ? "" : `, but for those up to ${formatPosition(reachable)}`;
  return `states before ${since === undefined ? "that" : formatPosition(since)} are lost${upTo}`;
}
