import type { Environment } from "../base/environment_value.ts";

/**
 * `$NAME` and `${NAME}` inside one value become the variable's value, `$$` becomes `$`. A `$` that begins none of these
 * stays as it is. What is put in is not expanded again.
 */
export type Expansion =
  | { readonly kind: "text"; readonly text: string; readonly cleaned: readonly Cleaned[] }
  | { readonly kind: "undefined"; readonly name: string }
  | { readonly kind: "malformed"; readonly found: string };

/** A variable that holds more than was meant. */
export interface Cleaned {
  readonly name: string;
  readonly removed: string;
}

const REFERENCE = /\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([^}]*)(\}?))/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function expandVariables(text: string, lookup: Environment): Expansion {
  let result = "";
  let copiedTo = 0;
  const cleaned: Cleaned[] = [];
  for (const match of text.matchAll(REFERENCE)) {
    const [found, dollar, bare, braced = "", closing = ""] = match;
    const isNamed = dollar !== undefined || bare !== undefined || (closing !== "" && NAME.test(braced));
    if (!isNamed) return { kind: "malformed", found };
    const name = bare ?? braced;
    const value = dollar === undefined ? lookup(name) : { text: dollar, removed: undefined };
    if (value === undefined) return { kind: "undefined", name };
    if (value.removed !== undefined) cleaned.push({ name, removed: value.removed });
    result += text.slice(copiedTo, match.index) + value.text;
    copiedTo = match.index + found.length;
  }
  return { kind: "text", text: result + text.slice(copiedTo), cleaned };
}
