import { assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const MODULE = new URL("../../lib/platform/deno_process.ts", import.meta.url).href;
const SUBREAPER = new URL("../support/subreaper.ts", import.meta.url).pathname;

const PROGRAM = `
import { DenoProcess } from ${JSON.stringify(MODULE)};

/** The processes whose parent this one is, ended or not. */
function left(): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    try {
      const [, parent] = Deno.readTextFileSync("/proc/" + name + "/stat").split(") ")[1].split(" ");
      if (Number(parent) === Deno.pid) count++;
    } catch { /* It has ended. */ }
  }
  return count;
}

const process = new DenoProcess();
const end = process.adoptOrphans();
const codes: number[] = [];
for (let round = 0; round < 5; round++) {
  const children = Array.from({ length: 8 }, (_, i) => process.spawn("sh", ["-c", "(sh -c 'exit 1' & true) & exit " + i]));
  for (const { status } of children) codes.push((await status).code);
}
const patience = performance.now() + 10_000;
let count = left();
while (count > 0 && performance.now() < patience) {
  await new Promise((resolve) => setTimeout(resolve, 20));
  count = left();
}
end();
process.stdout.write(JSON.stringify({ left: count, codes: codes.join("") }) + "\\n");
Deno.exit();
`;

Deno.test({
  name: "adoptOrphans() leaves no zombie of an orphan, and every child of ours its own exit code",
  timeout: 30_000,
  fn: async () => {
    await withTemporaryFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/program.ts`, PROGRAM);
      const again = [Deno.execPath(), "run", "--allow-all", "--quiet", "--no-check", "--config", CONFIG];
      const words = [...again.slice(1), SUBREAPER, ...again, `${folder}/program.ts`];
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: words, stdin: "null" }).output();
      const said = new TextDecoder().decode(stdout);
      assertEquals(
        said,
        `${JSON.stringify({ left: 0, codes: "01234567".repeat(5) })}\n`,
        new TextDecoder().decode(stderr),
      );
    });
  },
});
