/**
 * Makes ready what the tests need beyond Deno and its packages: a SQLite C library for the second driver, and the
 * programs `lz4` and `age` as peers of what we write. The system's own are taken where there are any; else Debian's
 * packages are unpacked into the project's cache folder. Nothing is installed.
 *
 * The tests find them by the environment variables `TAILRACE_TEST_SQLITE`, a path, `TAILRACE_TEST_LZ4` and
 * `TAILRACE_TEST_AGE`, programs.
 */
import { messageOf } from "../lib/base/errors.ts";
import { unpackPackage } from "./debian_package.ts";
import { CACHE_FOLDER, complain, exists, listFiles, run, say } from "./project.ts";

export const TEST_SQLITE_VARIABLE = "TAILRACE_TEST_SQLITE";
export const TEST_LZ4_VARIABLE = "TAILRACE_TEST_LZ4";
export const TEST_AGE_VARIABLE = "TAILRACE_TEST_AGE";

const LIBRARY = "libsqlite3.so.0";
const PACKAGE = "libsqlite3-0";
const UNPACKED = `${CACHE_FOLDER}/sqlite`;

/** The environment for a test run. */
export async function setUp(): Promise<Record<string, string>> {
  return {
    [TEST_SQLITE_VARIABLE]: chosen(TEST_SQLITE_VARIABLE) ?? systemLibrary() ?? unpackedLibrary() ??
      await unpackLibrary(),
    [TEST_LZ4_VARIABLE]: chosen(TEST_LZ4_VARIABLE) ?? await findProgram("lz4", TEST_LZ4_VARIABLE),
    [TEST_AGE_VARIABLE]: chosen(TEST_AGE_VARIABLE) ?? await findProgram("age", TEST_AGE_VARIABLE),
  };
}

function chosen(variable: string): string | undefined {
  const value = Deno.env.get(variable);
  return value === "" ? undefined : value;
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
  await unpackPackage(PACKAGE, UNPACKED).catch((error: unknown) => {
    throw new Error(`${messageOf(error)} (the system has no ${LIBRARY}; name one in ${TEST_SQLITE_VARIABLE})`);
  });
  const path = unpackedLibrary();
  if (path !== undefined) return path;
  throw new Error(`Cannot set up the tests: ${PACKAGE} did not unpack to ${LIBRARY}`);
}

/** The system's own program, else the one of Debian's package, both of that name. */
async function findProgram(name: string, variable: string): Promise<string> {
  if ((await run(name, ["--version"])).code === 0) return name;
  const folder = `${CACHE_FOLDER}/${name}`;
  const program = `${folder}/usr/bin/${name}`;
  if (!exists(program)) {
    await unpackPackage(name, folder).catch((error: unknown) => {
      throw new Error(`${messageOf(error)} (the system has no ${name}; name one in ${variable})`);
    });
  }
  return program;
}

async function main(): Promise<number> {
  try {
    for (const [name, value] of Object.entries(await setUp())) {
      if (value.includes("/") && !exists(value)) {
        throw new Error(`Cannot set up the tests: ${name} names ${value}, which does not exist`);
      }
      say(`${name}=${value}`);
    }
    return 0;
  } catch (error) {
    complain(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main());
