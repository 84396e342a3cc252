/** What the scripts of this folder share: where the project is, what it holds, and how a program is run. */

/** Ends without a slash. */
export const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
/** What is downloaded or unpacked for building and testing; ignored by git. */
export const CACHE_FOLDER = `${ROOT}/.cache`;
export const DIST_FOLDER = `${ROOT}/dist`;

/**
 * What the run-time part of the executable is told. V8 lets the youngest part of its heap grow to 64 MiB before it collects
 * it; what the program needs there is some hundred kilobytes. Measured: 6 MB less memory, and the same speed.
 */
export const RUNTIME_FLAGS = ["--v8-flags=--max-semi-space-size=1"];

export interface SourceFile {
  /** From the project's root, `lib/wal/header.ts`. */
  readonly path: string;
  readonly text: string;
}

/** Every file below the given folders (or the given files) whose name ends so, sorted; paths that do not exist are left out. */
export function listFiles(paths: readonly string[], suffix: string, root = ROOT): string[] {
  return paths.flatMap((path) => filesBelow(path, root)).filter((path) => path.endsWith(suffix)).sort();
}

function filesBelow(path: string, root: string): string[] {
  const status = statusOf(`${root}/${path}`);
  if (status === undefined) return [];
  if (status.isFile) return [path];
  return [...Deno.readDirSync(`${root}/${path}`)].flatMap((entry) => filesBelow(`${path}/${entry.name}`, root));
}

function statusOf(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

export function exists(path: string): boolean {
  return statusOf(path) !== undefined;
}

export function readSource(path: string, root = ROOT): SourceFile {
  return { path, text: Deno.readTextFileSync(`${root}/${path}`) };
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** Without what this process got from its own environment. */
  readonly clearEnv?: boolean;
}

/** Runs a program to its end and keeps what it wrote; a program that does not exist is code 127. */
export async function run(program: string, parameters: readonly string[], options: RunOptions = {}): Promise<Ended> {
  try {
    const env = { NO_COLOR: "1", ...options.env };
    const command = new Deno.Command(program, { args: [...parameters], cwd: ROOT, stdin: "null", ...options, env });
    const { code, stdout, stderr } = await command.output();
    return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { code: 127, stdout: "", stderr: `${program}: not found` };
    throw error;
  }
}

/** Where Deno keeps what it has downloaded. */
export async function denoFolder(): Promise<string> {
  const { stdout } = await run(Deno.execPath(), ["info", "--json"]);
  return (JSON.parse(stdout) as { denoDir: string }).denoDir;
}

/** One line on stdout. */
export function say(line: string): void {
  write(Deno.stdout, `${line}\n`);
}

/** One line on stderr. */
export function complain(line: string): void {
  write(Deno.stderr, `${line}\n`);
}

/** All of the text; a stream may take less than it is given. */
export function write(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length;) done += stream.writeSync(bytes.subarray(done));
}

/** The value behind `--name` on the command line. */
export function option(name: string): string | undefined {
  const at = Deno.args.indexOf(`--${name}`);
  return at === -1 ? undefined : Deno.args[at + 1];
}

/** Several set-ups at once would fetch and unpack the same into one another: each waits for its turn, whichever process it is of. */
export async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  Deno.mkdirSync(CACHE_FOLDER, { recursive: true });
  using turn = Deno.openSync(`${CACHE_FOLDER}/turn`, { write: true, create: true });
  await turn.lock(true);
  return await work();
}
