const HIDDEN = "(secret)";

/** A value that cannot be printed by accident: not in messages, logs, JSON, nor by inspecting the object. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that needs it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [Symbol.for("Deno.customInspect")](): string {
    return HIDDEN;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return HIDDEN;
  }
}

/**
 * A URL, or a sentence with one in it, without its user-info and query: `sftp://me:word@host/x?key=y` becomes
 * `sftp://(secret)@host/x?(secret)`.
 * Everything up to the last `@` is hidden, since a password that nobody percent-encoded may itself hold `@`, `/`, blanks.
 */
export function withoutUserInfo(text: string): string {
  return text.replace(/([A-Za-z][A-Za-z0-9+.-]*:\/\/).*@/s, `$1${HIDDEN}@`)
    .replace(/([A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s?]*)\?\S+/g, `$1?${HIDDEN}`);
}
