/**
 * The ladder: what one replica proves, rung by rung. Nothing is ever compared but at one pinned position, so that a writer
 * may go on all the time; and nothing is called damage that a second look, at fresh listings, does not find again: retention
 * removes what was listed, and a half-made append looks like a torn one.
 */
import { addAll } from "../base/many.ts";
import { hex } from "../base/bytes.ts";
import { ReplicationError } from "../base/errors.ts";
import { comparePositions, formatPosition, type Position } from "../position/position.ts";
import type { RestoreReplica } from "../restore/choose.ts";
import { expectReadable, gatherFacts } from "../restore/gather.ts";
import { type GenerationFacts, newestMs } from "../restore/history.ts";
import { planRestore } from "../restore/plan.ts";
import { expectRoom, impossibleSize } from "../restore/room.ts";
import type { RestoreTarget } from "../restore/target.ts";
import type { ReplayedWal } from "./replayed_wal.ts";
import type { SnapshotEntry } from "../store/generation_store.ts";
import { viewChain } from "./chain.ts";
import { checkObjects } from "./intact.ts";
import { type NewestState, newestState } from "./newest_state.ts";
import { type Age, type HeardOfReplica, judgeAge, type SourceLook } from "./staleness.ts";
import { type Expected, Inside, type Judged, SHOWN_PAGES } from "./inside.ts";
import { type LiveDatabase, type LiveMoment, readLaterPages } from "./live.ts";
import { findingOf, outcomeOf } from "./judgement.ts";
import { imagesToCompare, interrupted, Proofs, SECOND_LOOK_MS } from "./proofs.ts";
import {
  type Finding,
  type ReplicaReport,
  type ReportedPoint,
  type Rung,
  type RungOutcome,
  type RungResult,
  RUNGS,
  worstOutcome,
} from "./report.ts";
import type { Slice } from "./slice.ts";
import { choosePoints, type SamplePoint } from "./sample.ts";
import type { Trial, TrialTools } from "./trial.ts";

export interface ReplicaRequest extends Expected {
  /** The database of the config; absent for a replica that was given by its URL. */
  readonly database?: string;
  readonly replica: RestoreReplica;
  readonly url: string;
  /** The database itself, where it is to be compared with. */
  readonly live?: LiveDatabase;
  /** The database itself, where it is at hand. */
  readonly source?: SourceLook;
}

export interface LadderOptions {
  readonly level: Rung;
  /** The level was asked for: what it needs must be there. */
  readonly isLevelExplicit: boolean;
  /** Which point is restored. */
  readonly target: RestoreTarget;
  /** How many past points are restored as well, and by which chance they are chosen. */
  readonly sample: number;
  readonly seed: number;
  /** Whether somebody named the seed, and chose the points by it. */
  readonly isSeedChosen: boolean;
  /** Past points that failed before. */
  readonly again: readonly Position[];
  /** Which indexes are read whole this time: each one in turn, over so many runs. Absent: all of them. */
  readonly slice?: Slice;
  /** How far behind the database, or how old where that is not at hand, the newest state may be; absent: by default. */
  readonly maxAgeMs?: number;
}

export async function verifyReplica(
  request: ReplicaRequest,
  options: LadderOptions,
  tools: TrialTools,
): Promise<ReplicaReport> {
  const proofs = new Proofs(request.replica, tools);
  try {
    return await new Ladder(request, options, tools, proofs).climb();
  } finally {
    await proofs.settle();
  }
}

class Ladder {
  readonly #request: ReplicaRequest;
  readonly #options: LadderOptions;
  readonly #tools: TrialTools;
  readonly #proofs: Proofs;
  readonly #rungs: RungResult[] = [];
  readonly #findings: Finding[] = [];
  readonly #suspicions = new Set<string>();
  /** What was gathered last, and for which kind of target: there is one of each. */
  #known: { readonly kind: RestoreTarget["kind"]; readonly facts: readonly GenerationFacts[] } | undefined;
  #hasBackup = false;
  #newest: ReportedPoint | undefined;
  #recoveryTimeMs: number | undefined;
  #recoveryPointMs: number | undefined;
  #trial: Trial | undefined;
  readonly #inside: Inside;
  /** What a rung took of the time of another one. */
  readonly #aheadMs = new Map<Rung, number>();
  #replayed: ReplayedWal | undefined;
  #refusal: ReplicationError | undefined;
  /** Images that were read and not compared; undefined when they were not read. */
  #uncompared: readonly SnapshotEntry[] | undefined;
  /** What the live database was found equal to; undefined when it was not compared with. */
  #live: string | undefined;
  #beganMs = 0;

  constructor(request: ReplicaRequest, options: LadderOptions, tools: TrialTools, proofs: Proofs) {
    this.#request = request;
    this.#options = options;
    this.#tools = tools;
    this.#proofs = proofs;
    this.#inside = new Inside(request, tools);
  }

  async climb(): Promise<ReplicaReport> {
    const startedMs = this.#tools.clock.monotonicMs();
    const steps: Readonly<Record<Rung, () => Promise<void>>> = {
      reach: () => this.#reach(),
      chain: () => this.#chain(),
      intact: () => this.#intact(),
      restore: () => this.#restore(),
      equal: () => this.#equalToAll(),
      structure: () => Promise.resolve(this.#structure()),
      checks: () => Promise.resolve(this.#tell("checks", this.#inside.checks())),
    };
    let isOver = false;
    for (const rung of RUNGS.slice(0, RUNGS.indexOf(this.#options.level) + 1)) {
      this.#beganMs = this.#tools.clock.monotonicMs();
      try {
        if (isOver) this.#note(rung, "not-run", "there was no more time");
        else if (rung === "reach" || this.#hasBackup) await steps[rung]();
        else this.#note(rung, "not-run", "there is nothing to look at");
      } catch (error) {
        if (!(error instanceof ReplicationError)) throw error;
        if (error.code !== "cancelled") {
          this.#find(rung, [findingOf(rung, error)], "");
          continue;
        }
        if (this.#tools.deadline?.aborted !== true) throw error;
        this.#find(rung, [{ rung, code: "timeout", problem: "there was no more time for it" }], "");
        isOver = true;
      }
    }
    return this.#report(this.#tools.clock.monotonicMs() - startedMs);
  }

  async #reach(): Promise<void> {
    const heard = await this.#request.source?.heard(); // Before the look: what it knows to be there is seen then.
    const facts = await this.#facts();
    if (facts.length === 0) {
      const { generation } = this.#options.target;
      const what = generation === undefined ? "backup" : `generation ${generation}`;
      const problem = `${this.#request.replica.store.description} holds no ${what}`;
      const next = this.#request.database === undefined || generation !== undefined
        ? {}
        : { next: { kind: heard === undefined ? "replicate" : "status" } } as const;
      return this.#find("reach", [{ rung: "reach", code: "not-found", problem, ...next }], "");
    }
    expectReadable("verify", facts, this.#request.replica.store.description);
    this.#hasBackup = true;
    const newest = newestState(facts);
    this.#newest = newest?.point;
    const newestIs = newest === undefined
      ? "and no state is complete yet"
      : `the newest state is of ${timeOf(newest.ms)}`;
    const says = `${count(facts.length, "generation")}, ${newestIs}`;
    if (newest === undefined && this.#options.level === "reach") {
      return this.#find("reach", this.#leadsNowhere("reach", facts), says);
    }
    // Of a generation that somebody chose, being old is nothing odd.
    const isAged = this.#options.target.generation === undefined || this.#options.maxAgeMs !== undefined;
    const { behindMs, problem, note, next } = newest === undefined || !isAged
      ? {}
      : await this.#judgeAge(heard, newest);
    this.#recoveryPointMs = behindMs;
    if (note !== undefined) this.#suspicions.add(note);
    const stale = {
      rung: "reach",
      code: "stale",
      problem: problem ?? "",
      ...(next === undefined ? {} : { next }),
    } as const;
    this.#find("reach", problem === undefined ? [] : [stale], says);
  }

  /** "No writes since" is no fault. What nobody says is held counts as missing only if a second look finds it missing, too. */
  async #judgeAge(heard: HeardOfReplica | undefined, looked: NewestState): Promise<Age> {
    const { source } = this.#request;
    const changedAtMs = source?.changedAtMs();
    const judge = async ({ point, ms, databasePages, checksum }: NewestState, heard: HeardOfReplica | undefined) => {
      const facts = { nowMs: this.#tools.clock.now().getTime(), newest: point, newestMs: ms };
      const { maxAgeMs } = this.#options;
      if (source === undefined) return judgeAge({ ...facts, maxAgeMs });
      const { syncIntervalMs } = source;
      const age = judgeAge({ ...facts, maxAgeMs, source: { changedAtMs, heard, isSame: false, syncIntervalMs } });
      if (age.problem === undefined || checksum === undefined) return age;
      // A file's time changes without a commit, too: when the last connection closes, the WAL is copied into it.
      const found = await source.checksum(databasePages);
      const isSame = found !== undefined && hex(found) === hex(checksum);
      return judgeAge({ ...facts, maxAgeMs, source: { changedAtMs, heard, isSame, syncIntervalMs } });
    };
    const age = await judge(looked, heard);
    if (age.problem === undefined || source === undefined) return age;
    await this.#waitForSecondLook();
    const heardAgain = await source.heard(); // A generation may have begun since.
    const again = newestState(await this.#facts());
    return again === undefined ? age : await judge(again, heardAgain);
  }

  /** What a run that does not restore must find all the same: that there is no newest state to restore. */
  #leadsNowhere(rung: "reach" | "chain", facts: readonly GenerationFacts[]): Finding[] {
    const { generation } = this.#options.target;
    const plan = planRestore(facts, { kind: "latest", ...(generation === undefined ? {} : { generation }) });
    if (plan.kind === "plan") return [];
    return [{ rung, code: plan.code, problem: `${this.#request.replica.store.description}: ${plan.problem}` }];
  }

  async #chain(): Promise<void> {
    let [snapshots, indexes] = [0, 0];
    let suspicions: readonly string[] = [];
    const findings = await this.#lookTwice(async () => {
      const all = await this.#facts();
      const views = all.map(viewChain);
      snapshots = views.reduce((sum, view) => sum + view.snapshots, 0);
      indexes = views.reduce((sum, view) => sum + view.indexes, 0);
      suspicions = views.flatMap((view) => view.suspicions);
      const findings = views.flatMap((view) => view.findings);
      return findings.length > 0 || this.#isWanted("restore") ? findings : this.#leadsNowhere("chain", all);
    });
    for (const suspicion of suspicions) this.#suspicions.add(suspicion);
    const says = `${count(snapshots, "snapshot")}, ${count(indexes, "index", "indexes")} of WAL, none missing`;
    this.#find("chain", findings, says);
  }

  /** What is restored is read on the way, and proven no less: the restore comes first, and the rest is read here. */
  async #intact(): Promise<void> {
    if (this.#isWanted("restore")) await this.#ahead("restore", () => this.#tryAskedFor());
    const { store } = this.#request.replica;
    let [bytes, onlyRead, states, unproven] = [0, 0, 0, 0];
    const { slice } = this.#options;
    const uncompared: SnapshotEntry[] = [];
    const odd = new Set<string>();
    const tools = {
      turn: () => this.#turn(),
      read: (read: number) => void (bytes += read),
      replayed: this.#replayed,
      uncompared: (entry: SnapshotEntry) => void uncompared.push(entry),
      onlyRead: () => void onlyRead++,
      odd: (problem: string) => void odd.add(problem),
      compared: (isCompared: boolean) => void (isCompared ? states++ : unproven++),
      isDue: (index: number) => slice === undefined || index % slice.of === slice.part % slice.of,
    };
    const findings = await this.#lookTwice(async () => {
      [bytes, onlyRead, states, unproven] = [0, 0, 0, 0];
      uncompared.splice(0);
      odd.clear();
      const found: Finding[] = [];
      const all = await this.#facts();
      this.#known = undefined;
      for (const facts of all) addAll(found, await checkObjects(store, facts, tools));
      return found;
    });
    this.#uncompared = uncompared;
    for (const one of odd) this.#suspicions.add(one);
    const part = slice === undefined ? "" : ` of part ${slice.part} of ${slice.of}`;
    const isChainProven = this.#rungs.some(({ rung, outcome }) => rung === "chain" && outcome === "pass");
    const says = isChainProven
      ? `each frame, record and image${part} of the chain is whole`
      : `the frames, records and images${part} that were found can be read, and the chain of them is not proven`;
    const without = onlyRead === 0 ? "" : `; ${count(onlyRead, "image")} without a checksum to compare with`;
    const rest = unproven === 0 ? "" : ` of ${states + unproven}`;
    const equal = states + unproven === 0 ? "" : `; ${states}${rest} recorded states have the source's checksum`;
    this.#find("intact", findings, `${bytes} bytes read: ${says}${equal}${without}`);
  }

  /** What stands in the way is for the rung `restore` to say. */
  async #tryAskedFor(): Promise<void> {
    const { target } = this.#options;
    try {
      const plan = planRestore(await this.#facts(target), target);
      if (plan.kind === "plan" && impossibleSize(plan) === undefined) {
        const { files, folder } = this.#tools;
        expectRoom(files, folder, plan.databaseBytes, "--scratch DIR, on a device that has room");
      }
      this.#known = undefined;
      const { trial, replayed } = await this.#proofs.askedFor(target, (path) => this.#look(path));
      this.#trial = trial;
      this.#replayed = replayed;
    } catch (error) {
      if (!(error instanceof ReplicationError) || error.code === "cancelled") throw error;
      this.#refusal = error;
    }
  }

  async #restore(): Promise<void> {
    const { target, sample, seed, again } = this.#options;
    const facts = await this.#facts(target);
    if (this.#refusal !== undefined) throw this.#refusal;
    const trial = this.#trial;
    if (trial === undefined) return this.#note("restore", "not-run", "there was nothing to restore");
    if (trial.kind !== "restored") {
      const newest = facts.toSorted((a, b) => newestMs(b) - newestMs(a))[0];
      await this.#proofs.before(trial, newest, async (path) => {
        const pages = this.#findings.flatMap((finding) => finding.pages ?? []);
        const note = await this.#inside.ownersNote(path, pages);
        if (note !== undefined) this.#suspicions.add(note);
      });
    } else if (target.kind === "latest") this.#recoveryTimeMs = trial.durationMs;
    if (this.#isWanted("equal")) {
      const uncompared = this.#uncompared;
      const images = imagesToCompare(
        facts,
        (entry) => uncompared === undefined || uncompared.some(({ index }) => index === entry),
      );
      this.#findings.push(...await this.#proofs.each("snapshot", images));
    }
    if (sample > 0 || again.length > 0) {
      const all = await this.#proofs.points(facts);
      const isAgain = ({ position }: SamplePoint) => again.some((one) => comparePositions(one, position) === 0);
      const points = new Set([...all.filter(isAgain), ...choosePoints(all, sample, seed)]);
      const found = await this.#proofs.each("sample", [...points]);
      this.#findings.push(...found.map((one) => this.#isWanted(one.rung) ? one : { ...one, rung: "restore" as const }));
    }
    // Of what `restore` refuses, a run that goes no further says so here.
    const isRefused = trial.kind === "refused" || (trial.kind === "unequal" && !this.#isWanted("equal"));
    this.#find("restore", isRefused ? [findingOf("restore", trial.error)] : [], this.#restored(trial));
  }

  #isWanted(rung: Rung): boolean {
    return RUNGS.indexOf(rung) <= RUNGS.indexOf(this.#options.level);
  }

  /** While what was restored is there. What it takes is the time of the rungs that ask for it. */
  async #look(path: string): Promise<void> {
    if (!this.#isWanted("structure")) return;
    await this.#ahead("structure", () => this.#inside.look(path, this.#isWanted("checks")));
  }

  /** Work of a rung that is done in another one counts as its own. */
  async #ahead(rung: Rung, work: () => Promise<void>): Promise<void> {
    const [beganMs, before] = [this.#tools.clock.monotonicMs(), this.#beganMs];
    await work();
    const inner = this.#beganMs - before; // Of what was done ahead in it.
    const tookMs = this.#tools.clock.monotonicMs() - beganMs;
    this.#aheadMs.set(rung, (this.#aheadMs.get(rung) ?? 0) + tookMs - inner);
    this.#beganMs = before + tookMs;
  }

  #restored(trial: Trial): string {
    if (trial.kind !== "restored") return "everything that it needs was read";
    const { point, durationMs, bytes } = trial;
    return `${formatPosition(point.position)} of ${timeOf(point.capturedAtMs)}, ${bytes} bytes in ${
      seconds(durationMs)
    }`;
  }

  async #equalToAll(): Promise<void> {
    const { live } = this.#request;
    if (live !== undefined) this.#findings.push(...await this.#againstLive(live));
    await this.#equal();
  }

  /** A restore of the moment at which the live database was read: what differs, differs. */
  async #againstLive(live: LiveDatabase): Promise<Finding[]> {
    const { folder, signal } = this.#tools;
    let moment: LiveMoment | undefined;
    try {
      moment = await live.pin(folder, signal);
      const { position } = moment;
      let differences: Awaited<ReturnType<LiveMoment["differences"]>> = { pages: [], count: 0 };
      let owners: readonly string[] = [];
      const point = await this.#proofs.lastBefore(position);
      const trial = await this.#proofs.live(point, async (path) => {
        if (moment === undefined) return;
        const from = point.index === position.index ? point.offset : 0;
        const later = await readLaterPages(this.#request.replica.store, position, from, moment.pageSize);
        differences = await moment.differences(path, later);
        owners = await this.#inside.owners(path, differences.pages);
      });
      if (trial.kind !== "restored") return [findingOf("equal", trial.error)];
      this.#live = `page by page the live database at ${formatPosition(position)}`;
      if (differences.count === 0) return [];
      const where = owners.length === 0 ? "" : `, of ${owners.join(", ")}`;
      const problem = `${count(differences.count, "page")} of ${formatPosition(position)} ${
        differences.count === 1 ? "is" : "are"
      } not as in the live database: ${differences.pages.slice(0, SHOWN_PAGES).join(", ")}${where}`;
      return [{ rung: "equal", code: "corrupt", problem }];
    } catch (error) {
      if (!(error instanceof ReplicationError) || error.code === "cancelled") throw error;
      return [findingOf("equal", error)];
    } finally {
      moment?.forget();
    }
  }

  /** "confirmed at <position>, <age>": how long ago that was captured. */
  async #confirmation({ point, confirmedAt }: Extract<Trial, { kind: "restored" }>): Promise<string> {
    if (confirmedAt === undefined) return "which was not compared in full with what was captured yet";
    const { generation } = point.position;
    const { index, offset } = confirmedAt;
    const { store } = this.#request.replica;
    const records = await store.records(generation, index).catch(() => []);
    const { snapshots } = await store.catalog(generation);
    const snapshot = snapshots.findLast((entry) => (entry.stateIndex ?? entry.index) <= index);
    const atMs = (records.findLast(({ end }) => end <= offset) ?? snapshot?.record)?.capturedAtMs;
    const age = atMs === undefined ? "" : `, ${seconds(this.#tools.clock.now().getTime() - atMs)} ago`;
    return `which was confirmed at ${formatPosition({ generation, index, offset })}${age}`;
  }

  async #equal(): Promise<void> {
    const trial = this.#trial;
    if (trial === undefined || trial.kind === "refused") return this.#note("equal", "not-run", "nothing was restored");
    if (trial.kind === "unequal") return this.#find("equal", [findingOf("equal", trial.error)], "");
    const live = this.#live === undefined ? "" : `; ${this.#live}`;
    if (trial.isCompared) {
      return this.#find("equal", [], `the checksum is the source's, ${await this.#confirmation(trial)}${live}`);
    }
    if (this.#live !== undefined) return this.#find("equal", [], `it is ${this.#live}; the writer kept no checksum`);
    const problem = "not available: the writer kept no checksum of this state";
    // Of a past point there was a checksum, and it was not equal.
    if (this.#findings.some(({ rung }) => rung === "equal")) return this.#find("equal", [], "");
    const isAskedFor = this.#options.isLevelExplicit && this.#options.level === "equal";
    if (isAskedFor) this.#find("equal", [{ rung: "equal", code: "no-checksum", problem }], "");
    else this.#note("equal", "not-available", problem);
  }

  #structure(): void {
    const isEqual = this.#trial?.kind === "restored" && this.#trial.isCompared;
    const judged = this.#inside.structure(isEqual);
    for (const note of judged.notes) this.#suspicions.add(note);
    this.#tell("structure", judged);
  }

  #tell(rung: Rung, { findings, says, instead }: Judged): void {
    if (instead === undefined) this.#find(rung, findings, says);
    else this.#note(rung, instead, says);
  }

  async #lookTwice(look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
    const findings = await look();
    if (findings.length === 0) return findings;
    await this.#waitForSecondLook();
    const known = new Set(findings.map(subjectOf));
    return (await look()).filter((finding) => known.has(subjectOf(finding)));
  }

  async #waitForSecondLook(): Promise<void> {
    this.#known = undefined;
    await this.#tools.clock.sleep(SECOND_LOOK_MS, this.#tools.signal);
    await this.#turn();
  }

  /**
   * As they were gathered last where nothing has taken any time since: to list a generation may cost more than a rung does.
   * Whoever waits, restores or reads objects lets go of them.
   */
  async #facts(target: RestoreTarget = { kind: "latest" }): Promise<readonly GenerationFacts[]> {
    if (this.#known?.kind === target.kind) return this.#known.facts;
    const { generation } = this.#options.target;
    const all = await gatherFacts(
      this.#request.replica.store,
      generation === undefined ? target : { ...target, generation },
    );
    const facts = all.filter(({ catalog }) => generation === undefined || catalog.generation === generation);
    this.#known = { kind: target.kind, facts };
    return facts;
  }

  async #turn(): Promise<void> {
    await this.#tools.clock.yield();
    if (this.#tools.signal.aborted) throw interrupted();
  }

  /** The rung as everything makes it that was found of it; `says` when nothing was. */
  #find(rung: Rung, findings: readonly Finding[], says: string): void {
    addAll(this.#findings, findings);
    const own = this.#findings.filter((finding) => finding.rung === rung);
    this.#note(rung, worstOutcome(own.map(outcomeOf)), own[0]?.problem ?? says);
  }

  #note(rung: Rung, outcome: RungOutcome, says: string): void {
    this.#rungs.push({
      rung,
      outcome,
      says,
      durationMs: (this.#aheadMs.get(rung) ?? 0) + this.#tools.clock.monotonicMs() - this.#beganMs,
    });
  }

  #report(durationMs: number): ReplicaReport {
    const { database, replica, url, live } = this.#request;
    const { slice } = this.#options;
    const firstBroken = this.#rungs.findIndex(({ outcome }) => outcome !== "pass" && outcome !== "not-available");
    const below = firstBroken === -1 ? this.#rungs : this.#rungs.slice(0, firstBroken);
    const reached = below.findLast(({ outcome }) => outcome === "pass")?.rung;
    const { newest: proven } = this.#proofs;
    return {
      ...(database === undefined ? {} : { database }),
      replica: replica.name,
      url,
      outcome: worstOutcome(this.#findings.map(outcomeOf)),
      about: isChosen(this.#options) ? "chosen state" : "newest state",
      ...(slice === undefined ? {} : { slice: `${slice.part}/${slice.of}` }),
      isAgainstLive: live !== undefined,
      ...(reached === undefined ? {} : { reached }),
      rungs: this.#rungs,
      findings: this.#findings,
      suspicions: [...this.#suspicions],
      ...(this.#newest === undefined ? {} : { newest: this.#newest }),
      ...(proven === undefined ? {} : { proven }),
      proofs: this.#proofs.all,
      ...(this.#inside.schema === undefined ? {} : { schema: this.#inside.schema }),
      values: this.#inside.values(),
      ...(this.#recoveryTimeMs === undefined ? {} : { recoveryTimeMs: this.#recoveryTimeMs }),
      ...(this.#recoveryPointMs === undefined ? {} : { recoveryPointMs: this.#recoveryPointMs }),
      durationMs,
    };
  }
}

/** Such a run may well be about a state that is not there, or that nobody needs. */
function isChosen({ target, sample, isSeedChosen }: LadderOptions): boolean {
  return target.kind !== "latest" || target.generation !== undefined || (sample > 0 && isSeedChosen);
}

/** What is wrong with what: how far the history goes meanwhile, which messages say in brackets, is nothing of it. */
function subjectOf({ problem }: Finding): string {
  return problem.split(" (")[0] ?? problem;
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
