/**
 * Runs a program to its end and writes the peak of its resident memory, and of what it started, in bytes into a file. The
 * system keeps that number of a process's ended children, whatever else the machine does: a process of its own asks for it.
 */
const [file = "", inputFile = "", command = "", ...words] = Deno.args;
const USAGE_OF_CHILDREN = -1;
/** struct rusage: two times of 16 bytes, then the peak in KiB. */
const PEAK_AT = 32;

const options = { args: words, stdin: "piped", stdout: "inherit", stderr: "inherit" } as const;
const child = new Deno.Command(command, options).spawn();
// A program that ends without having read it says why by itself.
const given = (await Deno.open(inputFile)).readable.pipeTo(child.stdin).catch(() => {});
const { code } = await child.status;
await given;
const libc = Deno.dlopen("libc.so.6", { getrusage: { parameters: ["i32", "buffer"], result: "i32" } });
const usage = new Uint8Array(256);
libc.symbols.getrusage(USAGE_OF_CHILDREN, usage);
libc.close();
Deno.writeTextFileSync(file, String(Number(new DataView(usage.buffer).getBigInt64(PEAK_AT, true)) * 1024));
Deno.exit(code);
