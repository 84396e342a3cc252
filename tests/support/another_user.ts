/**
 * What one user may not touch: tests that run as root start the program as another user, from a copy that this user can read;
 * tests that do not, take the permission away from themselves.
 */
import { basename } from "../../lib/base/path.ts";
import type { DaemonOptions } from "./daemon.ts";
import { type Program, programOf, testedProgram } from "./program.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
/** Nobody, on every Linux. */
export const NOBODY = 65_534;

export interface OtherUser {
  readonly uid: number;
  readonly gid: number;
  /** For `startDaemon()`. */
  readonly options: DaemonOptions;
}

export function anotherUser(folder: string): OtherUser {
  const uid = Deno.uid() ?? 0;
  const gid = Deno.gid() ?? 0;
  if (uid !== 0) return { uid, gid, options: {} };
  Deno.chmodSync(folder, 0o755);
  const copy = `${folder}/program`;
  const program = copyProgram(copy);
  run("chown", ["-R", `${NOBODY}:${NOBODY}`, copy]);
  const environment = { HOME: copy };
  return { uid: NOBODY, gid: NOBODY, options: { user: { uid: NOBODY, gid: NOBODY }, program, environment } };
}

/** The tested program and its Deno, with all that they need, in a new folder. */
function copyProgram(folder: string): Program {
  const cache = `${folder}/cache`;
  Deno.mkdirSync(cache, { recursive: true, mode: 0o755 });
  const isFromSources = testedProgram.kind === "sources";
  const files = isFromSources ? ["main.ts", "lib", "deno.json", "deno.lock"].map((name) => `${ROOT}/${name}`) : [];
  run("cp", ["-r", ...(isFromSources ? files : [testedProgram.file]), folder]);
  if (isFromSources) run("cp", ["-r", `${denoCache()}/npm`, cache]);
  const deno = `${folder}/${basename(Deno.execPath())}`;
  if (testedProgram.kind !== "executable") run("cp", [Deno.execPath(), deno]);
  const program = programOf(`${folder}/${basename(testedProgram.file)}`, deno, cache);
  return { ...program, environment: { ...program.environment, DENO_DIR: cache } };
}

function denoCache(): string {
  return Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
}

/** Hands files over, where there is somebody to hand them to. */
export function give(user: OtherUser, ...paths: readonly string[]): void {
  for (const path of paths) Deno.chownSync(path, user.uid, user.gid);
}

function run(program: string, words: readonly string[]): void {
  const { code, stderr } = new Deno.Command(program, { args: [...words], stdout: "null" }).outputSync();
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${new TextDecoder().decode(stderr)}`);
}
