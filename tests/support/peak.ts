/** The real program as its own process, with the peak of its resident memory. */
import { testedProgram } from "./program.ts";
import { type CommandResult, runTailrace } from "./tailrace.ts";

const WRAPPER = new URL("./peak_program.ts", import.meta.url).pathname;

export interface MeasuredResult extends CommandResult {
  /** The largest of all its processes, one by one. */
  readonly peakBytes: number;
}

/** `folder`: for files of the measurement. `input` is the program's stdin. */
export async function runMeasured(folder: string, words: readonly string[], input = ""): Promise<MeasuredResult> {
  const { command, parameters, environment, ...program } = testedProgram;
  const [file, inputFile] = [`${folder}/peak`, `${folder}/input`];
  Deno.writeTextFileSync(inputFile, input);
  const wrapped = {
    ...program,
    command: Deno.execPath(),
    parameters: ["run", "--allow-all", "--quiet", "--no-config", WRAPPER, file, inputFile, command, ...parameters],
    environment,
  };
  const result = await runTailrace(words, { program: wrapped, folder });
  return { ...result, peakBytes: Number(Deno.readTextFileSync(file)) };
}
