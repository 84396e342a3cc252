/**
 * A package of Debian, unpacked into the project's cache folder. Nothing is installed.
 */
import { CACHE_FOLDER, exists, inTurn, listFiles, run } from "./project.ts";

/** Makes the folder hold what the package holds; it has its name only when it is whole. Of several at once one does it. */
export async function unpackPackage(name: string, folder: string): Promise<void> {
  await inTurn(async () => {
    if (!exists(folder)) await downloadAndUnpack(name, folder);
  });
}

async function downloadAndUnpack(name: string, folder: string): Promise<void> {
  const downloads = `${CACHE_FOLDER}/downloads`;
  Deno.mkdirSync(downloads, { recursive: true });
  const file = await downloadPackage(name, downloads);
  const draft = `${folder}.tmp`;
  const unpacking = await run("dpkg-deb", ["--extract", file, draft]);
  if (unpacking.code !== 0) throw new Error(`Cannot set up the tests: ${file}: ${unpacking.stderr.trim()}`);
  Deno.renameSync(draft, folder);
}

/** With the system's package lists where it has them, else with lists of our own. */
async function downloadPackage(name: string, folder: string): Promise<string> {
  const options = ["-o", "APT::Sandbox::User="];
  const apt = `${CACHE_FOLDER}/apt`;
  const ownLists = [...options, "-o", `Dir::State::lists=${apt}/lists`, "-o", `Dir::Cache=${apt}/cache`];
  const download = async (parameters: readonly string[]) => {
    const ended = await run("apt-get", [...parameters, "download", name], { cwd: folder });
    return { ended, file: listFiles(["."], ".deb", folder).find((path) => path.includes(`/${name}_`)) };
  };
  let { ended, file } = await download(options);
  if (file === undefined) {
    for (const part of ["lists/partial", "cache/archives/partial"]) {
      Deno.mkdirSync(`${apt}/${part}`, { recursive: true });
    }
    const update = await run("apt-get", [...ownLists, "update"]);
    ({ ended, file } = update.code === 0 ? await download(ownLists) : { ended: update, file });
  }
  if (file !== undefined) return `${folder}/${file}`;
  throw new Error(`Cannot set up the tests: apt-get cannot download ${name}: ${ended.stderr.trim()}`);
}
