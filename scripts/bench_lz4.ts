/**
 * `deno task bench:lz4 [--megabytes N] [--rounds N]`: our LZ4 beside others, on pages of a real SQLite database (text and
 * 120 random bytes a row), in independent blocks of 4 MiB. All take turns, A B C A B C, since the machine's speed drifts;
 * each figure is MB/s of content, the median of the rounds after a first one that counts for nothing.
 */
import { DatabaseSync } from "node:sqlite";
import { openLz4 } from "../lib/lz4/frame_decoder.ts";
import { encodeFilledFrame } from "../lib/lz4/frame_encoder.ts";
import { Kernel, WINDOWS_AT } from "../lib/lz4/kernel.ts";
import { run, say } from "./project.ts";
import { setUp, TEST_LZ4_VARIABLE } from "./setup.ts";

const BLOCK_BYTES = 4 << 20;
const WINDOW_BYTES = BLOCK_BYTES + (64 << 10);
/** In `scripts/lz4_tools/deno.json`; not a literal in `import()`, since checks of the sources do not know that. */
const PACKAGE: string = "lz4-wasm-nodejs";

interface BlockPackage {
  compress(input: Uint8Array): Uint8Array;
  decompress(input: Uint8Array): Uint8Array;
}

/** What one candidate needed for the whole content; the size is that of what it made. */
interface Round {
  readonly encodeMs: number;
  readonly decodeMs: number;
  readonly sizeBytes: number;
}

type Candidate = readonly [name: string, work: () => Promise<Round>];

function makePages(megabytes: number, folder: string): Uint8Array {
  const path = `${folder}/pages.db`;
  const db = new DatabaseSync(path);
  db.exec("PRAGMA page_size = 4096; CREATE TABLE t(a INTEGER PRIMARY KEY, name TEXT, note TEXT, b BLOB); BEGIN");
  const words = "alpha beta river mountain stone water account invoice payment customer order shipped pending Berlin"
    .split(" ");
  let state = 1;
  const below = (count: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 2 ** 32 * count);
  };
  const insert = db.prepare("INSERT INTO t(name, note, b) VALUES(?, ?, randomblob(120))");
  for (let row = 0; row < megabytes * 4_600; row++) {
    const note = Array.from({ length: 6 + below(14) }, () => words[below(words.length)]).join(" ");
    insert.run(`user${row}`, note);
  }
  db.exec("COMMIT");
  db.close();
  const bytes = Deno.readFileSync(path);
  Deno.removeSync(path);
  const wanted = megabytes << 20;
  if (bytes.length < wanted) throw new Error(`The rows filled ${bytes.length} bytes only (${wanted} are wanted)`);
  return bytes.subarray(0, wanted);
}

function blocksOf(pages: Uint8Array): Uint8Array[] {
  const count = Math.ceil(pages.length / BLOCK_BYTES);
  return Array.from({ length: count }, (_, i) => pages.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES));
}

function timed<T>(work: () => T): { readonly result: T; readonly ms: number } {
  const start = performance.now();
  const result = work();
  return { result, ms: performance.now() - start };
}

/** The kernel alone, the copy of each block into its memory included. */
function kernelBlocks(pages: Uint8Array): Candidate {
  const kernel = new Kernel(3 * WINDOW_BYTES);
  const [source, target, back] = [0, 1, 2].map((slot) => WINDOWS_AT + slot * WINDOW_BYTES) as [number, number, number];
  return ["own kernel, blocks", () => {
    let [encodeMs, decodeMs, sizeBytes] = [0, 0, 0];
    for (const { length, ...block } of blocksOf(pages).map((bytes) => ({ bytes, length: bytes.length }))) {
      const encoding = timed(() => {
        kernel.bytes.set(block.bytes, source);
        return kernel.compress({ at: source, length }, { at: target, length: WINDOW_BYTES });
      });
      const compressed = { at: target, length: encoding.result };
      const decoding = timed(() => kernel.decompress(compressed, { at: back, length }, 0));
      if (decoding.result !== length) throw new Error("The kernel does not decode what it encoded");
      encodeMs += encoding.ms;
      decodeMs += decoding.ms;
      sizeBytes += encoding.result;
    }
    return Promise.resolve({ encodeMs, decodeMs, sizeBytes });
  }];
}

/** Whole frames from and to JavaScript's memory, checksums included. */
function ownFrames(pages: Uint8Array): Candidate {
  const object = new Uint8Array(pages.length + (1 << 20));
  const into = new Uint8Array(BLOCK_BYTES);
  return ["own frame, with its checksum", async () => {
    let [taken, sizeBytes] = [0, 0];
    const start = performance.now();
    const frame = encodeFilledFrame((window) => {
      const part = pages.subarray(taken, taken + window.length);
      window.set(part);
      taken += part.length;
      return Promise.resolve(part.length);
    });
    for (let part = await frame.next(); part.length > 0; part = await frame.next()) {
      object.set(part, sizeBytes);
      sizeBytes += part.length;
    }
    const encodeMs = performance.now() - start;
    const content = await openLz4({
      sizeBytes,
      read: (at, target) => {
        target.set(object.subarray(at, at + target.length));
        return Promise.resolve(target.length);
      },
    }, "the frame");
    const decodeStart = performance.now();
    for (let at = 0; at < pages.length; at += BLOCK_BYTES) await content.read(at, into);
    await content.verify();
    const decodeMs = performance.now() - decodeStart;
    content.close();
    return { encodeMs, decodeMs, sizeBytes };
  }];
}

function packageBlocks(pages: Uint8Array, { compress, decompress }: BlockPackage): Candidate {
  return [`npm:${PACKAGE}, blocks`, () => {
    let [encodeMs, decodeMs, sizeBytes] = [0, 0, 0];
    for (const block of blocksOf(pages)) {
      const encoding = timed(() => compress(block));
      const decoding = timed(() => decompress(encoding.result));
      if (decoding.result.length !== block.length) throw new Error("The package does not decode what it encoded");
      encodeMs += encoding.ms;
      decodeMs += decoding.ms;
      sizeBytes += encoding.result.length;
    }
    return Promise.resolve({ encodeMs, decodeMs, sizeBytes });
  }];
}

/** The program's own benchmark, in its memory, for a second each way. */
function programBlocks(pages: Uint8Array, program: string, folder: string): Candidate {
  const path = `${folder}/pages`;
  Deno.writeFileSync(path, pages);
  return ["lz4 -b1 -B7 -i1 (native)", async () => {
    const { stdout, stderr } = await run(program, ["-b1", "-B7", "-i1", path]);
    const found = [...(stdout + stderr).matchAll(/->\s*(\d+) \([\d.]+\),\s*([\d.]+) MB\/s\s*,\s*([\d.]+) MB\/s/g)].at(
      -1,
    );
    if (found === undefined) throw new Error(`lz4 says nothing that is understood: ${stdout}${stderr}`);
    const msAt = (rate: string | undefined) => pages.length / 1e3 / Number(rate);
    return { sizeBytes: Number(found[1]), encodeMs: msAt(found[2]), decodeMs: msAt(found[3]) };
  }];
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >>> 1] ?? NaN;
}

function option(name: string, otherwise: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  return at === -1 ? otherwise : Number(Deno.args[at + 1]);
}

async function main(): Promise<void> {
  const { [TEST_LZ4_VARIABLE]: program = "lz4" } = await setUp();
  const folder = Deno.makeTempDirSync({ prefix: "tailrace-bench-lz4-" });
  try {
    const pages = makePages(option("megabytes", 128), folder);
    const candidates = [
      kernelBlocks(pages),
      packageBlocks(pages, await import(PACKAGE) as BlockPackage),
      ownFrames(pages),
      programBlocks(pages, program, folder),
    ];
    const rounds = candidates.map((): Round[] => []);
    for (let round = 0; round <= option("rounds", 5); round++) {
      for (const [i, [, work]] of candidates.entries()) {
        const result = await work();
        if (round > 0) rounds[i]?.push(result);
      }
    }
    say(`${pages.length >> 20} MiB of SQLite pages${" ".repeat(10)}  ratio   encode   decode   (MB/s)`);
    for (const [i, [name]] of candidates.entries()) {
      const rate = (pick: (round: Round) => number) =>
        (pages.length / 1e3 / median((rounds[i] ?? []).map(pick))).toFixed(0).padStart(8);
      const ratio = (pages.length / (rounds[i]?.[0]?.sizeBytes ?? NaN)).toFixed(3);
      say(`${name.padEnd(32)}  ${ratio} ${rate((r) => r.encodeMs)} ${rate((r) => r.decodeMs)}`);
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

if (import.meta.main) await main();
