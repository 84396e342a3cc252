/**
 * What a variable of the environment holds beside what was meant: an `env_file` keeps quotes, a secret from a file ends
 * with a line feed. Litestream puts variables into the text of the YAML, which takes both off; so do we, and say it.
 */
export interface CleanValue {
  readonly text: string;
  /** What was taken off; completes "without ...". Undefined: nothing. */
  readonly removed: string | undefined;
}

/** The variables of the environment, none of which is ever read without being cleaned; undefined: it is not set. */
export type Environment = (name: string) => CleanValue | undefined;

export function cleanEnvironment(read: (name: string) => string | undefined): Environment {
  return (name) => {
    const value = read(name);
    return value === undefined ? undefined : cleanVariable(value);
  };
}

function cleanVariable(value: string): CleanValue {
  const trimmed = value.trim();
  const inner = unquoted(trimmed);
  const removed = [
    ...(trimmed === value ? [] : [/[\r\n]/.test(value) ? "the line feed at its end" : "the white space at its ends"]),
    ...(inner === undefined ? [] : ["the quotes around it"]),
  ];
  return { text: inner ?? trimmed, removed: removed.length === 0 ? undefined : removed.join(" and ") };
}

/** Quotes with the same quote between them are not around the whole: `"a program" "its file"`. */
function unquoted(text: string): string | undefined {
  return /^(["'])((?:(?!\1).)*)\1$/s.exec(text)?.[2];
}
