/** WAL whose frames are whole by all their sums, and hold another page than was committed; segments that hold no frames. */
import { FRAME_HEADER_SIZE } from "../../lib/wal/frame.ts";
import { WAL_HEADER_SIZE } from "../../lib/wal/header.ts";
import { formatIndex } from "../../lib/position/position.ts";
import { frameSizeOf, resummed } from "../litestream/support/wal_bytes.ts";
import { randomBytes, randomInteger } from "../support/random.ts";
import { type Damage, foreignFrame, keep, put, putIndex } from "./damage.ts";
import type { IndexView, ReplicaView, SegmentView } from "./replica_view.ts";

const FORGED_AN_INDEX = 3;

export function forgedFrames({ isOurs, generations }: ReplicaView, random: () => number): Damage[] {
  return generations.flatMap(({ indexes }) =>
    indexes.flatMap((view) => Array.from({ length: FORGED_AN_INDEX }, () => forged(view, isOurs, random)))
  );
}

/** One bit of a page, and all sums from there on anew. */
function forged(view: IndexView, isOurs: boolean, random: () => number): Damage {
  const size = frameSizeOf(view.wal);
  const frame = randomInteger(random, Math.floor((view.wal.length - WAL_HEADER_SIZE) / size));
  const at = WAL_HEADER_SIZE + frame * size + FRAME_HEADER_SIZE + randomInteger(random, size - FRAME_HEADER_SIZE);
  const altered = view.wal.slice();
  altered[at] = (altered[at] ?? 0) ^ 0x10;
  const wal = resummed(altered, {});
  return {
    kind: "a page altered, with all sums of the WAL anew",
    ...(isOurs ? {} : { unseen: "contents" } as const),
    detail: `byte ${at} of ${view.generation}/${formatIndex(view.index)}`,
    apply: async (root, store) => {
      if (isOurs) return await putIndex(store, view, wal, view.records);
      for (const { object, offset, content } of view.segments) {
        await putContent(root, object, wal.subarray(offset, offset + content.length));
      }
    },
  };
}

/** For a writer that keeps no records: what stands in a segment is all that there is to judge by. */
export function framelessSegments({ generations }: ReplicaView, random: () => number): Damage[] {
  return generations.flatMap(({ indexes }) =>
    indexes.flatMap(({ segments, wal }) =>
      segments.flatMap((segment) =>
        contentsFor(segment, frameSizeOf(wal), random).flatMap((one) => stored(segment, one))
      )
    )
  );
}

interface OtherContent {
  readonly kind: string;
  readonly content: Uint8Array;
}

function contentsFor({ content }: SegmentView, size: number, random: () => number): OtherContent[] {
  const zeros = new Uint8Array(content.length);
  const zeroTailed = content.slice();
  zeroTailed.fill(0, content.length - size);
  return [
    { kind: "a segment of zeros", content: zeros },
    { kind: "a segment of garbage", content: randomBytes(random, content.length) },
    { kind: "a segment whose last frame is zeros", content: zeroTailed },
    { kind: "a segment cut within a frame", content: content.subarray(0, content.length - (size >> 1)) },
    { kind: "garbage behind a segment", content: Uint8Array.of(...content, ...randomBytes(random, size)) },
  ];
}

/** In an LZ4 frame, and as it is, as Litestream stored it before 0.3.5. */
function stored({ object }: SegmentView, { kind, content }: OtherContent): Damage[] {
  return [
    { kind, object, detail: "", apply: (root) => putContent(root, object, content) },
    {
      kind: `${kind}, uncompressed`,
      object,
      detail: "",
      apply: (root) => {
        const [file] = keep(root, [object]);
        Deno.removeSync(`${root}/${object}`);
        if (file !== undefined) put(root, { ...file, object: object.replace(/\.lz4$/, ""), bytes: content });
      },
    },
  ];
}

async function putContent(root: string, object: string, content: Uint8Array): Promise<void> {
  const [file] = keep(root, [object]);
  if (file !== undefined) put(root, { ...file, bytes: await foreignFrame(content) });
}
