/**
 * `deno task kernel [--print ROOM]`: compiles `lib/lz4/kernel/` and `lib/pages/kernel/` (AssemblyScript) to the
 * `kernel_bytes.ts` beside them, or prints the module of one of these rooms in base64. The compiler is needed for this
 * alone; what it made is committed, so that the program is whole in one file when it is bundled. The exit code is 3 when the
 * compiler cannot be had.
 *
 * The compiler stands in `scripts/lz4_tools/deno.json`, with its own lock file: the run-time fetches every package of the
 * project's own lock file before it starts the program, and this one has 100 MB.
 *
 * The sources end in `.as`, since they are no TypeScript and nothing of Deno is to look at them.
 */
import { complain, ROOT, run, say } from "./project.ts";

const ROOMS: readonly string[] = ["lib/lz4", "lib/pages"];
const MODULE = "kernel.wasm";
/** Not a literal in `import()`, since checks of the sources do not know it. */
const COMPILER: string = "assemblyscript/asc";

export const NO_COMPILER_CODE = 3;
/** How this script is run with the compiler at hand. */
export const KERNEL_COMMAND: readonly string[] = [
  "run",
  "--config",
  `${ROOT}/scripts/lz4_tools/deno.json`,
  "--allow-all",
  "scripts/kernels.ts",
];

const OPTIONS = ["--runtime", "stub", "--noAssert", "-O3", "--converge", "--enable", "simd", "--importMemory"];

interface Compiler {
  main(
    parameters: readonly string[],
    world: {
      readFile(name: string): string | null;
      writeFile(name: string, contents: Uint8Array): void;
      listFiles(): string[];
    },
  ): Promise<{ readonly error: Error | null; readonly stderr: { toString(): string } }>;
}

/** The compiler; undefined when it is not there and cannot be fetched. */
async function loadCompiler(): Promise<Compiler | undefined> {
  try {
    return (await import(COMPILER) as { readonly default: Compiler }).default;
  } catch {
    return undefined;
  }
}

async function compileKernel(compiler: Compiler, room: string): Promise<Uint8Array> {
  let compiled: Uint8Array | undefined;
  const { error, stderr } = await compiler.main(["kernel.ts", ...OPTIONS, "--outFile", MODULE], {
    readFile: (name) => readSourceAs(room, name),
    writeFile: (name, contents) => {
      if (name === MODULE) compiled = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || compiled === undefined) throw new Error(`Cannot compile the kernel: ${stderr.toString()}`);
  return compiled;
}

function readSourceAs(room: string, name: string): string | null {
  try {
    return Deno.readTextFileSync(`${ROOT}/${room}/kernel/${name.replace(/\.ts$/, ".as")}`);
  } catch {
    return null;
  }
}

function formatKernelFile(room: string, module: Uint8Array): string {
  const lines = module.toBase64().match(/.{1,100}/g) ?? [];
  return `/** Made by \`deno task kernel\` from \`${room}/kernel/\`: a WebAssembly module of ${module.length} bytes, in base64. */
export const KERNEL_BASE64: string = [
${lines.map((line) => `  "${line}",`).join("\n")}
].join("");
`;
}

async function main(): Promise<number> {
  const compiler = await loadCompiler();
  if (compiler === undefined) {
    complain(`Cannot compile the kernel: ${COMPILER} is not there and cannot be fetched`);
    return NO_COMPILER_CODE;
  }
  const [option, printed = ""] = Deno.args;
  if (option === "--print") {
    say((await compileKernel(compiler, printed)).toBase64());
    return 0;
  }
  for (const room of ROOMS) {
    const module = await compileKernel(compiler, room);
    const file = `${room}/kernel_bytes.ts`;
    Deno.writeTextFileSync(`${ROOT}/${file}`, formatKernelFile(room, module));
    const formatted = await run(Deno.execPath(), ["fmt", "--quiet", file]);
    if (formatted.code !== 0) throw new Error(`Cannot format ${file}: ${formatted.stderr}`);
    say(`${file}: ${module.length} bytes of WebAssembly`);
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main());
