/**
 * How long a commit takes to be durable in a replica, measured from outside: the writer says when each commit returned, the
 * daemon's debug log says when a position was durable, and the replica's WAL says which commit ends where.
 */
import { FRAME_HEADER_SIZE } from "../lib/wal/frame.ts";
import { WAL_HEADER_SIZE } from "../lib/wal/header.ts";

export interface Durable {
  readonly atMs: number;
  readonly index: number;
  readonly offset: number;
}

/** Reads the daemon's log as it comes, noting when each "Replicated" line arrived. Other lines go to `onLine`. */
export async function followLog(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  durable: Durable[],
  onLine: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const atMs = performance.timeOrigin + performance.now();
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const match = / Replicated .*position=[0-9a-f]{16}\/([0-9a-f]{16}):(\d+)/.exec(line);
      if (match === null) onLine(line);
      else durable.push({ atMs, index: parseInt(match[1] ?? "", 16), offset: Number(match[2]) });
    }
  }
}

export interface WalFacts {
  readonly indexes: number;
  readonly frames: number;
  readonly bytes: number;
  /** End of every commit, in order. */
  readonly commits: readonly { readonly index: number; readonly offset: number }[];
}

/** Walks the replica's WAL files of its only generation. */
export function readWalFacts(replica: string): WalFacts {
  const generations = [...Deno.readDirSync(`${replica}/generations`)].map(({ name }) => name);
  const folder = `${replica}/generations/${generations[0]}/wal`;
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".wal")).sort();
  const commits: { index: number; offset: number }[] = [];
  let frames = 0;
  let bytes = 0;
  for (const name of names) {
    const wal = Deno.readFileSync(`${folder}/${name}`);
    const view = new DataView(wal.buffer);
    const frame = FRAME_HEADER_SIZE + view.getUint32(8);
    bytes += wal.length;
    for (let at = WAL_HEADER_SIZE; at + frame <= wal.length; at += frame) {
      frames++;
      if (view.getUint32(at + 4) !== 0) commits.push({ index: parseInt(name, 16), offset: at + frame });
    }
  }
  return { indexes: names.length, frames, bytes, commits };
}

/** Lag in ms of each of the last commits, whose times the writer noted in order. */
export function lagsOf(wal: WalFacts, committedAtMs: readonly number[], durable: readonly Durable[]): number[] {
  const first = wal.commits.length - committedAtMs.length;
  let next = 0;
  return committedAtMs.map((atMs, i) => {
    const end = wal.commits[first + i];
    if (end === undefined) return NaN;
    while (next < durable.length && isBefore(durable[next], end)) next++;
    return Math.max(0, (durable[next]?.atMs ?? Infinity) - atMs);
  });
}

function isBefore(durable: Durable | undefined, end: { index: number; offset: number }): boolean {
  return durable !== undefined &&
    (durable.index < end.index || (durable.index === end.index && durable.offset < end.offset));
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
