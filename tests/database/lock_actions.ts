/** What a process does with the files of a database while it has locks on them; run in another process by name. */
import fs from "node:fs";
import { openFileEvents } from "../../lib/platform/file_events.ts";

export function openAndClose(path: string): void {
  Deno.openSync(path).close();
}

export function readWhole(path: string): void {
  Deno.readFileSync(path);
}

export function copy(path: string, to: string): void {
  Deno.copyFileSync(path, to);
}

let kept: number | undefined;

/** Before the database is opened. */
export function keepDescriptor(path: string): void {
  kept = fs.openSync(path, "r");
}

/** Everything that is safe. */
export function lookWithoutClosing(path: string): void {
  Deno.statSync(path);
  Deno.lstatSync(path);
  Deno.realPathSync(path);
  fs.accessSync(path);
  Deno.chmodSync(path, 0o640);
  Deno.utimeSync(path, 1, 1);
  Deno.chownSync(path, Deno.uid(), Deno.gid());
  Deno.renameSync(path, `${path}.renamed`);
  Deno.renameSync(`${path}.renamed`, path);
  Deno.linkSync(path, `${path}.link`);
  Deno.removeSync(`${path}.link`);
  const folder = path.slice(0, path.lastIndexOf("/"));
  fs.readdirSync(folder);
  fs.statfsSync(path);
  const descriptor = fs.openSync(folder, "r");
  fs.fsyncSync(descriptor);
  fs.closeSync(descriptor);
  if (kept !== undefined) fs.readSync(kept, new Uint8Array(100), 0, 100, 0);
}

const seenByInotify = new Set<string>();

export function watchByInotify(folder: string): void {
  openFileEvents()?.watchFolder(folder, (name) => seenByInotify.add(name));
}

export function namesSeenByInotify(): string[] {
  return [...seenByInotify];
}

let seenByRuntime = 0;

export function watchByRuntime(folder: string): void {
  const watcher = Deno.watchFs(folder);
  (async () => {
    for await (const _event of watcher) seenByRuntime++;
  })();
}

export function eventsSeenByRuntime(): number {
  return seenByRuntime;
}

/** Unmakes the first of the wal-index's two header copies, as a writer does that is killed between them. */
export function tearWalIndex(path: string): void {
  const file = Deno.openSync(path, { read: true, write: true });
  file.seekSync(8, Deno.SeekMode.Start);
  file.writeSync(Uint8Array.of(0xff, 0xff, 0xff, 0x7f));
  file.close();
}

export function throwLater(): void {
  setTimeout(() => {
    throw new Error("Nobody catches this");
  }, 0);
}
