const MAIN = new URL("../../main.ts", import.meta.url).href;

export interface CommandOptions {
  readonly folder?: string;
  /** Added to the environment of this process. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the real program as its own process to its end. */
export async function runTailrace(words: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const output = await tailraceCommand(words, options).output();
  const decoder = new TextDecoder();
  return { code: output.code, stdout: decoder.decode(output.stdout), stderr: decoder.decode(output.stderr) };
}

/** The same, not yet started; all three streams are piped or null, as `output()` and `spawn()` want them. */
export function tailraceCommand(words: readonly string[], options: CommandOptions = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--quiet", MAIN, ...words],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    // A config of the machine that runs the tests is none of theirs.
    env: { TAILRACE_CONFIG: "", LITESTREAM_CONFIG: "", NO_COLOR: "", ...options.environment },
    ...(options.folder === undefined ? {} : { cwd: options.folder }),
  });
}
