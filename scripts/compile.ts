/**
 * `deno task compile [--target TARGET]`: the program as one executable, `dist/tailrace`, for another target
 * `dist/tailrace-TARGET`. The bundle is compiled, not the sources: else every package of the lock file would be embedded.
 *
 * Deno joins the program to a run-time part, denort, which it downloads; the environment variable `DENORT_BIN` names one
 * that is here already. Deno takes that file for every target without looking at it; this script does not.
 */
import { product } from "../lib/base/product.ts";
import { askEverything, BUNDLE_PATH, makeBundle } from "./bundle.ts";
import { complain, DIST_FOLDER, run, RUNTIME_FLAGS, say } from "./project.ts";

/** The machine that a program of each target is made for, as `machineOf` says it. */
export const MACHINES: Readonly<Record<string, string>> = {
  "x86_64-unknown-linux-gnu": "ELF x86-64",
  "aarch64-unknown-linux-gnu": "ELF arm64",
  "x86_64-apple-darwin": "Mach-O x86-64",
  "aarch64-apple-darwin": "Mach-O arm64",
  "x86_64-pc-windows-msvc": "PE x86-64",
};

const ELF_MACHINES: Readonly<Record<number, string>> = { 62: "x86-64", 183: "arm64" };
const MACH_O_MACHINES: Readonly<Record<number, string>> = { 0x0100_0007: "x86-64", 0x0100_000c: "arm64" };
const PE_MACHINES: Readonly<Record<number, string>> = { 0x8664: "x86-64", 0xaa64: "arm64" };

/** Format and machine of a program file, from its first kilobyte. */
export function machineOf(head: Uint8Array): string {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 64) return "no program";
  if (view.getUint32(0) === 0x7f454c46) return `ELF ${ELF_MACHINES[view.getUint16(18, true)] ?? "unknown"}`;
  if (view.getUint32(0, true) === 0xfeedfacf) return `Mach-O ${MACH_O_MACHINES[view.getUint32(4, true)] ?? "unknown"}`;
  const peAt = view.getUint32(0x3c, true);
  if (view.getUint16(0) === 0x4d5a && peAt + 6 <= head.length && view.getUint32(peAt) === 0x50450000) {
    return `PE ${PE_MACHINES[view.getUint16(peAt + 4, true)] ?? "unknown"}`;
  }
  return "no program";
}

export type CompileRequest =
  | { readonly ok: true; readonly target: string; readonly output: string }
  | { readonly ok: false; readonly problem: string };

/** What to make, or why it cannot be made. `denortBin` is the value of `DENORT_BIN`. */
export function decideCompile(
  parameters: readonly string[],
  host: string,
  denortBin: string | undefined,
): CompileRequest {
  const [flag, value, ...rest] = parameters.flatMap((parameter) => parameter.split("=", 2));
  if (flag !== undefined && (flag !== "--target" || value === undefined || rest.length > 0)) {
    return { ok: false, problem: "Cannot compile: the only flag is --target TARGET" };
  }
  const target = value ?? host;
  if (MACHINES[target] === undefined) {
    const known = Object.keys(MACHINES).join(", ");
    return { ok: false, problem: `Cannot compile for ${target}: that target is unknown (known are ${known})` };
  }
  if (denortBin !== undefined && target !== host) {
    const problem = `Cannot compile for ${target}: DENORT_BIN names a run-time part for this host, ${host} (unset it)`;
    return { ok: false, problem };
  }
  const name = value === undefined ? product.name : `${product.name}-${target}`;
  return { ok: true, target, output: `${DIST_FOLDER}/${name}${target.includes("windows") ? ".exe" : ""}` };
}

/** One sentence from what `deno compile` wrote to stderr. */
export function explainFailure(stderr: string, target: string, denoVersion: string): string {
  const file = `denort-${target}.zip of Deno ${denoVersion}`;
  if (/Could not find denort/.test(stderr)) return "Cannot compile: DENORT_BIN names a file that does not exist";
  if (/Setting up base binary|dl\.deno\.land/.test(stderr)) {
    return `Cannot compile: the run-time part, ${file}, cannot be downloaded here ` +
      "(set DENORT_BIN to the path of the denort program that is in it)";
  }
  return `Cannot compile for ${target}: ${stderr.trim()}`;
}

function readHead(path: string): Uint8Array {
  using file = Deno.openSync(path);
  const head = new Uint8Array(1024);
  return head.subarray(0, file.readSync(head) ?? 0);
}

async function compile(target: string, output: string): Promise<string | undefined> {
  const bundling = await makeBundle();
  if (bundling !== undefined) return bundling;
  const parameters = ["compile", "--allow-all", "--no-check", "--no-config", "--no-lock", ...RUNTIME_FLAGS];
  const made = await run(Deno.execPath(), [...parameters, "--target", target, "--output", output, BUNDLE_PATH]);
  if (made.code !== 0) return explainFailure(made.stderr, target, Deno.version.deno);
  const machine = machineOf(readHead(output));
  if (machine === MACHINES[target]) return undefined;
  Deno.removeSync(output);
  return `Cannot compile for ${target}: the run-time part made a program for ${machine} (expected ${MACHINES[target]})`;
}

/** The executable for this machine, `dist/tailrace`. */
export async function makeExecutable(): Promise<{ readonly path: string; readonly problem: string | undefined }> {
  const path = `${DIST_FOLDER}/${product.name}`;
  return { path, problem: await compile(Deno.build.target, path) };
}

async function main(): Promise<number> {
  const denortBin = Deno.env.get("DENORT_BIN");
  const request = decideCompile(Deno.args, Deno.build.target, denortBin);
  if (!request.ok) {
    complain(request.problem);
    return 2;
  }
  const { target, output } = request;
  const problem = await compile(target, output);
  if (problem !== undefined) {
    complain(problem);
    return 1;
  }
  say(`${output}: ${Math.ceil(Deno.statSync(output).size / 1024 / 1024)} MiB for ${target}`);
  const answer = target === Deno.build.target ? await askEverything(() => [output]) : undefined;
  if (answer === undefined) return 0;
  const doubt = denortBin === undefined ? "" : " (is DENORT_BIN a denort?)";
  complain(`Warning: ${output} does not run${doubt}: ${answer}`);
  return denortBin === undefined ? 1 : 0; // A base chosen by hand may be for building only.
}

if (import.meta.main) Deno.exit(await main());
