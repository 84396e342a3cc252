/**
 * `gzip_memory.ts FILE`: by how many bytes the peak of the resident memory rises when the content of a gzip file is read from
 * its start, and when it is then read from its end, 16 times.
 */
import { openGzip } from "../../lib/platform/gzip.ts";

const path = Deno.args[0] ?? "";
const file = Deno.openSync(path);
const stored = {
  sizeBytes: Deno.statSync(path).size,
  read(at: number, into: Uint8Array): Promise<number> {
    file.seekSync(at, Deno.SeekMode.Start);
    return Promise.resolve(file.readSync(into) ?? 0);
  },
};

function peakBytes(): number {
  return Number(/VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))?.[1]) * 1_024;
}

const before = peakBytes();
const opened = openGzip(stored, path);
const size = await opened.size();
const forward = peakBytes();
const into = new Uint8Array(1 << 20);
for (let piece = 1; piece <= 16; piece++) await opened.read(size - piece * into.length, into);
console.log(forward - before, peakBytes() - before);
opened.close();
