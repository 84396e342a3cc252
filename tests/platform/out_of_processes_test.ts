/** With as many processes as a user may have: what cannot be started is said, may pass, and is nobody's mistake. */
import { basename } from "../../lib/base/path.ts";
import { anotherUser } from "../support/another_user.ts";
import { assertEquals } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const RLIMIT_NPROC = 6;

/** Root may have as many as it wants: then another user starts them, by a copy that this one can read. */
async function scriptOfAUser(folder: string, text: string): Promise<string> {
  const user = Deno.uid() === 0 ? anotherUser(folder).options : {};
  const files = user.user === undefined ? ROOT : `${folder}/sources`;
  if (user.user !== undefined) {
    const words = ["-r", ...["lib", "deno.json", "deno.lock"].map((name) => `${ROOT}${name}`), files];
    Deno.mkdirSync(files);
    assertEquals(new Deno.Command("cp", { args: words }).outputSync().code, 0);
  }
  const deno = user.user === undefined ? Deno.execPath() : `${folder}/program/${basename(Deno.execPath())}`;
  if (user.user !== undefined) Deno.copyFileSync(Deno.execPath(), deno);
  Deno.writeTextFileSync(`${folder}/script.ts`, text.replaceAll("LIB", `${files}/lib`));
  const { code, stdout, stderr } = await new Deno.Command(deno, {
    args: ["run", "--allow-all", "--quiet", "--no-check", "--config", `${files}/deno.json`, `${folder}/script.ts`],
    stdin: "null",
    env: { ...user.environment, ...user.program?.environment },
    ...user.user,
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

Deno.test({
  name: "trouble: no process can be started, as there are too many",
  timeout: 120_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const said = await scriptOfAUser(
        folder,
        `
        import { DenoProcess } from "LIB/platform/deno_process.ts";
        const process = new DenoProcess();
        const { prlimit } = Deno.dlopen("libc.so.6", {
          prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
        }).symbols;
        const said = [];
        const before = new BigUint64Array(2);
        const set = (soft) => prlimit(0, ${RLIMIT_NPROC}, new Uint8Array(BigUint64Array.of(soft, before[1]).buffer), null);
        prlimit(0, ${RLIMIT_NPROC}, null, new Uint8Array(before.buffer));
        set(1n);
        const acts = [() => process.spawn("true", []), () => process.runAgain([], new AbortController().signal)];
        for (const act of acts) {
          try {
            await act();
            said.push("started");
          } catch (error) {
            said.push([error.code, error.message, error.advice].join(" | "));
          }
        }
        set(before[0]);
        said.push((await process.spawn("true", []).status).code);
        Deno.stdout.writeSync(new TextEncoder().encode(said.join("\\n")));
        `,
      );
      const rest = "there are too many processes and threads | " +
        "raise the limit on processes (ulimit -u, or TasksMax= of the systemd unit)";
      assertEquals(said.trim().split("\n"), [
        `unavailable | Cannot start the program true: ${rest}`,
        `unavailable | Cannot start this program once more: ${rest}`,
        "0",
      ]);
    }),
});

Deno.test({
  name: "trouble: a program cannot be started while its file is written",
  timeout: 60_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const { DenoProcess } = await import("../../lib/platform/deno_process.ts");
      const path = `${folder}/program`;
      Deno.copyFileSync("/bin/true", path);
      Deno.chmodSync(path, 0o755);
      const process = new DenoProcess();
      using _writing = Deno.openSync(path, { write: true });
      try {
        process.spawn(path, []);
        throw new Error("it was started");
      } catch (error) {
        assertEquals([(error as { code?: unknown }).code, (error as Error).message], [
          "unavailable",
          `Cannot start the program ${path}: its file is being written`,
        ]);
      }
    }),
});
