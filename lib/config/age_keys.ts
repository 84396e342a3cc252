/**
 * The keys of age in a config. Each text holds one key a line, as key files do; lines that are empty or begin with `#`
 * count for nothing. What is looked at here is the form of a key: whether it is one, only its use shows.
 */
const IDENTITY = /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/;
const RECIPIENT = /^age1[02-9ac-hj-np-z]{58}$/;

export type AgeKeyKind = "identity" | "recipient";

export type AgeKeys =
  | { readonly kind: "keys"; readonly keys: readonly string[] }
  /** `expected` completes "it must be ..."; it never quotes what was found. */
  | { readonly kind: "wrong"; readonly expected: string };

export function parseAgeKeys(kind: AgeKeyKind, text: string): AgeKeys {
  const keys = text.split("\n").map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  const pattern = kind === "identity" ? IDENTITY : RECIPIENT;
  const isWrong = keys.length === 0 || keys.some((key) => !pattern.test(key));
  return isWrong ? { kind: "wrong", expected: EXPECTED[kind] } : { kind: "keys", keys };
}

const EXPECTED: Readonly<Record<AgeKeyKind, string>> = {
  identity: 'an identity of age, "AGE-SECRET-KEY-1" and 58 characters',
  recipient: 'a recipient of age, "age1" and 58 characters',
};
