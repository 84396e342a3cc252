/**
 * The built program as it stands on the machine of somebody else: alone in its folder, run by another user than the one who
 * built it, with an empty environment and no network but a loopback of its own, as far as this machine lets us go.
 */
import { makeBundle } from "../../scripts/bundle.ts";
import { basename } from "../../lib/base/path.ts";
import { NOBODY } from "./another_user.ts";
import { Daemon } from "./daemon.ts";
import { type Program, programOf, testedProgram } from "./program.ts";
import type { CommandResult } from "./tailrace.ts";
import { withTemporaryFolder } from "./temporary_folder.ts";

/** What cron gives its jobs, but for a home that does not exist, as services have it. */
const ENVIRONMENT = { PATH: "/usr/bin:/bin", HOME: "/nonexistent" };
const RAISE_LOOPBACK = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
const BECOME_NOBODY = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];

/** Words before a command that take the network away: the first of these that works here. */
const WITHOUT_NETWORK: readonly (readonly string[])[] = [
  ["unshare", "--net", ...RAISE_LOOPBACK],
  ["unshare", "--user", "--map-current-user", "--keep-caps", "--net", ...RAISE_LOOPBACK],
  [],
];

export async function withProgramAlone(work: (alone: Alone) => Promise<void>): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    Deno.chmodSync(folder, 0o755);
    for (const name of ["program", "run-time", "data"]) Deno.mkdirSync(`${folder}/${name}`, { mode: 0o755 });
    if (isRoot()) Deno.chownSync(`${folder}/data`, NOBODY, NOBODY);
    const deno = `${folder}/run-time/deno`;
    Deno.writeFileSync(deno, Deno.readFileSync(Deno.execPath()), { mode: 0o755 });
    const file = await putProgram(`${folder}/program`);
    const isolation = WITHOUT_NETWORK.find((words) => runs([...words, "true"])) ?? [];
    const wrapper = [...isolation, ...(isRoot() ? BECOME_NOBODY : [])];
    await work(new Alone(`${folder}/data`, programOf(file, deno), deno, wrapper));
  });
}

/** The build that is tested; when the sources are, one that is made of them now. */
async function putProgram(folder: string): Promise<string> {
  const isBuilt = testedProgram.kind !== "sources";
  const file = `${folder}/${isBuilt ? basename(testedProgram.file) : "tailrace.js"}`;
  const problem = isBuilt ? undefined : await makeBundle(undefined, file);
  if (problem !== undefined) throw new Error(problem);
  if (isBuilt) Deno.writeFileSync(file, Deno.readFileSync(testedProgram.file), { mode: 0o755 });
  return file;
}

function isRoot(): boolean {
  return Deno.uid() === 0;
}

function runs([program = "", ...words]: readonly string[]): boolean {
  try {
    return new Deno.Command(program, { args: [...words], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false; // There is no such program.
  }
}

export class Alone {
  /** The other user's own. */
  readonly folder: string;
  readonly program: Program;
  /** Deno, which an application and a bundle need. */
  readonly deno: string;
  readonly #wrapper: readonly string[];

  constructor(folder: string, program: Program, deno: string, wrapper: readonly string[]) {
    this.folder = folder;
    this.program = program;
    this.deno = deno;
    this.#wrapper = wrapper;
  }

  async run(words: readonly string[]): Promise<CommandResult> {
    return await this.#runToEnd([this.program.command, ...this.program.parameters, ...words]);
  }

  replicate(words: readonly string[]): Daemon {
    const all = [this.program.command, ...this.program.parameters, "replicate", ...words];
    return new Daemon(this.#command(all, "null").spawn());
  }

  /** An application of that user, which opens the database, does this and closes it. */
  async sql(database: string, ...statements: readonly string[]): Promise<unknown> {
    const script = `import { DatabaseSync } from "node:sqlite";
      const database = new DatabaseSync(${JSON.stringify(database)}, { timeout: 60_000 });
      database.exec("PRAGMA journal_mode = WAL");
      const rows = ${JSON.stringify(statements)}.map((sql) => database.prepare(sql).all());
      database.close();
      console.log(JSON.stringify(rows.at(-1)));`;
    return JSON.parse(await this.#evaluate(script));
  }

  /** What an address on the loopback answers to a process beside the daemon. */
  async fetch(daemon: Daemon, address: string): Promise<string> {
    const isApart = Deno.readLinkSync(`/proc/${daemon.pid}/ns/net`) !== Deno.readLinkSync("/proc/self/ns/net");
    if (!isApart) return await (await fetch(address)).text();
    const script = `console.log(await (await fetch(${JSON.stringify(address)})).text())`;
    const enter = ["nsenter", ...(isRoot() ? [] : ["--user", "--preserve-credentials"]), "--net", "--target"];
    const { stdout } = await output(command([...enter, String(daemon.pid), this.deno, "eval", script], "piped"));
    return stdout;
  }

  async #evaluate(script: string): Promise<string> {
    const { code, stdout, stderr } = await this.#runToEnd([this.deno, "eval", "--ext=js", script]);
    if (code !== 0) throw new Error(`The application ended with ${code}: ${stderr}`);
    return stdout;
  }

  async #runToEnd(words: readonly string[]): Promise<CommandResult> {
    return await output(this.#command(words, "piped"));
  }

  #command(words: readonly string[], stdout: "piped" | "null"): Deno.Command {
    return command([...this.#wrapper, ...words], stdout, this.folder);
  }
}

function command([program = "", ...args]: readonly string[], stdout: "piped" | "null", cwd = "/"): Deno.Command {
  const env = ENVIRONMENT;
  return new Deno.Command(program, { args, cwd, clearEnv: true, env, stdin: "null", stdout, stderr: "piped" });
}

async function output(command: Deno.Command): Promise<CommandResult> {
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
