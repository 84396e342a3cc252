/**
 * Looks at the whole database file again and again, slowly: whether every page is what was captured. The first look makes the
 * page table and is as fast as it can be. Whoever reads the file anyway, as a snapshot does, shows what it reads.
 */
import type { Logger } from "../base/log.ts";
import { limits } from "../base/limits.ts";
import type { Clock } from "../platform/clock.ts";
import { lookAgain, lookAtFile, seePages } from "./file_look.ts";
import type { Session } from "./session.ts";
import type { FileLooker } from "./snapshot_image.ts";

const WORK_MS = 5;
/** While somebody else shows the file, nobody else need read it. */
const SHOWN_MS = 500;
const NAMED_MAX = 20;

export class Scrub {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #intervalMs: number;
  #session: Session | undefined;
  #suspects: number[] = [];
  #lastLookMs = 0;
  #shownMs = -Infinity;

  /** `intervalMs`: how long a look at the whole file may take; 0: none but the first. */
  constructor(clock: Clock, log: Logger, intervalMs: number) {
    this.#clock = clock;
    this.#log = log;
    this.#intervalMs = intervalMs;
  }

  /** Whether there is work that should not wait. */
  isBusy(session: Session | undefined): boolean {
    return session?.shadow.pages?.isBuilding === true && !this.#isShown();
  }

  /** Looks as far as it is time. A sentence about pages that are certainly not what was captured. */
  async turn(session: Session): Promise<string | undefined> {
    this.#follow(session);
    if (this.#suspects.length > 0) return await this.#judge(session);
    const { watch, open, shadow } = session;
    const start = this.#clock.monotonicMs();
    while (this.#isDue(session) && watch.isFileKnown && this.#clock.monotonicMs() - start < WORK_MS) {
      const { pages } = shadow;
      if (pages?.isUsable === true && !pages.isPassUnderWay) {
        pages.beginPass({ index: shadow.index, offset: shadow.offset });
      }
      this.#lastLookMs = this.#clock.monotonicMs();
      if (watch.isLifeCopied) pages?.noteCopied();
      this.#suspects.push(...lookAtFile(open, shadow).different);
    }
    return undefined;
  }

  /** For whoever reads the file of the session that is current then. */
  looker(current: () => Session | undefined): FileLooker {
    return {
      begin: () => {
        const { shadow } = current() ?? {};
        shadow?.pages?.beginPass({ index: shadow.index, offset: shadow.offset });
      },
      see: (position, bytes, isEnd) => {
        const session = current();
        const pageSize = session?.shadow.pages?.pageSize;
        if (session === undefined || pageSize === undefined || position % pageSize !== 0) return;
        if (!session.watch.isFileKnown) return;
        this.#shownMs = this.#clock.monotonicMs();
        this.#follow(session);
        this.#suspects.push(...seePages(session.shadow, position / pageSize + 1, bytes, isEnd).different);
      },
    };
  }

  #follow(session: Session): void {
    if (session === this.#session) return;
    this.#session = session;
    this.#suspects = [];
    this.#lastLookMs = this.#clock.monotonicMs();
  }

  #isShown(): boolean {
    return this.#clock.monotonicMs() - this.#shownMs < SHOWN_MS;
  }

  #isDue({ shadow: { pages } }: Session): boolean {
    if (pages === undefined || this.#suspects.length > 0) return false;
    if (pages.isBuilding) return !this.#isShown();
    if (!pages.isUsable || this.#intervalMs === 0) return false;
    const pieces = Math.max(1, pages.databasePages * pages.pageSize / limits.transferBytes);
    return this.#clock.monotonicMs() - this.#lastLookMs >= this.#intervalMs / pieces;
  }

  /** What differs when everything is captured, and the page is looked at again, differs. */
  async #judge({ watch, open, shadow }: Session): Promise<string | undefined> {
    if (await watch.captureAll() !== undefined || !watch.isFileKnown) return undefined;
    const different = lookAgain(open, shadow, this.#suspects);
    this.#suspects = [];
    if (different.length === 0) return undefined;
    const named = different.slice(0, NAMED_MAX).join(", ");
    const rest = different.length > NAMED_MAX ? ` and ${different.length - NAMED_MAX} more` : "";
    const what = `${different.length === 1 ? "page" : "pages"} ${named}${rest} of the database file`;
    this.#log.error(`Somebody other than SQLite has written ${what}: not what was captured`, {
      confirmed_before: shadow.pages?.confirmedAt?.index,
      advice:
        "check the disk, and the database with PRAGMA integrity_check; every earlier point of the replicas restores",
    });
    return `${what} ${different.length === 1 ? "is" : "are"} not what was captured`;
  }
}
