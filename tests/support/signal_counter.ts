/** Its process and its parent, then each SIGINT and SIGUSR2, a line each in its file; ends with 0 at SIGTERM. */
const [path = ""] = Deno.args;

function say(text: string): void {
  Deno.writeTextFileSync(path, `${text}\n`, { append: true });
}

for (const name of ["SIGINT", "SIGUSR2"] as const) Deno.addSignalListener(name, () => say(name));
Deno.addSignalListener("SIGTERM", () => Deno.exit(0));
say(`${Deno.pid} ${Deno.ppid}`);
setInterval(() => {}, 1_000);
