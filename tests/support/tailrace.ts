import { type Program, testedProgram } from "./program.ts";

export interface CommandOptions {
  readonly folder?: string;
  /** Added to the environment of this process. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Instead of the one that is tested. */
  readonly program?: Program;
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
  const { command, parameters, environment } = options.program ?? testedProgram;
  return new Deno.Command(command, {
    args: [...parameters, ...words],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { ...environment, NO_COLOR: "", ...options.environment },
    ...(options.folder === undefined ? {} : { cwd: options.folder }),
  });
}
