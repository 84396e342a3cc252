import { type IndexChange, IndexChanges } from "../../lib/database/index_changes.ts";
import { asIndex, asOffset } from "../../lib/position/position.ts";
import { assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { unsyncedFiles } from "../support/unsynced_files.ts";

function change(index: number, ...pages: readonly number[]): IndexChange {
  return {
    index: asIndex(index),
    end: asOffset(4152),
    databasePages: 1_000,
    salt: { salt1: index, salt2: 0xffff_ffff },
    checksum: { s0: 1, s1: 0x8000_0000 },
    pages: Uint32Array.from(pages),
  };
}

function between(changes: IndexChanges, first: number, end: number): number[][] | undefined {
  return changes.between(asIndex(first), asIndex(end))?.map(({ pages }) => [...pages]);
}

async function withChanges(work: (path: string, reopened: () => IndexChanges) => void): Promise<void> {
  await withTemporaryFolder((folder) => {
    const open = () => new IndexChanges(unsyncedFiles(), `${folder}/changes`);
    const changes = open();
    for (let index = 5; index < 9; index++) changes.append(change(index, index, index * 10));
    work(`${folder}/changes`, open);
  });
}

Deno.test("IndexChanges.between() gives every index of the range, or nothing", () =>
  withChanges((_path, open) => {
    assertEquals(between(open(), 6, 9), [[6, 60], [7, 70], [8, 80]]);
    assertEquals(open().between(asIndex(8), asIndex(9)), [change(8, 8, 80)]);
    assertEquals(between(open(), 4, 9), undefined);
    assertEquals(between(open(), 6, 10), undefined);
    const changes = open();
    changes.append(change(10, 1));
    assertEquals(between(changes, 8, 11), undefined); // Index 9 is missing.
    assertEquals(between(changes, 10, 11), [[1]]);
  }));

Deno.test("IndexChanges ends at what a crash has torn, and goes on there", () =>
  withChanges((path, open) => {
    const bytes = Deno.readFileSync(path);
    for (const at of [bytes.length - 1, bytes.length - 50]) {
      Deno.writeFileSync(path, bytes.map((byte, slot) => slot === at ? byte ^ 1 : byte));
      assertEquals(between(open(), 7, 9), undefined);
      assertEquals(between(open(), 5, 7), [[5, 50], [6, 60]]);
    }
    Deno.writeFileSync(path, bytes.subarray(0, bytes.length - 3));
    const changes = open();
    assertEquals(between(changes, 8, 9), undefined);
    changes.append(change(8, 3));
    assertEquals(between(open(), 5, 9), [[5, 50], [6, 60], [7, 70], [3]]);
  }));

Deno.test("IndexChanges begins anew where an index changed as many pages as the database has", () =>
  withChanges((_path, open) => {
    open().append(change(9, ...Array.from({ length: 1_000 }, (_, page) => page + 1)));
    assertEquals([between(open(), 8, 9), between(open(), 9, 10)], [undefined, undefined]);
    open().append(change(10, 4));
    assertEquals(between(open(), 10, 11), [[4]]);
  }));
