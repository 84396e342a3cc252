/** A run in parts: replicas and what was found of them are kept in a folder, until the last part adds everything up. */
import { added, type RunResult } from "./verify_run.ts";
import type { Replica } from "./verify_trial.ts";

export interface Part {
  readonly number: number;
  readonly of: number;
}

/** "2/4". */
export function parsePart(text: string): Part {
  const [number = NaN, of = NaN] = text.split("/").map(Number);
  if (!(Number.isInteger(of) && Number.isInteger(number) && number >= 1 && number <= of)) {
    throw new Error(`Cannot run part ${text}: it must be like 2/4`);
  }
  return { number, of };
}

/** Those of the part before, else new ones: the same parts of other replicas would not be all of any. */
export async function keptReplicas(folder: string, make: (folder: string) => Promise<readonly Replica[]>) {
  const path = `${folder}/replicas.json`;
  const kept = readJson<readonly Replica[]>(path);
  if (kept !== undefined) return kept;
  const made = await make(Deno.makeTempDirSync({ dir: folder })); // What a run that was ended has left is none.
  Deno.writeTextFileSync(path, JSON.stringify(made));
  return made;
}

/** What this part found with all others; undefined while some are missing. */
export function withOtherParts(folder: string, { number, of }: Part, result: RunResult): RunResult | undefined {
  Deno.writeTextFileSync(pathOf(folder, number, of), JSON.stringify(result));
  const all = Array.from({ length: of }, (_, slot) => readJson<RunResult>(pathOf(folder, slot + 1, of)));
  return all.every((one) => one !== undefined) ? added(all) : undefined;
}

function pathOf(folder: string, number: number, of: number): string {
  return `${folder}/part-${number}-of-${of}.json`;
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
