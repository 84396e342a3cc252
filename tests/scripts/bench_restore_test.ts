import { firstDifference, judgeRounds } from "../../scripts/bench_restore.ts";
import { assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

Deno.test("judgeRounds() compares the medians, whatever one round was", () => {
  const rounds = [[9, 10], [2, 12], [3, 9]].map(([ours = 0, peers = 0]) => ({ oursSeconds: ours, peerSeconds: peers }));
  assertEquals(judgeRounds(rounds), { oursSeconds: 3, peerSeconds: 10, share: 0.3, isFastEnough: true });
});

Deno.test("judgeRounds() finds more than a third too slow", () => {
  assertEquals(judgeRounds([{ oursSeconds: 1, peerSeconds: 3 }]).isFastEnough, true);
  assertEquals(judgeRounds([{ oursSeconds: 1, peerSeconds: 2.99 }]).isFastEnough, false);
});

Deno.test("firstDifference() finds a byte that differs, and an end that comes too early", () =>
  withTemporaryFolder((folder) => {
    const bytes = new Uint8Array(5_000_000).map((_, i) => i * 31);
    const write = (name: string, content: Uint8Array) => {
      Deno.writeFileSync(`${folder}/${name}`, content);
      return `${folder}/${name}`;
    };
    const one = write("one", bytes);
    assertEquals(firstDifference(one, write("same", bytes)), undefined);
    assertEquals(firstDifference(one, write("changed", bytes.with(4_500_000, 77))), 4_500_000);
    assertEquals(firstDifference(one, write("short", bytes.subarray(0, 4_194_304))), 4_194_304);
  }));
