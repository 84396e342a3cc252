/** Calls whose answers may come when whoever made them has given them up: a test waits for them before it ends. */
export class CallsUnderWay {
  readonly #calls = new Set<Promise<unknown>>();

  note<T>(call: Promise<T>): Promise<T> {
    this.#calls.add(call);
    const forget = () => void this.#calls.delete(call);
    call.then(forget, forget);
    return call;
  }

  /** Resolves when nothing is under way any more. */
  async ended(): Promise<void> {
    while (this.#calls.size > 0) {
      await Promise.allSettled(this.#calls);
      await new Promise((resolve) => setTimeout(resolve)); // Whoever has an answer asks for the next.
    }
  }
}
