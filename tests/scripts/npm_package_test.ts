import { DatabaseSync } from "node:sqlite";
import { product } from "../../lib/base/product.ts";
import { makePackage, MANIFEST } from "../../scripts/npm_package.ts";
import { NOBODY } from "../support/another_user.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Daemon } from "../support/daemon.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const timeout = 240_000;

/** A command of an ordinary user at home, who has Node.js and npm and nothing else. */
function userCommand(home: string, words: readonly string[], stdout: "piped" | "null" = "piped"): Deno.Command {
  const isRoot = Deno.uid() === 0;
  const wrapper = isRoot ? ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"] : [];
  const registry = Deno.env.get("NPM_CONFIG_REGISTRY") ?? Deno.env.get("npm_config_registry");
  const [command = "", ...args] = [...wrapper, ...words];
  return new Deno.Command(command, {
    args,
    cwd: home,
    clearEnv: true,
    env: { HOME: home, PATH: PATH_OF_NODE, ...(registry === undefined ? {} : { npm_config_registry: registry }) },
    stdin: "null",
    stdout,
    stderr: "piped",
  });
}

const PATH_OF_NODE = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => !folder.includes("deno")).join(":");

async function userRuns(home: string, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await userCommand(home, words).output();
  const [said, complained] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assertEquals(code, 0, `${words.join(" ")}: ${said}${complained}`);
  return said ?? "";
}

Deno.test({
  name: "deno task npm makes a package that an ordinary user runs with npx, and that passes on signals and exit codes",
  timeout,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const made = await makePackage(folder);
      assert("path" in made, JSON.stringify(made));
      const home = `${folder}/home`;
      Deno.mkdirSync(home);
      Deno.writeFileSync(`${home}/package.tgz`, Deno.readFileSync(made.path));
      const db = new DatabaseSync(`${home}/app.db`);
      db.exec("PRAGMA journal_mode = WAL; CREATE TABLE entry(n)");
      db.close();
      if (Deno.uid() === 0) {
        Deno.chmodSync(folder, 0o755);
        for (const path of [home, ...[...Deno.readDirSync(home)].map(({ name }) => `${home}/${name}`)]) {
          Deno.chownSync(path, NOBODY, NOBODY);
        }
      }
      const version = `${product.name} ${product.version}\n`;
      await userRuns(home, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "./package.tgz");
      assertEquals(await userRuns(home, "npx", "tailrace", "version"), version);

      const url = `file://${home}/replica`;
      const program = `${home}/node_modules/.bin/tailrace`;
      await using daemon = new Daemon(userCommand(home, [program, "replicate", "app.db", url], "null").spawn());
      await daemon.ready();
      assertEquals(await daemon.stop(), 0, daemon.text);
      await userRuns(home, "npx", "tailrace", "restore", "-o", "copy.db", url);
      await userRuns(home, "npx", "tailrace", "verify", url);
      const refused = await userCommand(home, [program, "restore", "-o", "x.db", `file://${home}/nothing`]).output();
      assert([3, 75].includes(refused.code), String(refused.code));
    }),
});

Deno.test("MANIFEST names one dependency, pinned to the Deno that the project is tested with", () => {
  assertEquals(MANIFEST.dependencies, { deno: Deno.version.deno });
});
