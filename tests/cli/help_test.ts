import { cleanEnvironment } from "../../lib/base/environment_value.ts";
import { parseArguments } from "../../lib/cli/arguments.ts";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { commandNamed, formatCommandHelp, formatOverview } from "../../lib/cli/help.ts";
import { mayDecorate, paint } from "../../lib/cli/output.ts";
import {
  assert,
  assertEquals,
  assertFalse,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";

Deno.test("COMMANDS has exactly the commands of this version, and each has examples", () => {
  assertEquals(COMMANDS.map((command) => command.name), [
    "replicate",
    "restore",
    "databases",
    "generations",
    "snapshots",
    "wal",
    "points",
    "status",
    "verify",
    "prune",
    "snapshot",
    "version",
    "help",
    "inspect",
  ]);
  for (const command of COMMANDS) assert(command.examples.length > 0, command.name);
});

Deno.test("COMMANDS gives no command two flags of one spelling", () => {
  for (const command of COMMANDS) {
    const spellings = command.flags.flatMap((flag) => [flag.name, ...(flag.aliases ?? [])]).concat("help", "h");
    assertEquals(new Set(spellings).size, spellings.length, command.name);
  }
});

Deno.test("formatCommandHelp() shows examples first, and every flag", () => {
  for (const command of COMMANDS) {
    const text = formatCommandHelp(command, false);
    assert(text.indexOf("Examples:") < text.indexOf("Usage:"), command.name);
    assert(text.indexOf("Usage:") < text.indexOf("Flags:"), command.name);
    for (const flag of command.flags) assertStringIncludes(text, `--${flag.name}`);
    assertStringIncludes(text, "-h, --help");
    assert(text.endsWith("\n") && !text.endsWith("\n\n\n"), command.name);
  }
});

Deno.test("formatCommandHelp() gives examples that the parser accepts", () => {
  for (const command of COMMANDS) {
    for (const example of command.examples) {
      const words = [...example.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? "");
      assertEquals(words[0], command.name);
      parseArguments(command, words.slice(1));
    }
  }
});

Deno.test("formatOverview() lists every command", () => {
  for (const { name, isInternal = false } of COMMANDS) {
    assertEquals(formatOverview(false).includes(`  ${name} `), !isInternal, name);
  }
  assertFalse(formatOverview(false).includes("\x1b"));
  assertStringIncludes(formatOverview(true), "\x1b[1mCommands:\x1b[0m");
});

Deno.test("commandNamed() suggests the nearest command", () => {
  assertThrows(() => commandNamed("restroe"), Error, 'there is no such command (did you mean "restore"?)');
  assertThrows(() => commandNamed("frobnicate-all"), Error, "there is no such command");
});

Deno.test("mayDecorate() allows colour on a terminal only, and obeys NO_COLOR and TERM", () => {
  const stream = (isTerminal: boolean) => ({ isTerminal, write: () => {}, columns: () => undefined });
  const decorates = (isTerminal: boolean, variables: Readonly<Record<string, string>>) =>
    mayDecorate(stream(isTerminal), cleanEnvironment((name) => variables[name]));
  assert(decorates(true, { TERM: "xterm" }));
  assert(decorates(true, { NO_COLOR: "" }));
  assertFalse(decorates(true, { NO_COLOR: "1" }));
  assertFalse(decorates(true, { TERM: "dumb" }));
  assertFalse(decorates(false, {}));
  assertEquals(paint("x", "red", false), "x");
});

Deno.test("formatCommandHelp() and formatOverview() fit 80 columns, and break no word", () => {
  for (const text of [formatOverview(false), ...COMMANDS.map((command) => formatCommandHelp(command, false))]) {
    for (const line of text.split("\n")) {
      assert(line.length <= 80 && line === line.trimEnd(), `${line.length}: ${line}`);
    }
  }
});

Deno.test("formatCommandHelp() says beside each flag when it is refused", () => {
  for (const command of COMMANDS) {
    const words = formatCommandHelp(command, false).split(/\s+/).join(" ");
    for (const { flag, when } of command.refusals ?? []) {
      const own = new RegExp(`--${flag}\\b[^]*?Refused [^.]*?${RegExp.escape(when)}`);
      assertMatch(words, own, `${command.name} --${flag}`);
    }
  }
});
