/** What a process does with checkpoints beside other work; run in another process by name. */
import type { SqliteValue } from "../../lib/sqlite/driver.ts";
import { createNodeDriver } from "../../lib/sqlite/node_driver.ts";
import { assertRejects } from "../support/assert.ts";

const driver = createNodeDriver();

export async function checkpoint(path: string, times = 1): Promise<SqliteValue[] | undefined> {
  for (let i = 1; i < times; i++) await driver.checkpointLater(path);
  return await driver.checkpointLater(path);
}

/** Returns while it runs. */
export function startCheckpoint(path: string): void {
  driver.checkpointLater(path);
}

/** As if an error left the Worker's program; what the checkpoint is rejected with. */
export async function checkpointByBrokenWorker(path: string): Promise<string> {
  const RealWorker = globalThis.Worker;
  globalThis.Worker = class extends RealWorker {
    constructor(_specifier: string | URL, options?: WorkerOptions) {
      super("data:text/javascript,throw new Error('the program is broken')", options);
    }
  };
  try {
    return String(await assertRejects(() => checkpoint(path)));
  } finally {
    globalThis.Worker = RealWorker;
  }
}

/** What each of this process's descriptors stands for. */
export function descriptors(): string[] {
  const folder = "/proc/self/fd";
  return [...Deno.readDirSync(folder)].flatMap(({ name }) => {
    try {
      return [Deno.readLinkSync(`${folder}/${name}`)];
    } catch {
      return []; // The one that the folder was read by.
    }
  });
}
