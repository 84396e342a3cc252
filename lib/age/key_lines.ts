/**
 * A text of keys, as age reads it: one key a line; blank lines and those that begin with `#` are left out. Blanks around
 * a key, which age does not take, count for nothing. A text without any key is a mistake.
 *
 * A key is never shown, whichever list it stands in: somebody may have written an identity among the recipients. Hence no
 * error here has a cause either, since those of the library quote the key.
 */
import { ReplicationError } from "../base/errors.ts";

export interface KeyKind {
  readonly noun: string;
  readonly plural: string;
  readonly beginning: string;
}

export const IDENTITY: KeyKind = { noun: "an identity", plural: "identities", beginning: "AGE-SECRET-KEY-1" };
export const RECIPIENT: KeyKind = { noun: "a recipient", plural: "recipients", beginning: "age1" };

/** What stands before the last `1` tells the kind: hybrid and tag recipients, hybrid and plug-in identities. */
const OTHER_KINDS = /^(age1[a-z0-9-]*1|AGE-SECRET-KEY-PQ-1|AGE-PLUGIN-)/;

/** Gives each key of the texts to `use`, which throws when it is none, and returns the keys. */
export function readKeys(texts: readonly string[], kind: KeyKind, use: (key: string) => void): string[] {
  return texts.flatMap((text, at) => {
    const entry = texts.length === 1 ? "" : ` of entry ${at + 1}`;
    const keys = text.split("\n").flatMap((line, i) => {
      const key = line.trim();
      if (key === "" || key.startsWith("#")) return [];
      const problem = problemOf(key, kind, use);
      if (problem !== undefined) throw keyError(kind, `line ${i + 1}${entry} ${problem}`);
      return [key];
    });
    if (keys.length === 0) throw keyError(kind, `${entry === "" ? "the text" : `entry ${at + 1}`} holds none`);
    return keys;
  });
}

function problemOf(key: string, kind: KeyKind, use: (key: string) => void): string | undefined {
  const other = kind === IDENTITY ? RECIPIENT : IDENTITY;
  if (OTHER_KINDS.test(key)) return "is of a kind that is not supported (X25519 alone is)";
  if (key.startsWith(other.beginning)) return `is ${other.noun} (it should be ${kind.noun})`;
  if (!key.startsWith(kind.beginning)) return `is not ${kind.noun} (it should begin with ${kind.beginning})`;
  try {
    use(key);
    return undefined;
  } catch {
    return "is mistyped or not whole";
  }
}

function keyError(kind: KeyKind, problem: string): ReplicationError {
  return new ReplicationError("config-invalid", `Cannot use the age ${kind.plural}: ${problem}`);
}
