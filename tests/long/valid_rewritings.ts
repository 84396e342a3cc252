/** Replicas that are written in another way and hold what they held: nothing of them may be called damage. */
import { gzipSync } from "node:zlib";
import { lz4 } from "../litestream/support/programs.ts";
import { formatIndex } from "../../lib/position/position.ts";
import { type Damage, keep, put, putIndex, tailBytes } from "./damage.ts";
import type { ReplicaView } from "./replica_view.ts";

interface Content {
  readonly object: string;
  readonly content: Uint8Array;
}

export function validRewritings(view: ReplicaView): Damage[] {
  const indexes = view.generations.flatMap((one) => one.indexes);
  const snapshots = view.generations.flatMap((one) => one.snapshots);
  const contents: readonly Content[] = [
    ...indexes.flatMap(({ segments }) => segments),
    ...snapshots.map(({ objects: [object = ""], image }) => ({ object, content: image })),
  ];
  return [
    ...(view.isOurs ? indexes.map((index) => writtenAgain(index)) : []),
    ...(view.layout === "litestream" ? contents.flatMap((one) => recompressed(one, view)) : []),
  ];
}

/** In the `litestream` layout as one segment. */
function writtenAgain(view: ReplicaView["generations"][number]["indexes"][number]): Damage {
  return {
    kind: "an index written again",
    detail: `${view.generation}/${formatIndex(view.index)}`,
    isValid: true,
    apply: (_, store) => putIndex(store, view, view.wal, view.records),
  };
}

function recompressed({ object, content }: Content, { isOurs, seal, unseal }: ReplicaView): Damage[] {
  const one = (how: string, ending: string, encode: (content: Uint8Array) => Uint8Array): Damage => ({
    kind: `an object ${how}`,
    object,
    detail: "",
    isValid: true,
    apply: async (root) => {
      const [file] = keep(root, [object]);
      if (file === undefined) return;
      const tail = await tailBytes(await unseal(file.bytes));
      Deno.removeSync(`${root}/${object}`);
      const bytes = await seal(Uint8Array.of(...encode(content), ...tail));
      put(root, { ...file, object: object.replace(/\.lz4$/, ending), bytes });
    },
  });
  const better = one("compressed better", ".lz4", (bytes) => lz4(bytes, "-9", "-B4"));
  if (isOurs) return [better]; // Its records stand behind an LZ4 frame, and nowhere else.
  return [
    better,
    one("compressed by gzip", ".gz", (bytes) => gzipSync(bytes)),
    one("that is not compressed", "", (bytes) => bytes),
  ];
}
