/**
 * Answers those who ask how a database stands (`ask.ts`), for as long as this process has to do with it: also while the
 * database is refused or waited for. Nothing is written while nobody asks.
 */
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { dirname } from "../base/path.ts";
import { Notifier } from "../base/notifier.ts";
import type { FolderWatcher } from "../database/database.ts";
import { type Clock, unlessLate } from "../platform/clock.ts";
import { isSameTrouble } from "../platform/file_error.ts";
import type { FileLock, FileSystem } from "../platform/file_system.ts";
import { withOwner } from "../platform/owned_files.ts";
import { settledOrDue } from "../replica/settled_or_due.ts";
import { ANSWER_SUFFIX, asksPath, isQuestion, removeUnlessGone, SERVED } from "./ask.ts";
import { formatResults, isOrder, parseOrder, type SnapshotOrder } from "./order.ts";

const ROOT = 0;

/** How often questions are looked for where the system does not tell of them, and whether there is a place by now. */
const LOOK_AGAIN_MS = 1_000;
/** Where it does tell. */
const LOOK_AGAIN_WATCHED_MS = 10_000;
/** Whoever asked does not wait for so long: an answer that is older was left behind. */
const LEFT_BEHIND_MS = 60_000;
/** At the end an order is refused at once, unless a device hangs under it. */
const LAST_WORD_MS = 1_000;

export interface AnswersOptions {
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly log: Logger;
  readonly watchFolder: FolderWatcher;
  readonly userId: number | undefined;
  /** The state directory, wherever the path of the database leads now; undefined while there is none to be used. */
  readonly statePath: () => string | undefined;
  /** How the database stands, found out after it was asked. */
  readonly answer: () => Promise<Readonly<Record<string, unknown>>>;
  /** Does what is ordered, which may take its time, and says what became of it. */
  readonly carryOut: (order: SnapshotOrder) => Promise<Readonly<Record<string, unknown>>>;
}

interface Place {
  readonly folder: string;
  readonly files: FileSystem;
  readonly lock: FileLock;
  readonly identity: string;
  readonly watch: { close(): void } | undefined;
}

export class Answers {
  readonly #options: AnswersOptions;
  readonly #stopped = new AbortController();
  readonly #asked = new Notifier();
  readonly #finished: Promise<void>;
  readonly #underWay = new Map<string, Promise<void>>();
  #place: Place | undefined;
  #saidProblem: string | undefined;

  constructor(options: AnswersOptions) {
    this.#options = options;
    this.#finished = this.#run(this.#stopped.signal);
  }

  /** Looks at once whether there is a state directory by now. */
  look(): void {
    this.#asked.notify();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#finished;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const asked = this.#asked.next();
      try {
        this.#takePlace();
        this.#carryOutAll();
        await this.#answerAll();
        this.#removeLeftBehind((name) => !isOrder(name));
      } catch (error) {
        this.#leave();
        this.#sayProblem("Nobody can be answered", error);
      }
      const pauseMs = this.#place?.watch === undefined ? LOOK_AGAIN_MS : LOOK_AGAIN_WATCHED_MS;
      await settledOrDue(this.#options.clock, asked, pauseMs, signal);
    }
    await unlessLate(this.#options.clock, LAST_WORD_MS, Promise.all(this.#underWay.values()));
    this.#leave();
  }

  /** Who asks meanwhile is answered; who gave the order waits. */
  #carryOutAll(): void {
    const place = this.#place;
    if (place === undefined) return;
    for (const name of place.files.list(place.folder).filter(isOrder)) {
      const path = `${place.folder}/${name}`;
      if (!this.#underWay.has(path)) this.#underWay.set(path, this.#carryOut(place.files, path));
    }
  }

  /** Once: what cannot be answered, as on a full disk, is not done again for that, but answered when it can be. */
  async #carryOut(files: FileSystem, path: string): Promise<void> {
    const { clock, log } = this.#options;
    const { signal } = this.#stopped;
    const text = `${JSON.stringify(await this.#resultOf(files, path))}\n`;
    let saidProblem: string | undefined;
    do {
      const problem = problemOf(() => answerOne(files, path, text));
      if (problem === undefined) break;
      if (problem !== saidProblem) log.warn("An order cannot be answered", { reason: problem });
      saidProblem = problem;
      await clock.sleep(LOOK_AGAIN_MS, signal);
    } while (!signal.aborted);
    this.#underWay.delete(path);
  }

  async #resultOf(files: FileSystem, path: string): Promise<Readonly<Record<string, unknown>>> {
    try {
      const order = parseOrder(readOwn(files, path));
      if (order !== undefined) return await this.#options.carryOut(order);
      return formatResults([{ replica: "", problem: "the process that replicates it does not understand the order" }]);
    } catch (error) {
      return formatResults([{ replica: "", problem: messageOf(error) }]);
    }
  }

  /** A state directory is made by who takes the database up, and may be deleted and made again. */
  #takePlace(): void {
    const { files: system, userId, statePath, watchFolder } = this.#options;
    if (this.#place !== undefined && identityOf(system, this.#place.folder) === this.#place.identity) return;
    this.#leave();
    const path = statePath();
    const state = path === undefined ? undefined : system.linkStatus(path);
    if (path === undefined || state?.kind !== "folder") return;
    const files = userId === 0 ? withOwner(system, state.owner, state.group) : system;
    const folder = asksPath(path);
    files.makeFolder(folder);
    if (files.linkStatus(folder)?.kind !== "folder") return;
    const lock = files.tryLock(`${folder}/${SERVED}`);
    if (lock === undefined) return; // Another process answers, or somebody looks whether one does.
    try {
      const identity = identityOf(files, folder);
      const watch = watchFolder(folder, () => this.#asked.notify());
      this.#place = { folder, files, lock, identity, watch };
    } finally {
      if (this.#place === undefined) lock.release();
    }
    this.#removeLeftBehind(() => true);
  }

  /** What others did not take away, or an earlier process did not get to. */
  #removeLeftBehind(isMeant: (name: string) => boolean): void {
    if (this.#place === undefined) return;
    const { files, folder } = this.#place;
    const nowMs = this.#options.clock.now().getTime();
    for (const name of files.list(folder)) {
      const path = `${folder}/${name}`;
      if (isQuestion(name) || name === SERVED || !isMeant(name) || this.#underWay.has(path)) continue;
      const status = files.linkStatus(path);
      const isOld = status !== undefined && nowMs - status.modifiedAtMs > LEFT_BEHIND_MS;
      if (status?.kind === "folder") continue;
      if (isOld) removeUnlessGone(files, path);
    }
  }

  #leave(): void {
    this.#place?.watch?.close();
    this.#place?.lock.release();
    this.#place = undefined;
  }

  async #answerAll(): Promise<void> {
    const place = this.#place;
    const isFile = (name: string) => place?.files.linkStatus(`${place.folder}/${name}`)?.kind === "file";
    const questions = place?.files.list(place.folder).filter((name) => isQuestion(name) && isFile(name)) ?? [];
    if (place === undefined || questions.length === 0) return;
    const text = `${JSON.stringify(await this.#options.answer())}\n`;
    let failure: unknown;
    for (const question of questions) {
      try {
        answerOne(place.files, `${place.folder}/${question}`, text);
      } catch (error) {
        failure ??= error; // Whoever else asks is answered all the same.
      }
    }
    if (failure === undefined) this.#saidProblem = undefined;
    else this.#sayProblem("A question cannot be answered", failure);
  }

  #sayProblem(what: string, error: unknown): void {
    const problem = messageOf(error);
    if (!isSameTrouble(problem, this.#saidProblem)) this.#options.log.warn(what, { reason: problem });
    this.#saidProblem = problem;
  }
}

function problemOf(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Not synced: an answer is of no use to anybody after a power cut. */
function answerOne(files: FileSystem, question: string, text: string): void {
  if (files.linkStatus(question) === undefined) return; // Whoever asked has gone.
  const draft = `${question}.tmp`;
  const file = files.open(draft, "create");
  try {
    file.truncate(0);
    file.writeAt(new TextEncoder().encode(text), 0);
  } finally {
    file.close();
  }
  files.rename(draft, `${question}${ANSWER_SUFFIX}`);
  removeUnlessGone(files, question);
}

/** Undefined unless it is a file of whoever the folder belongs to, or of root. */
function readOwn(files: FileSystem, path: string): string | undefined {
  const [file, folder] = [files.linkStatus(path), files.linkStatus(dirname(path))];
  const isOwn = file?.kind === "file" && (file.owner === folder?.owner || file.owner === ROOT);
  return isOwn ? files.readText(path) : undefined;
}

function identityOf(files: FileSystem, folder: string): string {
  return `${files.linkStatus(folder)?.identity} ${files.linkStatus(`${folder}/${SERVED}`)?.identity}`;
}
