import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { decideCompile, explainFailure, machineOf, MACHINES } from "../../scripts/compile.ts";

const HOST = "x86_64-unknown-linux-gnu";

Deno.test("decideCompile() makes the program for the host unless a target is given", () => {
  const own = decideCompile([], HOST, undefined);
  assert(own.ok && own.target === HOST && own.output.endsWith("/dist/tailrace"));
  const other = decideCompile(["--target", "x86_64-pc-windows-msvc"], HOST, undefined);
  assert(other.ok && other.output.endsWith("/dist/tailrace-x86_64-pc-windows-msvc.exe"));
  const written = decideCompile(["--target=aarch64-apple-darwin"], HOST, undefined);
  assert(written.ok && written.target === "aarch64-apple-darwin");
});

Deno.test("decideCompile() refuses unknown targets, unknown flags and a flag without its value", () => {
  for (const parameters of [["--target", "sparc"], ["--targets", HOST], ["--target"], ["--target", HOST, "x"]]) {
    const decision = decideCompile(parameters, HOST, undefined);
    assert(!decision.ok && decision.problem.startsWith("Cannot compile"), parameters.join(" "));
  }
});

Deno.test("decideCompile() takes DENORT_BIN for the host only", () => {
  assert(decideCompile([], HOST, "/opt/denort").ok);
  assert(decideCompile(["--target", HOST], HOST, "/opt/denort").ok);
  const refused = decideCompile(["--target", "aarch64-unknown-linux-gnu"], HOST, "/opt/denort");
  assert(!refused.ok);
  assertStringIncludes(refused.problem, "DENORT_BIN names a run-time part for this host");
});

Deno.test("machineOf() knows the machine of every target from the program's header", () => {
  assertEquals(machineOf(anElf(62)), MACHINES["x86_64-unknown-linux-gnu"]);
  assertEquals(machineOf(anElf(183)), MACHINES["aarch64-unknown-linux-gnu"]);
  assertEquals(machineOf(aMachO(0x0100_0007)), MACHINES["x86_64-apple-darwin"]);
  assertEquals(machineOf(aMachO(0x0100_000c)), MACHINES["aarch64-apple-darwin"]);
  assertEquals(machineOf(aPe(0x8664)), MACHINES["x86_64-pc-windows-msvc"]);
  assertEquals(machineOf(anElf(40)), "ELF unknown");
  assertEquals(machineOf(new TextEncoder().encode("#!/bin/sh\n".repeat(10))), "no program");
  assertEquals(machineOf(new Uint8Array(3)), "no program");
});

Deno.test("machineOf() agrees with Deno about the machine it runs on", () => {
  using file = Deno.openSync(Deno.execPath());
  const head = new Uint8Array(1024);
  file.readSync(head);
  assertEquals(machineOf(head), MACHINES[Deno.build.target]);
});

Deno.test({
  name: "explainFailure() makes one sentence naming DENORT_BIN of what deno compile says without a network",
  timeout: 60_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const stderr = await compileWith(folder, { HTTPS_PROXY: "http://127.0.0.1:9", NO_PROXY: "" });
      const sentence = explainFailure(stderr, Deno.build.target, Deno.version.deno);
      assertMatch(sentence, /^Cannot compile: the run-time part, denort-[^\n]*DENORT_BIN[^\n]*\)$/);
    }),
});

Deno.test({
  name: "explainFailure() says that DENORT_BIN names nothing",
  timeout: 60_000,
  fn: () =>
    withTemporaryFolder(async (folder) => {
      const stderr = await compileWith(folder, { DENORT_BIN: `${folder}/missing` });
      assertEquals(
        explainFailure(stderr, HOST, "2.9.6"),
        "Cannot compile: DENORT_BIN names a file that does not exist",
      );
    }),
});

Deno.test("explainFailure() passes on what it does not know", () => {
  assertEquals(explainFailure("error: odd\n", HOST, "2.9.6"), `Cannot compile for ${HOST}: error: odd`);
});

/** What `deno compile` says when it has neither a run-time part nor a way to get one. */
async function compileWith(folder: string, env: Record<string, string>): Promise<string> {
  Deno.writeTextFileSync(`${folder}/main.js`, "");
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["compile", "--no-config", "--no-lock", "--output", `${folder}/out`, `${folder}/main.js`],
    clearEnv: true, // DENORT_BIN may be set where the tests run.
    env: { DENO_DIR: `${folder}/deno`, HOME: folder, NO_COLOR: "1", ...env },
  }).output();
  assertEquals(code, 1);
  return new TextDecoder().decode(stderr);
}

function anElf(machine: number): Uint8Array {
  const head = new Uint8Array(64);
  head.set([0x7f, 0x45, 0x4c, 0x46]);
  new DataView(head.buffer).setUint16(18, machine, true);
  return head;
}

function aMachO(machine: number): Uint8Array {
  const head = new Uint8Array(64);
  new DataView(head.buffer).setUint32(0, 0xfeedfacf, true);
  new DataView(head.buffer).setUint32(4, machine, true);
  return head;
}

function aPe(machine: number): Uint8Array {
  const head = new Uint8Array(256);
  const view = new DataView(head.buffer);
  head.set([0x4d, 0x5a]);
  view.setUint32(0x3c, 128, true);
  head.set([0x50, 0x45, 0, 0], 128);
  view.setUint16(132, machine, true);
  return head;
}
