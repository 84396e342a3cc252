/** What benchmarks of this folder have in common: rows with a target, and a folder that is gone afterwards. */
import { complain, option, say } from "./project.ts";

/** Says what was measured; whether the target was reached. */
export function row(what: string, measured: string, target: string, isOk: boolean, remark?: string): boolean {
  const behind = remark === undefined ? "" : `   (${remark})`;
  say(`${what.padEnd(52)} ${measured.padStart(14)}   ${target}: ${isOk ? "ok" : "missed"}${behind}`);
  return isOk;
}

/** In a folder of its own, below `--folder`; the exit code. */
export async function runBench(bench: (folder: string) => Promise<boolean>): Promise<number> {
  const parent = option("folder");
  const folder = Deno.makeTempDirSync({ prefix: "tailrace-bench-", ...(parent === undefined ? {} : { dir: parent }) });
  try {
    return await bench(folder) ? 0 : 1;
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return 1;
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
