/**
 * `deno task kernel [--print]`: compiles `lib/lz4/kernel/` (AssemblyScript) to `lib/lz4/kernel_bytes.ts`, or prints the
 * module in base64. The compiler is needed for this alone; what it made is committed, so that the program is whole in one
 * file when it is bundled. The exit code is 3 when the compiler cannot be had.
 *
 * The compiler stands in `scripts/lz4_tools/deno.json`, with its own lock file: the run-time fetches every package of the
 * project's own lock file before it starts the program, and this one has 100 MB.
 *
 * The sources end in `.as`, since they are no TypeScript and nothing of Deno is to look at them.
 */
import { complain, ROOT, run, say } from "./project.ts";

const KERNEL_FILE = "lib/lz4/kernel_bytes.ts";
const SOURCES = `${ROOT}/lib/lz4/kernel`;
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
  "scripts/lz4_kernel.ts",
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

async function compileKernel(compiler: Compiler): Promise<Uint8Array> {
  let compiled: Uint8Array | undefined;
  const { error, stderr } = await compiler.main(["kernel.ts", ...OPTIONS, "--outFile", MODULE], {
    readFile: (name) => readSourceAs(name),
    writeFile: (name, contents) => {
      if (name === MODULE) compiled = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || compiled === undefined) throw new Error(`Cannot compile the kernel: ${stderr.toString()}`);
  return compiled;
}

function readSourceAs(name: string): string | null {
  try {
    return Deno.readTextFileSync(`${SOURCES}/${name.replace(/\.ts$/, ".as")}`);
  } catch {
    return null;
  }
}

function formatKernelFile(module: Uint8Array): string {
  const lines = module.toBase64().match(/.{1,100}/g) ?? [];
  return `/** Made by \`deno task kernel\` from \`lib/lz4/kernel/\`: a WebAssembly module of ${module.length} bytes, in base64. */
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
  const module = await compileKernel(compiler);
  if (Deno.args.includes("--print")) {
    say(module.toBase64());
    return 0;
  }
  Deno.writeTextFileSync(`${ROOT}/${KERNEL_FILE}`, formatKernelFile(module));
  const formatted = await run(Deno.execPath(), ["fmt", "--quiet", KERNEL_FILE]);
  if (formatted.code !== 0) throw new Error(`Cannot format ${KERNEL_FILE}: ${formatted.stderr}`);
  say(`${KERNEL_FILE}: ${module.length} bytes of WebAssembly`);
  return 0;
}

if (import.meta.main) Deno.exit(await main());
