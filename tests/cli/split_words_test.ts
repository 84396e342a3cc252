import { ReplicationError } from "../../lib/base/errors.ts";
import { splitWords } from "../../lib/cli/split_words.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

for (
  const [line, words] of [
    ["", []],
    ["   \t ", []],
    ["server", ["server"]],
    ["  server  --port\t8000 \n", ["server", "--port", "8000"]],
    ["sh -c 'exit 7'", ["sh", "-c", "exit 7"]],
    ['say "two words"', ["say", "two words"]],
    [`say 'it is "quoted"'`, ["say", 'it is "quoted"']],
    [`say "it's"`, ["say", "it's"]],
    ["a''b", ["ab"]],
    ["''", [""]],
    ['a "" b', ["a", "", "b"]],
    ["one\\ word", ["one word"]],
    ["a\\'b", ["a'b"]],
    ['"a\\"b"', ['a"b']],
    ['"a\\\\b"', ["a\\b"]],
    ['"a\\nb"', ["a\\nb"]],
    ['"\\$HOME \\`x\\`"', ["$HOME `x`"]],
    ["'a\\b'", ["a\\b"]],
    ["$HOME *.db", ["$HOME", "*.db"]],
    ["x='a b'c", ["x=a bc"]],
    ["über 日本", ["über", "日本"]],
    ["end\\", ["end"]],
  ] as const
) {
  Deno.test(`splitWords() of ${JSON.stringify(line)} gives ${JSON.stringify(words)}`, () => {
    assertEquals(splitWords(line), [...words]);
  });
}

for (const line of ["'", 'say "two', "a 'b' 'c", 'x "a\\"']) {
  Deno.test(`splitWords() refuses the quote that is never closed in ${JSON.stringify(line)}`, () => {
    const quote = line.includes('"') ? '"' : "'";
    const error = assertThrows(() => splitWords(line), ReplicationError, `a quote ${quote} is never closed`);
    assertEquals(error.code, "usage");
  });
}
