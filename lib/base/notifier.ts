/** Tells waiters that something has changed. Take `next()` before looking, then no change is lost between look and wait. */
export class Notifier {
  #waiting = Promise.withResolvers<void>();

  next(): Promise<void> {
    return this.#waiting.promise;
  }

  notify(): void {
    const due = this.#waiting;
    this.#waiting = Promise.withResolvers<void>();
    due.resolve();
  }
}
