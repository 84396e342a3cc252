/**
 * The WAL of a plan, newest first: indexes from the last to the first, each in chunks of whole frames from its end to its
 * start. Each frame header carries the chain's sum after its frame, so that a chunk is provable from the header of the
 * frame before it alone; that sum in turn is proven with the chunk before. At the beginning of an index the chain comes
 * from the WAL header; where a replay begins in the middle, from the last frame that the snapshot holds already.
 */
import { viewOf } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";
import { scanAndHash } from "../pages/frame_scan.ts";
import { asOffset, type Index, type Offset } from "../position/position.ts";
import { DamagedSegment } from "../store/damaged_segment.ts";
import type { GenerationStore } from "../store/generation_store.ts";
import {
  COMMIT_SIZE_AT,
  FRAME_HEADER_SIZE,
  framesBefore,
  frameSize,
  offsetAfter,
  storedChecksum,
} from "../wal/frame.ts";
import { parseWalHeader, WAL_HEADER_SIZE, type WalHeader } from "../wal/header.ts";
import type { ScanEnd } from "../wal/scanner.ts";
import type { RestorePlan, RestoreStep } from "./plan.ts";
import { readAhead } from "./read_ahead.ts";

/** Verified frames of one index, one after the other. */
export interface WalChunk {
  readonly step: RestoreStep;
  /** Where the first frame begins. */
  readonly at: Offset;
  readonly frames: Uint8Array;
  readonly count: number;
  /** Of the page of each frame, two words each, as `lib/pages/page_hasher.ts` makes them. */
  readonly values: Uint32Array;
}

/** Bytes of a WAL that are not what they must be; `intactTo`: all frames that end there or before were not affected. */
export class DamagedWal extends Error {
  override readonly name = "DamagedWal";

  constructor(readonly index: Index, readonly intactTo: Offset, readonly problem: string) {
    super(problem);
  }
}

interface ChunkRequest {
  readonly step: RestoreStep;
  /** Frame numbers from 0: the chunk is [first, end). */
  readonly first: number;
  readonly end: number;
}

type PlanPart = Pick<RestorePlan, "generation" | "pageSize" | "steps">;

/** Throws `DamagedWal` for the first chunk, in this order, that is not whole. */
export async function* newestFirst(plan: PlanPart, store: GenerationStore): AsyncGenerator<WalChunk, void, void> {
  yield* verifiedChunks(plan, store, requestsNewestFirst(plan));
}

/** The same from the oldest frame on: finds where the first damage is. */
export async function* oldestFirst(plan: PlanPart, store: GenerationStore): AsyncGenerator<WalChunk, void, void> {
  yield* verifiedChunks(plan, store, [...requestsNewestFirst(plan)].reverse());
}

async function* verifiedChunks(
  plan: PlanPart,
  store: GenerationStore,
  requests: Iterable<ChunkRequest>,
): AsyncGenerator<WalChunk, void, void> {
  let known: { readonly index: Index; readonly header: WalHeader } | undefined;
  const load = async (request: ChunkRequest, buffer: Uint8Array) => {
    const { index } = request.step;
    if (known?.index !== index) known = { index, header: await readHeader(plan, store, index) };
    return await loadChunk(plan, store, request, known.header, buffer);
  };
  const largest = plan.steps.reduce((size, { from, to }) => Math.max(size, to - from), 0) + frameSize(plan.pageSize);
  const bufferBytes = Math.min(largest, framesPerRead(plan.pageSize) * frameSize(plan.pageSize));
  const values = new Uint32Array(framesPerRead(plan.pageSize) * 2);
  for await (const loaded of readAhead(requests, load, bufferBytes)) yield verifyChunk(plan, loaded, values);
}

/** One of them is the frame before the chunk, whose header the chain goes on from. */
function framesPerRead(pageSize: number): number {
  return Math.max(2, Math.floor(limits.restoreChunkBytes / frameSize(pageSize)));
}

function* requestsNewestFirst({ steps, pageSize }: PlanPart): Generator<ChunkRequest, void, void> {
  for (const step of steps.toReversed()) {
    const start = framesBefore(step.from, pageSize);
    for (let end = framesBefore(step.to, pageSize); end > start;) {
      const first = Math.max(start, end - framesPerRead(pageSize) + 1);
      yield { step, first, end };
      end = first;
    }
  }
}

async function readHeader(plan: PlanPart, store: GenerationStore, index: Index): Promise<WalHeader> {
  const bytes = new Uint8Array(WAL_HEADER_SIZE);
  const got = await readWal(plan, store, index, 0, bytes);
  const parsed = parseWalHeader(bytes.subarray(0, got));
  if (!parsed.ok) throw new DamagedWal(index, asOffset(0), parsed.reason);
  const { pageSize } = parsed.header;
  if (pageSize === plan.pageSize) return parsed.header;
  throw new DamagedWal(index, asOffset(0), `the WAL header's page size is ${pageSize} (expected ${plan.pageSize})`);
}

interface LoadedChunk {
  readonly request: ChunkRequest;
  readonly header: WalHeader;
  /** The frame before the chunk, unless the chunk begins the index, then the chunk. */
  readonly bytes: Uint8Array;
}

async function loadChunk(
  plan: PlanPart,
  store: GenerationStore,
  request: ChunkRequest,
  header: WalHeader,
  buffer: Uint8Array,
): Promise<LoadedChunk> {
  const size = frameSize(plan.pageSize);
  const first = Math.max(0, request.first - 1);
  const wanted = buffer.subarray(0, (request.end - first) * size);
  const got = await readWal(plan, store, request.step.index, WAL_HEADER_SIZE + first * size, wanted);
  return { request, header, bytes: wanted.subarray(0, got) };
}

async function readWal(
  { generation, pageSize }: PlanPart,
  store: GenerationStore,
  index: Index,
  at: number,
  into: Uint8Array,
) {
  try {
    return await store.readWal(generation, index, at, into);
  } catch (error) {
    if (!(error instanceof DamagedSegment)) throw error;
    const { intactTo, message } = error;
    const frames = Math.max(0, Math.floor((intactTo - WAL_HEADER_SIZE) / frameSize(pageSize)));
    throw new DamagedWal(index, offsetAfter(frames, pageSize), message);
  }
}

function verifyChunk(plan: PlanPart, { request, header, bytes }: LoadedChunk, values: Uint32Array): WalChunk {
  const { step, first, end } = request;
  const size = frameSize(plan.pageSize);
  const view = viewOf(bytes);
  const before = first === 0 ? 0 : size;
  if (bytes.length < before) throw new DamagedWal(step.index, offsetAfter(first - 1, plan.pageSize), "it is cut off");
  const frames = bytes.subarray(before);
  const scan = scanAndHash(frames, header, first === 0 ? header.checksum : storedChecksum(view, 0), values);
  if (scan.frames < end - first) {
    const intactTo = offsetAfter(first + scan.frames, plan.pageSize);
    throw new DamagedWal(step.index, intactTo, describeEnd(scan.stoppedBy));
  }
  const last = bytes.length - size;
  const commitSize = view.getUint32(last + COMMIT_SIZE_AT);
  if (offsetAfter(end, plan.pageSize) === step.to && commitSize !== step.databasePages) {
    const intactTo = offsetAfter(end - 1, plan.pageSize);
    const found = commitSize === 0 ? "no commit" : `a commit of ${commitSize} pages`;
    throw new DamagedWal(step.index, intactTo, `its last frame is ${found} (expected ${step.databasePages} pages)`);
  }
  return { step, at: asOffset(WAL_HEADER_SIZE + first * size), frames, count: end - first, values };
}

function describeEnd(end: ScanEnd): string {
  switch (end) {
    case "end-of-bytes":
      return "it is cut off";
    case "salt-changed":
      return "a frame carries other salts than the WAL header";
    case "checksum-broken":
      return "a frame's checksum does not match";
    case "page-zero":
      return "a frame carries the page number 0";
  }
}

export function pageBytesAt(frame: number, pageSize: number): number {
  return frame * frameSize(pageSize) + FRAME_HEADER_SIZE;
}
