import { createLogger, type LogEntry, observed } from "../../lib/base/log.ts";
import { engineEvents, EventLog, readEvents } from "../../lib/database/event_log.ts";
import { StateFolder } from "../../lib/database/state_folder.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { SimulatedClock } from "../support/simulated_clock.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

const files = new DenoFileSystem();
const info = (message: string, fields = {}): LogEntry => ({ level: "info", message, fields });

function withState(work: (state: StateFolder, events: EventLog) => void | Promise<void>): Promise<void> {
  return withTemporaryFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/app.db`, "");
    const status = files.status(`${folder}/app.db`);
    assert(status !== undefined);
    const state = await StateFolder.open(files, `${folder}/state`, status, undefined);
    await work(state, new EventLog(new SimulatedClock(0)));
    state.close();
  });
}

function messagesIn(state: StateFolder): string[] {
  return readEvents(files, state.path).map(({ message }) => message);
}

Deno.test("EventLog keeps what was said before its folder was open, and from info on only", () =>
  withState((state, events) => {
    events.note(info("first", { database: "/data/app.db", replica: "near", pages: 3 }));
    events.note({ level: "debug", message: "not kept", fields: {} });
    assertEquals(messagesIn(state), []);
    events.attach(state);
    events.note({ level: "error", message: "second", fields: {} });
    const [first, second] = readEvents(files, state.path);
    assertEquals([first?.message, first?.fields, first?.level], ["first", { replica: "near", pages: 3 }, "info"]);
    assertEquals([second?.message, second?.level], ["second", "error"]);
  }));

Deno.test("EventLog writes nothing into a folder that it was let go of, or that is another one by now", () =>
  withState((state, events) => {
    events.attach(state);
    events.note(info("kept"));
    events.detach();
    events.note(info("waits"));
    assertEquals(messagesIn(state), ["kept"]);
    Deno.renameSync(state.path, `${state.path}-away`);
    Deno.mkdirSync(state.path);
    events.attach(state);
    assertEquals([...Deno.readDirSync(state.path)].length, 0);
  }));

Deno.test("EventLog stays bounded and keeps the newest, and lines that are none of ours are passed over", () =>
  withState((state, events) => {
    events.attach(state);
    for (let i = 0; i < 3_000; i++) events.note(info(`event ${i}`, { padding: "x".repeat(100) }));
    const sizes = ["events", "events.old"].map((name) => Deno.statSync(`${state.path}/${name}`).size);
    for (const size of sizes) assert(size < 200_000, `${size} bytes`);
    assertEquals(messagesIn(state).at(-1), "event 2999");
    const before = messagesIn(state).length;
    Deno.writeTextFileSync(`${state.path}/events`, `{"time":\nnull\n{"level":"info","msg":"no time"}\n`, {
      append: true,
    });
    events.note(info("after the damage"));
    assertEquals([messagesIn(state).length, messagesIn(state).at(-1)], [before + 1, "after the damage"]);
  }));

Deno.test("EventLog keeps the kinds of events, and a line without one, or of an unknown one, is none", () =>
  withState((state, events) => {
    events.attach(state);
    events.note(info("Retention removed what is too old", { replica: "near" }));
    events.note({
      level: "error",
      message: "it is full",
      fields: { replica: "near", act: "snapshot" },
      event: "upkeep-failed",
    });
    Deno.writeTextFileSync(
      `${state.path}/events`,
      `{"time":"2026-11-30T00:00:00Z","level":"info","msg":"?","event":"x"}\n`,
      {
        append: true,
      },
    );
    assertEquals(messagesIn(state).length, 3);
    assertEquals(engineEvents(readEvents(files, state.path)), [
      { atMs: 0, kind: "upkeep-failed", message: "it is full", replica: "near", act: "snapshot" },
    ]);
  }));

Deno.test("EventLog that cannot write keeps nobody from going on", () =>
  withState((state, events) => {
    Deno.mkdirSync(`${state.path}/events`);
    events.attach(state);
    events.note(info("it is in the log"));
    Deno.removeSync(`${state.path}/events`);
    events.note(info("kept"));
    assertEquals(messagesIn(state), ["kept"]);
  }));

Deno.test("observed() hands every line on with its fields, and shows it whatever the level that is written", () => {
  const lines: string[] = [];
  const seen: LogEntry[] = [];
  const logger = createLogger({
    level: "warn",
    format: "json",
    now: () => new Date(0),
    writeLine: (line) => lines.push(line),
  });
  const both = observed(logger, (entry) => seen.push(entry)).with({ database: "a" });
  both.info("quiet", { n: 1 });
  both.error("loud", { n: 2 }, "refused");
  assertEquals(seen, [
    { level: "info", message: "quiet", fields: { database: "a", n: 1 }, event: undefined },
    { level: "error", message: "loud", fields: { database: "a", n: 2 }, event: "refused" },
  ]);
  assertEquals(lines.map((line) => JSON.parse(line)).map(({ msg, event }) => [msg, event]), [["loud", "refused"]]);
});
