/**
 * Becomes another program that inherits orphans, as the first process of a container does:
 *
 *     deno run -A tests/support/subreaper.ts PROGRAM [ARGUMENTS]
 */
const PR_SET_CHILD_SUBREAPER = 36;

const { symbols: libc } = Deno.dlopen("libc.so.6", {
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  execvp: { parameters: ["buffer", "buffer"], result: "i32" },
});

const words = Deno.args.map((word) => new TextEncoder().encode(`${word}\0`).subarray());
const pointers = BigUint64Array.from([
  ...words.map((word) => Deno.UnsafePointer.value(Deno.UnsafePointer.of(word))),
  0n,
]);
libc.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n);
libc.execvp(words[0] ?? null, new Uint8Array(pointers.buffer));
throw new Error(`Cannot become ${Deno.args[0]}`);
