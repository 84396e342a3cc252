import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { runInProcess } from "../support/command_in_process.ts";
import { EPOCH_MS, ReplicaBuilder } from "../support/replica_builder.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { imageOf } from "../support/wal_builder.ts";

const [OLD, NEW] = ["00000000000000aa", "00000000000000bb"];

async function statusWith(damaged: string, folderName: "wal" | "snapshots") {
  let seen: { readonly json: string; readonly text: string } | undefined;
  await withTemporaryFolder(async (folder) => {
    for (const [generation, startMs] of [[OLD, EPOCH_MS], [NEW, EPOCH_MS + 86_400_000]] as const) {
      await new ReplicaBuilder(`${folder}/r`, { generation, startMs }).snapshot(0, 0, imageOf(4096, 1));
    }
    Deno.writeTextFileSync(`${folder}/c.yml`, "dbs: [{path: app.db, replicas: [{path: r}]}]");
    const path = `${folder}/r/generations/${damaged}/${folderName}`;
    try {
      Deno.removeSync(path, { recursive: true });
    } catch {
      // There was none yet.
    }
    Deno.writeTextFileSync(path, "no folder");
    const [json, text] = [
      await runInProcess(["status", "--json", "--config", "c.yml"], folder, {}),
      await runInProcess(["status", "--config", "c.yml"], folder, {}),
    ];
    assertEquals([json.code, text.code], [4, 4]);
    seen = { json: json.stdout, text: text.stdout.replaceAll(/\s+/g, " ") };
  });
  return { position: JSON.parse(seen?.json ?? "").databases[0].replicas[0].position, text: seen?.text ?? "" };
}

Deno.test("status judges a replica by its newest generation, and names an older one that is damaged", async () => {
  const { position, text } = await statusWith(OLD, "wal");
  assertEquals(position.generation ?? position.split("/")[0], NEW);
  assertMatch(text, new RegExp(`its older generation ${OLD} is damaged: Cannot `));
});

Deno.test("status knows nothing of a replica whose newest generation may be the damaged one", async () => {
  for (const [generation, name] of [[NEW, "wal"], [OLD, "snapshots"]] as const) {
    const { position, text } = await statusWith(generation, name);
    assertEquals(position, null, generation);
    assertStringIncludes(text, `generations/${generation}/${name}`);
  }
});
