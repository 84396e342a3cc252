/** Restores points of one replica, one after the other, and keeps what each has proven. */
import { ReplicationError } from "../base/errors.ts";
import type { RestoreReplica } from "../restore/choose.ts";
import { Unrestorable } from "../restore/failure.ts";
import { type GenerationFacts, wholeSnapshots } from "../restore/history.ts";
import type { RestoreTarget } from "../restore/target.ts";
import { comparePositions, type Index, type Position } from "../position/position.ts";
import { gatherFacts, gatherRecords, withMoments } from "../restore/gather.ts";
import { findingOf, outcomeOf } from "./judgement.ts";
import type { Finding, Proof, ReportedPoint } from "./report.ts";
import { eachPoint } from "../restore/ranges.ts";
import { ReplayedWal } from "./replayed_wal.ts";
import type { SamplePoint } from "./sample.ts";
import { type Restored, type Trial, Trials, type TrialTools } from "./trial.ts";

/** After so long what was found is looked at again, at fresh listings. */
export const SECOND_LOOK_MS = 1_000;
/** So many points back one is looked for that can be proven, when the newest state cannot. */
const EARLIER_MAX = 5;

export class Proofs {
  readonly all: Proof[] = [];
  readonly #replica: RestoreReplica;
  readonly #tools: TrialTools;
  readonly #trials: Trials;
  #replayed: ReplayedWal | undefined;

  constructor(replica: RestoreReplica, tools: TrialTools) {
    this.#replica = replica;
    this.#tools = tools;
    this.#trials = new Trials(replica, tools);
  }

  /** Resolves when nothing is under way any more, and what was replayed is let go of. */
  async settle(): Promise<void> {
    await this.#trials.settle().finally(() => this.#replayed?.close());
  }

  /** The newest point that was restored, and found equal where there is something to compare with. */
  get newest(): ReportedPoint | undefined {
    const passed = this.all.filter(({ outcome }) => outcome === "pass");
    const [newest] = passed.toSorted((a, b) => b.capturedAtMs - a.capturedAtMs);
    return newest && { position: newest.position, capturedAtMs: newest.capturedAtMs };
  }

  /** `look` is shown what was restored, before it is removed. The WAL that was replayed, where all of it was. */
  async askedFor(
    target: RestoreTarget,
    look: (path: string) => Promise<void>,
  ): Promise<{ readonly trial: Trial; readonly replayed: ReplayedWal | undefined }> {
    const { files, folder } = this.#tools;
    const trial = await this.#tryTwice(target, look, () => {
      this.#replayed?.close();
      const own = this.#replayed = new ReplayedWal(files, `${folder}/frames`);
      return (generation, chunk) => Promise.resolve(own.observe(generation, chunk));
    });
    if (trial.kind === "restored") this.#note("asked for", trial);
    return { trial, replayed: trial.kind === "refused" ? undefined : this.#replayed };
  }

  /** The last point that is not behind the position, in its index or, where that has none yet, at the end of the one before. */
  async lastBefore(position: Position): Promise<Position> {
    const facts = await gatherFacts(this.#replica.store, { kind: "latest", generation: position.generation });
    const own = facts.filter(({ catalog }) => catalog.generation === position.generation);
    const points = (await this.points(own)).map((point) => point.position);
    const before = points.filter((point) => comparePositions(point, position) <= 0);
    return before.toSorted(comparePositions).at(-1) ?? position;
  }

  /** The moment at which the live database was read; `look` is shown what was restored. */
  async live(position: Position, look: (path: string) => Promise<void>): Promise<Trial> {
    const trial = await this.#tryTwice({ kind: "position", generation: position.generation, position }, look);
    if (trial.kind === "restored") this.#note("live", trial);
    return trial;
  }

  /** What was asked for cannot be had, or is wrong: which state before it can? */
  async before(
    trial: Exclude<Trial, Restored>,
    facts: GenerationFacts | undefined,
    look: (path: string) => Promise<void>,
  ): Promise<void> {
    const places: Position[] = [];
    if (trial.kind === "refused" && trial.error instanceof Unrestorable) {
      const { generation, point: { index, offset } } = trial.error.reachable;
      places.push({ generation, index, offset });
    }
    const snapshots = facts === undefined ? [] : wholeSnapshots(facts.catalog).toReversed();
    for (const { index, offset, isPeers } of snapshots) {
      if (facts !== undefined && !isPeers) places.push({ generation: facts.catalog.generation, index, offset });
    }
    for (const position of places.slice(0, EARLIER_MAX)) {
      const { generation } = position;
      const earlier = await this.#trials.run({ kind: "position", generation, position }, look);
      if (earlier.kind === "restored") return this.#note("newest before the damage", earlier);
    }
  }

  /** Each of these points; what is wrong with them. */
  async each(why: "snapshot" | "sample", points: readonly ReportedPoint[]): Promise<Finding[]> {
    const findings: Finding[] = [];
    for (const { position, capturedAtMs } of points) {
      const trial = await this.#tryTwice({ kind: "position", generation: position.generation, position });
      if (trial.kind === "restored") this.#note(why, trial);
      else if (trial.kind === "unequal" || await this.#isStillThere(position)) {
        const finding = findingOf(trial.kind === "unequal" ? "equal" : "restore", trial.error);
        findings.push(finding);
        this.all.push({
          why,
          position,
          capturedAtMs,
          outcome: outcomeOf(finding),
          says: finding.problem,
          isCompared: false,
        });
      }
    }
    return findings;
  }

  /** Every point that the generations hold. */
  async points(generations: readonly GenerationFacts[]): Promise<SamplePoint[]> {
    const points: SamplePoint[] = [];
    for (const facts of generations) {
      if (facts.damage !== undefined) continue;
      const { generation } = facts.catalog;
      const records = await gatherRecords(this.#replica.store, facts.catalog);
      const known = await withMoments(this.#replica.store, facts);
      for (const { index, offset, capturedAtMs, isBoundary } of eachPoint(known, records)) {
        points.push({ position: { generation, index, offset }, capturedAtMs, isBoundary });
      }
    }
    return points;
  }

  /** Retention may have let a past point go since it was chosen. */
  async #isStillThere({ generation, index, offset }: Position): Promise<boolean> {
    const facts = await gatherFacts(this.#replica.store, { kind: "latest", generation });
    const points = await this.points(facts.filter(({ catalog }) => catalog.generation === generation));
    return points.some(({ position }) => position.index === index && position.offset === offset);
  }

  /** Retention may remove what a plan was made of, and leaves another that serves. */
  async #tryTwice(
    target: RestoreTarget,
    look?: (path: string) => Promise<void>,
    observer?: () => NonNullable<TrialTools["observe"]>,
  ): Promise<Trial> {
    const attempt = () => this.#trials.run(target, look, observer?.());
    const trial = await attempt();
    if (trial.kind !== "refused" || outcomeOf(trial.error) !== "fail") return trial;
    await this.#tools.clock.sleep(SECOND_LOOK_MS, this.#tools.signal);
    if (this.#tools.signal.aborted) throw interrupted();
    return await attempt();
  }

  #note(why: Proof["why"], { point, bytes, durationMs, isCompared, confirmedAt }: Restored): void {
    const says = isCompared ? "equal to the source's database" : "restored; there is no checksum to compare with";
    this.all.push({
      why,
      ...point,
      outcome: "pass",
      says,
      bytes,
      durationMs,
      isCompared,
      ...(confirmedAt === undefined ? {} : { confirmedAt }),
    });
  }
}

/** Of images that are a state only with the WAL that follows: nothing but a restore compares them. */
export function imagesToCompare(
  generations: readonly GenerationFacts[],
  isWanted: (name: Index) => boolean,
): ReportedPoint[] {
  return generations.filter(({ damage }) => damage === undefined).flatMap(({ catalog }) =>
    wholeSnapshots(catalog).flatMap(({ name, needsWal, checksum, index, offset, capturedAtMs }) =>
      needsWal && checksum !== undefined && isWanted(name)
        ? [{ position: { generation: catalog.generation, index, offset }, capturedAtMs }]
        : []
    )
  );
}

export function interrupted(): ReplicationError {
  return new ReplicationError("cancelled", "Cannot verify to the end: it was interrupted");
}
