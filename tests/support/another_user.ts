/**
 * What one user may not touch: tests that run as root start the program as another user, from a copy that this user can read;
 * tests that do not, take the permission away from themselves.
 */
import type { DaemonOptions } from "./daemon.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
/** Nobody, on every Linux. */
const NOBODY = 65_534;

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
  Deno.mkdirSync(`${copy}/cache`, { recursive: true, mode: 0o755 });
  for (const name of ["main.ts", "lib", "deno.json", "deno.lock"]) run("cp", ["-r", `${ROOT}/${name}`, copy]);
  const cache = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  run("cp", ["-r", `${cache}/npm`, `${copy}/cache`]);
  run("cp", [Deno.execPath(), copy]);
  run("chown", ["-R", `${NOBODY}:${NOBODY}`, copy]);
  return {
    uid: NOBODY,
    gid: NOBODY,
    options: {
      user: { uid: NOBODY, gid: NOBODY },
      deno: `${copy}/${Deno.execPath().split("/").at(-1)}`,
      main: `${copy}/main.ts`,
      environment: { DENO_DIR: `${copy}/cache`, HOME: copy },
    },
  };
}

/** Hands files over, where there is somebody to hand them to. */
export function give(user: OtherUser, ...paths: readonly string[]): void {
  for (const path of paths) Deno.chownSync(path, user.uid, user.gid);
}

function run(program: string, words: readonly string[]): void {
  const { code, stderr } = new Deno.Command(program, { args: [...words], stdout: "null" }).outputSync();
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${new TextDecoder().decode(stderr)}`);
}
