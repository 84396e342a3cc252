/** How far some work is, in units of its own (bytes): looked at when somebody wants to know, never pushed. */
export interface ProgressSource {
  readonly done: number;
  /** 0 while not known yet. */
  readonly total: number;
}

/** The worker's side. */
export class Progress implements ProgressSource {
  #done = 0;
  #total = 0;

  get done(): number {
    return this.#done;
  }

  get total(): number {
    return this.#total;
  }

  begin(total: number): void {
    this.#done = 0;
    this.#total = total;
  }

  add(amount: number): void {
    this.#done += amount;
  }
}
