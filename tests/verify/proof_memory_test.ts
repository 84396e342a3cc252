import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { type KeptRun, recallProof, rememberProof } from "../../lib/verify/proof_memory.ts";
import { assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const files = new DenoFileSystem();
const passed: KeptRun = {
  atMs: 1_000,
  outcome: "pass",
  reached: "equal",
  schema: "0123456789abcdef",
  values: { rows: 3 },
  proven: { position: "00000000000000aa/0000000000000001:4152", capturedAtMs: 900 },
};
const failed: KeptRun = { atMs: 2_000, outcome: "fail", reached: "chain", values: {}, problem: "a bit is flipped" };

Deno.test("rememberProof() keeps the last run and the last that passed, each replica's its own", () =>
  withTemporaryFolder(async (folder) => {
    await rememberProof(files, folder, "/backup/near", passed, undefined);
    assertEquals(recallProof(files, folder, "/backup/near"), { last: passed, lastPass: passed });
    await rememberProof(files, folder, "/backup/near", failed, undefined);
    assertEquals(recallProof(files, folder, "/backup/near"), { last: failed, lastPass: passed });
    await rememberProof(files, folder, "/backup/far", failed, undefined);
    assertEquals(recallProof(files, folder, "/backup/far"), { last: failed });
    assertEquals(recallProof(files, folder, "/backup/none"), undefined);
  }));

Deno.test("rememberProof() makes no state folder, and recallProof() takes nothing that is none of ours", () =>
  withTemporaryFolder(async (folder) => {
    await rememberProof(files, `${folder}/none`, "/backup", passed, undefined);
    assertEquals([...Deno.readDirSync(folder)], []);
    await rememberProof(files, folder, "/backup", passed, undefined);
    const [name] = [...Deno.readDirSync(folder)].map((entry) => entry.name);
    for (const text of ["", "null", "{", `{"place":"/backup"}`, `{"place":"/backup","last":{"atMs":"x"}}`]) {
      Deno.writeTextFileSync(`${folder}/${name}`, text);
      assertEquals(recallProof(files, folder, "/backup"), undefined, text);
    }
  }));
