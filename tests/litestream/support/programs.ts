/** The programs that `deno task test:litestream` has made ready, run to their end with bytes in and bytes out. */
import { spawnSync } from "node:child_process";

const VARIABLES = {
  litestream: "TAILRACE_TEST_LITESTREAM",
  lz4: "TAILRACE_TEST_LZ4",
  age: "TAILRACE_TEST_AGE",
} as const;

const OUTPUT_MAX_BYTES = 1 << 30;

export type Program = keyof typeof VARIABLES;

export function programPath(program: Program): string {
  const path = Deno.env.get(VARIABLES[program]);
  if (path !== undefined && path !== "") return path;
  throw new Error(`${VARIABLES[program]} is not set: run the test by "deno task test:litestream PATH"`);
}

/** What the program makes of the bytes. */
export function filter(program: Program, words: readonly string[], input: Uint8Array): Uint8Array<ArrayBuffer> {
  const { status, stdout, stderr } = spawnSync(programPath(program), [...words], {
    input,
    maxBuffer: OUTPUT_MAX_BYTES,
  });
  if (status !== 0) throw new Error(`${program} ${words.join(" ")} ended with ${status}: ${stderr}`);
  return new Uint8Array(stdout);
}

/** One LZ4 frame by the `lz4` program; without more options it has Litestream's own header (`64 70`, 4 MiB blocks). */
export function lz4(bytes: Uint8Array, ...options: readonly string[]): Uint8Array<ArrayBuffer> {
  return filter("lz4", ["-1", ...(options.some((option) => /^-B\d$/.test(option)) ? [] : ["-B7"]), ...options], bytes);
}

/** As above, with the content's size in the frame header, which `lz4` can say of files only. */
export function lz4WithSize(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const path = Deno.makeTempFileSync({ prefix: "tailrace-lz4-" });
  try {
    Deno.writeFileSync(path, bytes);
    return filter("lz4", ["-1", "-B7", "-c", "--content-size", path], new Uint8Array());
  } finally {
    Deno.removeSync(path);
  }
}
