/** An image that lets other work have a turn before each of its pieces; what that throws breaks it off. */
import type { SnapshotImage } from "../store/generation_store.ts";

export function withTurns(image: SnapshotImage, turn: () => Promise<void>): SnapshotImage {
  return {
    writeTo: (target) =>
      image.writeTo({
        writeAt: async (bytes, position) => {
          await target.writeAt(bytes, position);
          await turn();
        },
        fileCopied: () => target.fileCopied?.(),
      }),
    stream: async () => {
      const stream = await image.stream();
      return {
        ...stream,
        next: async () => {
          await turn();
          return await stream.next();
        },
      };
    },
  };
}
