/** A program that writes more than it may, in each of the ways, and prints what became of it: run under `ulimit -f`. */
import { ReplicationError } from "../../lib/base/errors.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";

const TOO_MUCH = 3 << 20;

export interface LimitedWrite {
  readonly way: string;
  readonly code: string;
  readonly message: string;
  readonly size: number;
}

async function tryWrite(folder: string, way: string, write: (path: string) => Promise<void> | void) {
  const path = `${folder}/${way}`;
  try {
    await write(path);
    return { way, code: "none", message: "", size: Deno.statSync(path).size };
  } catch (error) {
    const code = error instanceof ReplicationError ? error.code : "untranslated";
    return { way, code, message: (error as Error).message, size: Deno.statSync(path).size };
  }
}

async function main(folder: string): Promise<LimitedWrite[]> {
  const files = new DenoFileSystem();
  const bytes = new Uint8Array(TOO_MUCH).fill(7);
  return [
    await tryWrite(folder, "writeAt", (path) => files.open(path, "create").writeAt(bytes, 0)),
    await tryWrite(folder, "writeAtLater", (path) => files.open(path, "create").writeAtLater(bytes, 0)),
    await tryWrite(folder, "openLater", async (path) => (await files.openLater(path, "create")).writeAtLater(bytes, 0)),
  ];
}

if (import.meta.main) console.log(JSON.stringify(await main(Deno.args[0] ?? "")));
