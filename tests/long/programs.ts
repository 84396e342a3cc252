/** The real program and a real application, as processes that can be killed. */
import { testedProgram } from "../support/program.ts";
import { tailraceCommand } from "../support/tailrace.ts";

const WRITER = new URL("../support/writer.ts", import.meta.url).pathname;

export interface Daemon {
  readonly process: Deno.ChildProcess;
  /** What it has said so far. */
  lines(): readonly string[];
  kill(signal: Deno.Signal): Promise<number>;
}

export function startDaemon(words: readonly string[]): Daemon {
  const process = new Deno.Command(testedProgram.command, {
    args: [...testedProgram.parameters, "replicate", ...words],
    env: testedProgram.environment,
    stderr: "piped",
    stdout: "null",
  }).spawn();
  const lines: string[] = [];
  const read = (async () => {
    let rest = "";
    for await (const chunk of process.stderr.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
    }
  })();
  return {
    process,
    lines: () => lines,
    kill: async (signal) => {
      try {
        process.kill(signal);
      } catch (error) {
        throw new Error(`The daemon had ended already:\n${lines.join("\n")}`, { cause: error });
      }
      const { code } = await process.status;
      await read;
      return code;
    },
  };
}

export function startWriter(database: string, flags: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", WRITER, database, ...flags],
    stdout: "null",
    stderr: "inherit",
  }).spawn();
}

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function tailrace(...args: string[]): Promise<Result> {
  const output = await tailraceCommand(args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr) };
}
