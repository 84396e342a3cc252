/**
 * `$NAME` and `${NAME}` inside one value become the variable's value. A `$` that begins neither stays as it is, `$$` too:
 * there is no escape. What is put in is not expanded again.
 */
export type Expansion =
  | { readonly kind: "text"; readonly text: string; readonly expanded: boolean }
  | { readonly kind: "undefined"; readonly name: string }
  | { readonly kind: "malformed"; readonly found: string };

const REFERENCE = /\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([^}]*)(\}?))/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function expandVariables(text: string, lookup: (name: string) => string | undefined): Expansion {
  let result = "";
  let copiedTo = 0;
  for (const match of text.matchAll(REFERENCE)) {
    const [found, bare, braced = "", closing = ""] = match;
    if (bare === undefined && (closing === "" || !NAME.test(braced))) return { kind: "malformed", found };
    const name = bare ?? braced;
    const value = lookup(name);
    if (value === undefined) return { kind: "undefined", name };
    result += text.slice(copiedTo, match.index) + value;
    copiedTo = match.index + found.length;
  }
  return { kind: "text", text: result + text.slice(copiedTo), expanded: copiedTo > 0 };
}
