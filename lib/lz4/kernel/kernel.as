// The kernel of `lib/lz4`, in AssemblyScript: `deno task kernel` compiles it to `lib/lz4/kernel_bytes.ts`. The memory is
// the caller's, and so is all of it but the first 64 KiB: constants below 32 KiB, the table of the compressor below 48 KiB,
// states of hashes (at places that the caller chooses) above.

export { compressBlock } from "./block_encoder";
export { decompressBlock } from "./block_decoder";
export { addToHash, beginHash, hashOf } from "./xxh32";
