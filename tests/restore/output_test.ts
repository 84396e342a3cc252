import type { FileStatus } from "../../lib/platform/file_system.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { decideOutput, inspectOutput, makeFolders, type OutputFacts } from "../../lib/restore/output.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const FILE: FileStatus = {
  kind: "file",
  size: 8192,
  modifiedAtMs: 0,
  identity: "1:2",
  device: 1,
  inode: 2,
  changedAtMs: undefined,
  bornAtMs: undefined,
  linkCount: 1,
  mode: 0o600,
  owner: 0,
  group: 0,
};
const USER = { pid: 77, command: "app" };

function facts(overrides: Partial<OutputFacts> = {}): OutputFacts {
  return {
    path: "/data/app.db",
    main: undefined,
    walBytes: 0,
    journalBytes: 0,
    users: [],
    isMounted: false,
    ...overrides,
  };
}

function refusalOf(found: OutputFacts, force: boolean) {
  const decision = decideOutput(found, force);
  assert(decision.kind === "refuse", "a refusal was expected");
  return decision.error;
}

Deno.test("decideOutput() writes where nothing is, whether forced or not", () => {
  for (const force of [false, true]) assertEquals(decideOutput(facts(), force), { kind: "write", keepAside: false });
});

Deno.test("decideOutput() refuses an existing file and says what can be done", () => {
  const error = refusalOf(facts({ main: FILE }), false);
  const sentence = "Cannot restore to /data/app.db: it exists already ";
  assertEquals([error.code, error.message.slice(0, sentence.length)], ["failed", sentence]);
  assertStringIncludes(error.message, "--force");
  assertEquals(decideOutput(facts({ main: FILE }), true), { kind: "write", keepAside: true });
});

Deno.test("decideOutput() writes over a file that holds nothing, unless something belongs to it", () => {
  const main = { ...FILE, size: 0 };
  assertEquals(decideOutput(facts({ main }), false), { kind: "write", keepAside: false });
  assertEquals(refusalOf(facts({ main, walBytes: 32 }), false).code, "failed");
  assertEquals(refusalOf(facts({ main, users: [USER] }), false).code, "busy");
});

Deno.test("decideOutput() refuses a file that is mounted by itself, forced or not, and not as something that passes", () => {
  for (const force of [false, true]) {
    const error = refusalOf(facts({ main: FILE, isMounted: true }), force);
    assertEquals([error.code, error.advice], ["config-invalid", "mount the folder that holds it"]);
    assertStringIncludes(error.message, "it is mounted as a single file");
  }
});

Deno.test("decideOutput() refuses a -wal or -journal without its database, which SQLite would replay", () => {
  for (const [found, name] of [[{ walBytes: 32 }, "-wal"], [{ journalBytes: 1 }, "-journal"]] as const) {
    const error = refusalOf(facts(found), false);
    assertEquals(error.code, "failed");
    assertStringIncludes(error.message, `/data/app.db${name} is left of an older database`);
    assertEquals(decideOutput(facts(found), true), { kind: "write", keepAside: true });
  }
});

Deno.test("decideOutput() refuses what another process has open, forced or not, present or not", () => {
  for (const found of [{ main: FILE, users: [USER] }, { walBytes: 9, users: [USER] }, { users: [USER] }]) {
    const error = refusalOf(facts(found), true);
    assertEquals(error.code, "busy");
    assertEquals(error.message, "Cannot restore to /data/app.db: process 77 (app) has it open (stop it first)");
  }
  assertEquals(refusalOf(facts({ users: [USER] }), false).code, "busy");
});

Deno.test("decideOutput() refuses folders and devices as wrong usage", () => {
  assertEquals(refusalOf(facts({ main: { ...FILE, kind: "folder" } }), true).code, "usage");
  assertEquals(refusalOf(facts({ main: { ...FILE, kind: "device" } }), true).code, "usage");
});

Deno.test("inspectOutput() asks about the database where it really is, and about the files beside it", () =>
  withTemporaryFolder((folder) => {
    Deno.mkdirSync(`${folder}/real`);
    for (const suffix of ["", "-wal", "-shm"]) Deno.writeTextFileSync(`${folder}/real/app.db${suffix}`, "12345");
    Deno.symlinkSync(`${folder}/real/app.db`, `${folder}/app.db`);
    const asked: string[] = [];
    const found = inspectOutput(new DenoFileSystem(), (path) => (asked.push(path), [USER]), `${folder}/app.db`);
    assertEquals([found.path, found.walBytes, found.journalBytes], [`${folder}/real/app.db`, 5, 0]);
    assertEquals(asked, ["", "-wal", "-shm"].map((suffix) => `${folder}/real/app.db${suffix}`));
    assertEquals(found.users.length, 3);
    Deno.symlinkSync(`${folder}/real`, `${folder}/link`);
    assertEquals(inspectOutput(new DenoFileSystem(), () => [], `${folder}/link/new.db`).path, `${folder}/real/new.db`);
    const missing = `${folder}/none/deep/new.db`;
    assertEquals(inspectOutput(new DenoFileSystem(), () => [], missing).path, missing);
  }));

Deno.test("makeFolders() makes what is missing and leaves what is there", () =>
  withTemporaryFolder((folder) => {
    Deno.chmodSync(folder, 0o755);
    makeFolders(new DenoFileSystem(), `${folder}/a/b`);
    makeFolders(new DenoFileSystem(), `${folder}/a/b`);
    assert(Deno.statSync(`${folder}/a/b`).isDirectory);
    assertEquals((Deno.statSync(folder).mode ?? 0) & 0o777, 0o755);
  }));

Deno.test("decideOutput() refuses a folder in the place of a file beside the database, before anything is moved", () =>
  withTemporaryFolder((folder) => {
    const path = `${folder}/app.db`;
    for (const suffix of ["-wal", "-journal", "-shm"]) {
      Deno.mkdirSync(`${path}${suffix}`);
      for (const hasMain of [false, true]) {
        if (hasMain) Deno.writeTextFileSync(path, "old");
        const found = inspectOutput(new DenoFileSystem(), () => [], path);
        if (hasMain) assertStringIncludes(refusalOf(found, true).message, `${path}${suffix} is a folder`);
        assertEquals(refusalOf(found, hasMain).code, "usage");
        if (hasMain) Deno.removeSync(path);
      }
      Deno.removeSync(`${path}${suffix}`);
    }
  }));
