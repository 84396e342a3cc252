import { ReplicationError } from "../../lib/base/errors.ts";
import { asksForHelp, parseArguments } from "../../lib/cli/arguments.ts";
import type { Command, ParsedArguments } from "../../lib/cli/command.ts";
import { findCommand } from "../../lib/cli/commands.ts";
import {
  assert,
  assertEquals,
  assertFalse,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";

function command(name: string): Command {
  const found = findCommand(name);
  assert(found !== undefined, name);
  return found;
}

function parse(name: string, ...words: string[]): ParsedArguments {
  return parseArguments(command(name), words);
}

function problemOf(name: string, ...words: string[]): string {
  const error = assertThrows(() => parse(name, ...words), ReplicationError, "Cannot ");
  assertStrictEquals(error.code, "usage");
  assertEquals(error.advice, `tailrace ${name} --help`);
  return error.message;
}

Deno.test("parseArguments() takes values as --name value, --name=value, -name value and -name=value", () => {
  for (const words of [["--config", "c.yml"], ["--config=c.yml"], ["-config", "c.yml"], ["-config=c.yml"]]) {
    assertEquals(parse("databases", ...words).text("config"), "c.yml");
  }
  assertEquals(parse("databases", "--config=a=b").text("config"), "a=b");
  assertEquals(parse("restore", "-o", "copy.db", "app.db").text("output"), "copy.db");
  assertEquals(parse("restore", "-o=copy.db", "app.db").text("output"), "copy.db");
  assertEquals(parse("restore", "-timestamp", "2025-01-01T00:00:00Z", "app.db").text("at"), "2025-01-01T00:00:00Z");
});

Deno.test("parseArguments() takes flags before, between and after positionals", () => {
  for (
    const words of [
      ["--once", "a.db", "file:///x", "file:///y"],
      ["a.db", "--once", "file:///x", "file:///y"],
      ["a.db", "file:///x", "file:///y", "-once"],
    ]
  ) {
    const parsed = parse("replicate", ...words);
    assert(parsed.isOn("once"));
    assertEquals(parsed.positionals, ["a.db", "file:///x", "file:///y"]);
  }
});

Deno.test("parseArguments() takes a word that begins with a dash as the value that a flag needs", () => {
  assertEquals(parse("restore", "--at", "-10m", "app.db").text("at"), "-10m");
  assertEquals(parse("restore", "app.db", "--at=-10m").text("at"), "-10m");
  assertEquals(parse("replicate", "--exec", "-x").text("exec"), "-x");
});

Deno.test("parseArguments() takes everything after -- as positionals, and - as well", () => {
  assertEquals(parse("restore", "--json", "--", "--at").positionals, ["--at"]);
  assertEquals(parse("restore", "-").positionals, ["-"]);
});

Deno.test("parseArguments() takes true and false for a switch, as Go writes them, and nothing else", () => {
  assert(parse("databases", "--json").isOn("json"));
  assert(parse("databases", "--json=true").isOn("json"));
  assertFalse(parse("databases", "-json=false").isOn("json"));
  assertFalse(parse("databases").isOn("json"));
  for (const word of ["1", "t", "T", "TRUE", "True"]) assert(parse("databases", `-json=${word}`).isOn("json"), word);
  for (const word of ["0", "f", "F", "FALSE", "False"]) assertFalse(parse("databases", `-json=${word}`).isOn("json"));
  assertStringIncludes(problemOf("databases", "--json=yes"), "it is a switch");
});

Deno.test("parseArguments() refuses an unknown flag and names the one that was meant", () => {
  assertEquals(
    problemOf("replicate", "--confg", "x"),
    "Cannot use --confg: there is no such flag (did you mean --config?)",
  );
  assertStringIncludes(problemOf("restore", "-timestmap=x", "a"), "did you mean --timestamp?");
  assertEquals(problemOf("wal", "--colour", "a"), "Cannot use --colour: there is no such flag");
  assertStringIncludes(problemOf("wal", "---json", "a"), "there is no such flag");
  assertStringIncludes(problemOf("wal", "--=x", "a"), "there is no such flag");
});

Deno.test("parseArguments() refuses a flag that is given twice, whatever its spelling", () => {
  assertEquals(problemOf("restore", "-o", "a", "--output", "b", "c"), "Cannot use --output: it is given twice");
  assertStringIncludes(problemOf("restore", "--at", "-1m", "-timestamp", "-2m", "a"), "--at: it is given twice");
});

Deno.test("parseArguments() refuses a missing value, at the end and before another flag", () => {
  assertEquals(problemOf("databases", "--config"), "Cannot use --config: its value is missing (--config FILE)");
  assertStringIncludes(problemOf("databases", "--config", "--json"), "its value is missing");
  assertStringIncludes(problemOf("restore", "-o", "--at=-1m", "a"), "its value is missing");
  assertStringIncludes(problemOf("restore", "a", "-o", "--", "b"), "its value is missing");
  assertStringIncludes(problemOf("databases", "--config="), "it is not valid (it must be not empty)");
});

Deno.test("parseArguments() refuses values that cannot be meant", () => {
  const cases: readonly (readonly [words: readonly string[], expected: string])[] = [
    [["restore", "--index", "xyz", "a"], '--index "xyz": it is not valid (it must be 1 to 16 hex digits)'],
    [["restore", "--generation", "ABC", "a"], "16 lowercase hex digits"],
    [["restore", "--position", "1/2", "a"], "<generation>/<index in hex>:<offset>"],
    [["restore", "--parallelism", "1.5", "a"], "a whole number"],
    [["restore", "--parallelism", "many", "a"], "a whole number"],
    [["replicate", "--log-level", "loud"], "debug, info, warn, error"],
    [["replicate", "--log-format", "xml"], "text, json"],
  ];
  for (const [[name = "", ...words], expected] of cases) assertStringIncludes(problemOf(name, ...words), expected);
});

Deno.test("parseArguments() hands out checked values by their type", () => {
  const parsed = parse("restore", "--parallelism", "64", "--index", "1F", "a");
  assertEquals(parsed.integer("parallelism"), 64);
  assertEquals(parsed.text("index"), "1F");
  assertEquals(parsed.integer("index"), NaN);
  assertEquals(parse("restore", "a").integer("parallelism"), undefined);
  assertEquals(parsed.command, "restore");
});

Deno.test("parseArguments() refuses to hand out a flag that is not in the table", () => {
  assertThrows(() => parse("restore", "a").text("timestamp"), Error, "--timestamp is a flag of restore");
});

Deno.test("parseArguments() refuses a wrong number of positionals", () => {
  assertStringIncludes(problemOf("replicate", "app.db"), "only app.db is given");
  assertStringIncludes(problemOf("restore"), "nothing is given");
  assertStringIncludes(problemOf("restore", "a", "b"), '"b": it is one too many');
  assertStringIncludes(problemOf("databases", "a"), "no argument is expected");
  assertStringIncludes(problemOf("restore", ""), "an empty argument");
  assertEquals(parse("replicate").positionals, []);
});

Deno.test("parseArguments() refuses what contradicts itself", () => {
  assertStringIncludes(problemOf("replicate", "--config", "c", "a", "file:///b"), "--config beside DB and URL");
  assertStringIncludes(problemOf("replicate", "--once", "--exec", "x"), "--once beside --exec");
  assertStringIncludes(
    problemOf("restore", "--at", "-1m", "--index", "1", "a"),
    "--at beside --index: each names a state",
  );
  assertStringIncludes(
    problemOf("restore", "--force", "--if-db-not-exists", "a"),
    "--force beside --if-db-not-exists: one replaces",
  );
  assertStringIncludes(problemOf("restore", "file:///b"), "without -o");
  assertStringIncludes(
    problemOf("restore", "-o", "x", "--config", "c", "file:///b"),
    "--config with a URL: a URL needs no config",
  );
  assertStringIncludes(problemOf("wal", "--replica", "r", "file:///b"), "--replica with a URL");
});

Deno.test("parseArguments() shows no user-info of a URL", () => {
  for (const words of [["replicate", "sftp://me:hunter2@h/x"], ["restore", "a", "sftp://me:hunter2@h/x"]]) {
    const [name = "", ...rest] = words;
    assertFalse(problemOf(name, ...rest).includes("hunter2"));
  }
});

Deno.test("asksForHelp() sees -h, --help and -help anywhere before --", () => {
  for (const word of ["-h", "--help", "-help"]) assert(asksForHelp(["a", "--bogus", word]));
  assertFalse(asksForHelp(["--", "--help"]));
  assertFalse(asksForHelp(["--exec=--help", "help"]));
});

Deno.test("typed() gives back what was typed, so that another command line can say it again", () => {
  const words = ["--force", "--generation", "00000000000000aa", "-o", "a b.db", "--json=false", "app.db"];
  const parsed = parse("restore", ...words);
  assertEquals(parsed.typed(), ["--output", "a b.db", "--generation", "00000000000000aa", "--force"]);
  assertEquals(parsed.typed(undefined, ["generation", "force"]), ["--output", "a b.db"]);
  assertEquals(parsed.typed(["force", "config"]), ["--force"]);
  assertEquals(parse("restore", ...parsed.typed(), ...parsed.positionals).typed(), parsed.typed());
});
