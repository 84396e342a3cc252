import { product } from "../../lib/base/product.ts";
import { assert, assertEquals, assertFalse, assertStringIncludes } from "../support/assert.ts";
import { testedProgram } from "../support/program.ts";
import { runTailrace, tailraceCommand } from "../support/tailrace.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const timeout = 20_000;
const MAIN = new URL("../../main.ts", import.meta.url).href;
const CONFIG_URL = new URL("../../deno.json", import.meta.url);
const CONFIG = CONFIG_URL.pathname;

Deno.test({
  name: "main.ts without a command shows help on stderr and ends with 2",
  timeout,
  fn: async () => {
    const { code, stdout, stderr } = await runTailrace([]);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, "Commands:");
  },
});

Deno.test({
  name: "main.ts shows help on stdout when it is asked for, whatever else is typed",
  timeout,
  fn: async () => {
    for (const words of [["help"], ["--help"], ["-h"]]) {
      const { code, stdout, stderr } = await runTailrace(words);
      assertEquals([code, stderr], [0, ""], words.join(" "));
      assertStringIncludes(stdout, "Commands:");
    }
    const help = (await runTailrace(["help", "restore"])).stdout;
    assertStringIncludes(help, "tailrace restore [flags] -o FILE URL");
    for (const words of [["restore", "--help"], ["restore", "--bogus", "a", "b", "-h"]]) {
      assertEquals(await runTailrace(words), { code: 0, stdout: help, stderr: "" });
    }
  },
});

Deno.test({
  name: "main.ts answers a mistyped command with the nearest one and ends with 2",
  timeout,
  fn: async () => {
    assertEquals(await runTailrace(["restroe", "x"]), {
      code: 2,
      stdout: "",
      stderr:
        'Cannot run "restroe": there is no such command (did you mean "restore"?)\nTry: tailrace restore --help\n',
    });
    assertEquals(await runTailrace(["frobnicate"]), {
      code: 2,
      stdout: "",
      stderr: 'Cannot run "frobnicate": there is no such command\nTry: tailrace help\n',
    });
  },
});

Deno.test({
  name: "main.ts answers a mistyped flag with the nearest one and ends with 2",
  timeout,
  fn: async () => {
    assertEquals(await runTailrace(["databases", "--confg", "x"]), {
      code: 2,
      stdout: "",
      stderr: "Cannot use --confg: there is no such flag (did you mean --config?)\nTry: tailrace databases --help\n",
    });
  },
});

Deno.test({
  name: "version prints name and version, and one JSON document with --json",
  timeout,
  fn: async () => {
    const plain = { code: 0, stdout: `tailrace ${product.version}\n`, stderr: "" };
    assertEquals(await runTailrace(["version"]), plain);
    assertEquals(await runTailrace(["--version"]), plain);
    const { code, stdout } = await runTailrace(["version", "--json"]);
    assertEquals(code, 0);
    assertEquals(JSON.parse(stdout), {
      schema_version: 1,
      name: product.name,
      version: product.version,
      deno: Deno.version.deno,
    });
  },
});

interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly { readonly code?: { readonly specifier: string }; readonly isDynamic?: boolean }[];
  }[];
}

Deno.test({
  name: "main.ts loads neither YAML nor SQLite before a command asks for them",
  timeout,
  fn: async () => {
    const info = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", MAIN] }).output();
    const graph = JSON.parse(new TextDecoder().decode(info.stdout)) as Graph;
    const reached = new Set([MAIN]);
    for (const specifier of reached) {
      const dependencies = graph.modules.find((module) => module.specifier === specifier)?.dependencies ?? [];
      for (const { code, isDynamic } of dependencies) if (code !== undefined && !isDynamic) reached.add(code.specifier);
    }
    assert(reached.size > 10, "The graph was read");
    for (const specifier of reached) assertFalse(/yaml|sqlite/.test(specifier), specifier);
  },
});

Deno.test({
  name: "databases lists the config's databases, as a table and as JSON",
  timeout,
  fn: async () => {
    await withTemporaryFolder(async (folder) => {
      Deno.writeTextFileSync(
        `${folder}/c.yml`,
        "dbs:\n  - path: a.db\n    replicas: [{path: r1}, {name: far, url: 'file:///mnt/r2'}]\n" +
          "  - path: longer.db\n    meta-path: state\n    replicas: [{path: $REST}]\n",
      );
      const options = { folder, environment: { REST: "r3" } };
      const width = `${folder}/longer.db`.length;
      const lines = [["path", "replicas"], [`${folder}/a.db`, "file,far"], [`${folder}/longer.db`, "file"]];
      assertEquals(await runTailrace(["databases", "--config", "c.yml"], options), {
        code: 0,
        stdout: lines.map(([left = "", right]) => `${left.padEnd(width)}  ${right}\n`).join(""),
        stderr: "",
      });
      const { stdout } = await runTailrace(["databases", "-config=c.yml", "-json"], options);
      const replica = (name: string, path: string) => ({ name, type: "file", url: `file://${path}`, layout: "raw" });
      assertEquals(JSON.parse(stdout), {
        schema_version: 1,
        config: `${folder}/c.yml`,
        databases: [
          {
            path: `${folder}/a.db`,
            state_path: `${folder}/.a.db-tailrace`,
            replicas: [replica("file", `${folder}/r1`), replica("far", "/mnt/r2")],
          },
          {
            path: `${folder}/longer.db`,
            state_path: `${folder}/state/tailrace`,
            replicas: [replica("file", `${folder}/r3`)],
          },
        ],
      });
    });
  },
});

Deno.test({
  name: "databases finds its config by TAILRACE_CONFIG and LITESTREAM_CONFIG",
  timeout,
  fn: async () => {
    await withTemporaryFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/c.yml`, "dbs: [{path: a.db, replicas: [{path: r}]}]\n");
      for (const name of ["TAILRACE_CONFIG", "LITESTREAM_CONFIG"]) {
        const { code, stdout } = await runTailrace(["databases"], { folder, environment: { [name]: "c.yml" } });
        assertEquals(code, 0, name);
        assertStringIncludes(stdout, `${folder}/a.db`);
      }
    });
  },
});

Deno.test({
  name: "main.ts ends quietly when the reader of its output has gone away",
  timeout,
  fn: async () => {
    await withTemporaryFolder(async (folder) => {
      const entries = Array.from({ length: 2_000 }, (_, i) => `  - {path: d${i}.db, replicas: [{path: r${i}}]}\n`);
      Deno.writeTextFileSync(`${folder}/c.yml`, `dbs:\n${entries.join("")}`);
      const child = tailraceCommand(["databases", "--config", "c.yml"], { folder }).spawn();
      await child.stdout.cancel();
      const stderr = await new Response(child.stderr).text();
      assertEquals({ code: (await child.status).code, stderr }, { code: 0, stderr: "" });
    });
  },
});

Deno.test({
  name: "main.ts fails when its output cannot be written",
  timeout,
  ignore: Deno.build.os !== "linux", // The device that is always full is Linux's.
  fn: async () => {
    const { code, stderr } = await new Deno.Command("sh", {
      args: ["-c", '"$0" "$@" version >/dev/full', testedProgram.command, ...testedProgram.parameters],
      env: testedProgram.environment,
      stderr: "piped",
    }).output();
    assertEquals(code, 1);
    assertStringIncludes(new TextDecoder().decode(stderr), "Cannot write to stdout: ");
  },
});

/**
 * Runs `main.ts version` in a process that holds a database with a WAL. The script prepares what will go wrong; what it sets
 * as `atEnd` happens when the command has ended and would leave by `Deno.exit`.
 */
async function runIntoFault(prepare: string, imports: Readonly<Record<string, string>> = {}) {
  return await withTemporaryFolder(async (folder) => {
    const script = [
      'import { DatabaseSync } from "node:sqlite";',
      'const database = new DatabaseSync("app.db");',
      'database.exec("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1)");',
      "globalThis.held = database;",
      "let atEnd;",
      prepare,
      "const exit = Deno.exit;",
      "if (atEnd !== undefined) Deno.exit = () => { Deno.exit = exit; atEnd(); };",
      `await import(${JSON.stringify(MAIN)});`,
    ];
    Deno.writeTextFileSync(`${folder}/script.js`, script.join("\n"));
    Deno.writeTextFileSync(`${folder}/map.json`, JSON.stringify({ imports: { ...projectImports(), ...imports } }));
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-all",
        "--quiet",
        "--no-config",
        "--import-map",
        "map.json",
        "script.js",
        "version",
        "--json",
      ],
      cwd: folder,
      env: { NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).output();
    const [sentence, ...trace] = new TextDecoder().decode(stderr).trimEnd().split("\n");
    const isWalKept = [...Deno.readDirSync(folder)].some(({ name }) => name === "app.db-wal");
    return { code, sentence, hasTrace: trace.some((line) => /^ +at .*:\d+:\d+\)?$/.test(line)), isWalKept };
  });
}

function projectImports(): Record<string, string> {
  const { imports } = JSON.parse(Deno.readTextFileSync(CONFIG)) as { imports: Record<string, string> };
  const absolute = (at: string) => at.startsWith("./") ? new URL(at, CONFIG_URL).href : at;
  return Object.fromEntries(Object.entries(imports).map(([name, at]) => [name, absolute(at)]));
}

const FAULT = { code: 70, hasTrace: true, isWalKept: true };
const sentenceOf = (reason: string) => `Cannot go on: ${reason} (a fault of the program; please report it)`;

Deno.test({
  name: "main.ts ends with 70 and keeps a watched WAL after errors that nobody caught, and after a natural end",
  timeout,
  fn: async () => {
    const faults = [
      ["atEnd = () => setTimeout(() => { throw new Error('lost'); });", "lost", true],
      ["atEnd = () => { Promise.reject(new Error('lost')); };", "lost", true],
      ["atEnd = () => {};", "nothing is left that could ever finish the command", false],
    ] as const;
    for (const [fault, reason, hasTrace] of faults) {
      assertEquals(await runIntoFault(fault), { ...FAULT, sentence: sentenceOf(reason), hasTrace }, fault);
    }
  },
});

Deno.test({
  name: "main.ts ends with 70, one sentence and a trace when a command throws what is no error of its own",
  timeout,
  fn: async () => {
    const fault = "JSON.stringify = () => { throw new TypeError('odd'); };";
    assertEquals(await runIntoFault(fault), { ...FAULT, sentence: sentenceOf("odd") });
  },
});

Deno.test({
  name: "main.ts ends with 70 and one sentence when a part of it cannot be loaded",
  timeout,
  fn: async () => {
    const missing = "file:///nonexistent/version.ts";
    const ended = await runIntoFault("", { [new URL("lib/cli/version.ts", CONFIG_URL).href]: missing });
    assertEquals([ended.code, ended.isWalKept], [70, true]);
    assertStringIncludes(ended.sentence ?? "", "Cannot go on: ");
    assertStringIncludes(ended.sentence ?? "", missing);
  },
});
