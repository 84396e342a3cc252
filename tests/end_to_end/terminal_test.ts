/** What a terminal sends to all that runs in its foreground reaches each program once. `script` of util-linux makes one. */
import { commandLine } from "../../lib/base/command_line.ts";
import { assertEquals } from "../support/assert.ts";
import { until } from "../support/daemon.ts";
import { testedProgram } from "../support/program.ts";
import { insert, type Scene, withScene } from "./scene.ts";

const COUNTER = new URL("../support/signal_counter.ts", import.meta.url).pathname;
const CTRL_C = Uint8Array.of(3);
const SIGINT_BIT = 2n;

function linesOf(path: string): string[] {
  try {
    return Deno.readTextFileSync(path).trimEnd().split("\n").filter((line) => line !== "");
  } catch {
    return []; // Not yet.
  }
}

/** Runs the program in a terminal of its own; its stderr goes into a file. */
function inTerminal(scene: Scene, log: string, ...words: readonly string[]) {
  const { command, parameters, environment } = testedProgram;
  const line = commandLine([command, ...parameters, ...words, scene.database, `file://${scene.replica}`]);
  return new Deno.Command("script", {
    args: ["--quiet", "--flush", "--return", "--command", `trap : INT; ${line} 2> ${log}; exit $?`, "/dev/null"],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    env: { ...environment, SHELL: "/bin/sh" },
  }).spawn();
}

function status(pid: number): string {
  return Deno.readTextFileSync(`/proc/${pid}/status`);
}

function isPending(pid: number): boolean {
  const pending = /^ShdPnd:\s*([0-9a-f]+)$/m.exec(status(pid))?.[1] ?? "0";
  return (BigInt(`0x${pending}`) & SIGINT_BIT) !== 0n;
}

for (const [how, isDirect] of [["Ctrl-C", true], ["Ctrl-C", false], ["kill", false]] as const) {
  Deno.test({
    name: `replicate in a terminal has ${how} reach ${isDirect ? "--exec" : "what --exec has started"} once`,
    timeout: 60_000,
    fn: () =>
      withScene(async (scene) => {
        const application = scene.application();
        insert(application, 3);
        const [log, heard, pids] = [`${scene.folder}/log`, `${scene.folder}/heard`, `${scene.folder}/pid`];
        const counter = commandLine([Deno.execPath(), "run", "--allow-all", "--no-config", COUNTER, heard]);
        // The shell in between is what npm and the like are.
        const exec = isDirect
          ? counter
          : commandLine(["sh", "-c", `trap : INT; echo $PPID > ${pids}; ${counter}; true`]);
        const terminal = inTerminal(scene, log, "replicate", "--exec", exec);
        await until(() => linesOf(heard).length === 1, "the program of --exec");
        const [child = 0, parent = 0] = (linesOf(heard)[0] ?? "").split(" ").map(Number);
        const program = isDirect ? parent : Number(linesOf(pids)[0]);
        const count = (name: string) => linesOf(heard).filter((line) => line === name).length;

        Deno.kill(program, "SIGSTOP"); // What the child hears now does not come from us.
        await until(() => /^State:\s*T/m.test(status(program)), "the program to stand still");
        const keys = terminal.stdin.getWriter();
        if (how === "Ctrl-C") await keys.write(CTRL_C);
        else Deno.kill(program, "SIGINT");
        await until(() => isPending(program), "the signal");
        for (let asked = 1; asked <= 2; asked++) {
          Deno.kill(child, "SIGUSR2");
          await until(() => count("SIGUSR2") === asked, "an answer of the child, who heard what was sent before");
        }
        assertEquals(count("SIGINT"), 0);

        Deno.kill(program, "SIGCONT");
        await until(() => count("SIGINT") > 0, "the signal that is passed on");
        await until(() => linesOf(log).some((line) => line.includes("Stopping")), "the program to say so");
        insert(application, 1);
        Deno.kill(child, "SIGTERM");
        assertEquals((await terminal.status).code, 0, linesOf(log).join("\n"));
        assertEquals(count("SIGINT"), 1);
        await keys.close().catch(() => {}); // Nobody reads any more.
        application.close();
        await scene.expectEqual();
      }),
  });
}
