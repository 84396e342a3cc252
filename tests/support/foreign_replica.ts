import { viewOf } from "../../lib/base/bytes.ts";

/** The head of an object of Litestream 0.5, made at that time; enough to tell how new it is. */
export function foreignHead(madeAtMs: number): Uint8Array {
  const head = new Uint8Array(100);
  head.set(new TextEncoder().encode("LTX1"));
  viewOf(head).setBigInt64(32, BigInt(madeAtMs));
  return head;
}

/** Puts objects of Litestream 0.5 into a folder, as its file replicas have them: one of level 0, one snapshot. */
export function addForeignObjects(root: string, madeAtMs: number): void {
  for (
    const [level, name] of [["0", "0000000000000002-0000000000000002"], ["9", "0000000000000001-0000000000000001"]]
  ) {
    Deno.mkdirSync(`${root}/ltx/${level}`, { recursive: true });
    Deno.writeFileSync(`${root}/ltx/${level}/${name}.ltx`, foreignHead(madeAtMs - (level === "9" ? 1_000 : 0)));
  }
}
