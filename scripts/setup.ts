/**
 * Makes ready what the tests need beyond Deno and its packages: a SQLite C library for the second driver. The system's own
 * is taken where there is one; else Debian's package is unpacked into the project's cache folder. Nothing is installed.
 *
 * The tests find it by the environment variable `TAILRACE_TEST_SQLITE`, a path.
 */
import { CACHE_FOLDER, complain, exists, listFiles, run, say } from "./project.ts";

export const TEST_SQLITE_VARIABLE = "TAILRACE_TEST_SQLITE";

const LIBRARY = "libsqlite3.so.0";
const PACKAGE = "libsqlite3-0";
const UNPACKED = `${CACHE_FOLDER}/sqlite`;

/** The environment for a test run. */
export async function setUp(): Promise<Record<string, string>> {
  const chosen = Deno.env.get(TEST_SQLITE_VARIABLE);
  if (chosen !== undefined && chosen !== "") return { [TEST_SQLITE_VARIABLE]: chosen };
  return { [TEST_SQLITE_VARIABLE]: systemLibrary() ?? unpackedLibrary() ?? await unpackLibrary() };
}

/** The path that the system's linker finds for the library, as the kernel then shows it. */
function systemLibrary(): string | undefined {
  try {
    const library = Deno.dlopen(LIBRARY, {});
    try {
      return findMapped(Deno.readTextFileSync("/proc/self/maps"), LIBRARY);
    } finally {
      library.close();
    }
  } catch {
    return undefined;
  }
}

/** The file behind a mapping of that library: maps name the real file (`libsqlite3.so.0.8.6`), never the link. */
export function findMapped(maps: string, library: string): string | undefined {
  for (const line of maps.split("\n")) {
    const path = /\s(\/.*)$/.exec(line)?.[1];
    if (path !== undefined && path.slice(path.lastIndexOf("/") + 1).startsWith(library)) return path;
  }
  return undefined;
}

function unpackedLibrary(): string | undefined {
  const [path] = listFiles(["usr/lib"], LIBRARY, UNPACKED);
  return path === undefined ? undefined : `${UNPACKED}/${path}`;
}

async function unpackLibrary(): Promise<string> {
  const downloads = `${CACHE_FOLDER}/downloads`;
  Deno.mkdirSync(downloads, { recursive: true });
  const file = await downloadPackage(downloads);
  const draft = `${UNPACKED}.tmp`;
  const unpacking = await run("dpkg-deb", ["--extract", file, draft]);
  if (unpacking.code === 0) Deno.renameSync(draft, UNPACKED); // Under its name only when it is whole.
  const path = unpackedLibrary();
  if (path !== undefined) return path;
  throw new Error(`Cannot set up the tests: ${file} did not unpack to ${LIBRARY}: ${unpacking.stderr.trim()}`);
}

/** With the system's package lists where it has them, else with lists of our own. */
async function downloadPackage(folder: string): Promise<string> {
  const options = ["-o", "APT::Sandbox::User="];
  const apt = `${CACHE_FOLDER}/apt`;
  const ownLists = [...options, "-o", `Dir::State::lists=${apt}/lists`, "-o", `Dir::Cache=${apt}/cache`];
  const download = async (parameters: readonly string[]) => {
    const ended = await run("apt-get", [...parameters, "download", PACKAGE], { cwd: folder });
    return { ended, file: listFiles(["."], ".deb", folder).find((name) => name.includes(PACKAGE)) };
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
  throw new Error(
    `Cannot set up the tests: the system has no ${LIBRARY} and apt-get cannot download ${PACKAGE} ` +
      `(name a SQLite library in ${TEST_SQLITE_VARIABLE}): ${ended.stderr.trim()}`,
  );
}

async function main(): Promise<number> {
  try {
    for (const [name, value] of Object.entries(await setUp())) {
      if (!exists(value)) throw new Error(`Cannot set up the tests: ${name} names ${value}, which does not exist`);
      say(`${name}=${value}`);
    }
    return 0;
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main());
