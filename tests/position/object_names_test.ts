import { isDraftName } from "../../lib/position/object_names.ts";
import { assert } from "../support/assert.ts";

Deno.test("isDraftName() knows the names of what is being written in either layout, and no other", () => {
  const drafts = [
    "snapshot.tmp",
    "0000000000000001.record.tmp",
    "0000000000000001.commits.tmp",
    "0000000a.snapshot.lz4.tmp",
    "0000000a_00001038.wal.lz4.tmp",
  ];
  for (const name of drafts) assert(isDraftName(name), name);
  for (const name of ["x.tmp", ".tmp", "snapshot", "0000000000000001.wal", "1.record.tmp", "snapshot.tmp.tmp"]) {
    assert(!isDraftName(name), name);
  }
});
