/**
 * `deno task npm`: the program as an npm package, `dist/tailrace-VERSION.tgz`: the one file, and a command that runs it by
 * the Deno of npm's `deno` package, its only dependency. Nothing is published.
 */
import { product } from "../lib/base/product.ts";
import { makeBundle } from "./bundle.ts";
import { complain, DIST_FOLDER, exists, ROOT, run, say } from "./project.ts";

/** What the tests run with: another Deno has not been tried. */
const DENO_VERSION = "2.9.6";

export const MANIFEST = {
  name: product.name,
  version: product.version,
  description: "Streams every committed SQLite transaction to a second place, and proves that the copy restores",
  license: "Apache-2.0",
  // Without it Deno would take the file for CommonJS.
  type: "module",
  os: ["linux"],
  bin: { [product.name]: `${product.name}.sh` },
  files: [`${product.name}.js`, `${product.name}.sh`],
  dependencies: { deno: DENO_VERSION },
} as const;

export type MadePackage = { readonly path: string } | { readonly problem: string };

/** Makes it in that folder, from a folder of files below it. */
export async function makePackage(place: string = DIST_FOLDER): Promise<MadePackage> {
  const folder = `${place}/npm`;
  if (exists(folder)) Deno.removeSync(folder, { recursive: true });
  Deno.mkdirSync(folder, { recursive: true });
  const problem = await makeBundle(undefined, `${folder}/${product.name}.js`);
  if (problem !== undefined) return { problem };
  Deno.writeTextFileSync(`${folder}/${product.name}.sh`, Deno.readTextFileSync(`${ROOT}/packaging/tailrace.sh`));
  Deno.chmodSync(`${folder}/${product.name}.sh`, 0o755);
  for (const name of ["README.md", "LICENSE"]) {
    Deno.writeTextFileSync(`${folder}/${name}`, Deno.readTextFileSync(`${ROOT}/${name}`));
  }
  Deno.writeTextFileSync(`${folder}/package.json`, `${JSON.stringify(MANIFEST, undefined, 2)}\n`);
  const packed = await run("npm", ["pack", "--silent", "--pack-destination", place, folder], { cwd: ROOT });
  return packed.code === 0
    ? { path: `${place}/${product.name}-${product.version}.tgz` }
    : { problem: `Cannot pack ${folder}: ${packed.stderr.trim()}` };
}

async function main(): Promise<number> {
  const made = await makePackage();
  if ("problem" in made) {
    complain(made.problem);
    return 1;
  }
  say(`${made.path}: ${Math.ceil(Deno.statSync(made.path).size / 1024)} KiB`);
  return 0;
}

if (import.meta.main) Deno.exit(await main());
