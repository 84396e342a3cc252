import { lastWord, ping, pingAddress, type PingOutcome } from "../../lib/cli/verify_ping.ts";
import { ReplicationError } from "../../lib/base/errors.ts";
import { DenoFileSystem } from "../../lib/platform/deno_file_system.ts";
import { type Clock, SystemClock } from "../../lib/platform/clock.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";

/** No time passes: what is slept is noted. */
class NotedClock extends SystemClock {
  readonly slept: number[] = [];

  override sleep(ms: number): Promise<void> {
    this.slept.push(ms);
    return Promise.resolve();
  }
}

interface Told {
  readonly urls: readonly string[];
  readonly bodies: readonly string[];
  readonly complaints: readonly string[];
}

/** Tells by a service that answers so, at each try. */
async function tell(
  text: string,
  outcome: PingOutcome,
  options: { answer?: (attempt: number) => void; clock?: Clock; over?: AbortSignal; body?: string } = {},
): Promise<Told> {
  const [urls, bodies, complaints] = [[] as string[], [] as string[], [] as string[]];
  const post: Parameters<typeof ping>[0]["web"]["post"] = (address, body, timeoutMs) => {
    assertEquals(timeoutMs, 10_000);
    urls.push(address.url.reveal());
    bodies.push(body);
    options.answer?.(urls.length);
    return Promise.resolve();
  };
  const serve = () => {
    throw new Error("nobody is served here");
  };
  const { clock = new NotedClock(), over = new AbortController().signal } = options;
  const address = pingAddress(new DenoFileSystem(), text, (path) => path);
  await ping(
    { web: { post, serve }, clock, over, complain: (text) => complaints.push(text) },
    address,
    outcome,
    options.body ?? "",
  );
  return { urls, bodies, complaints };
}

function refuse(): never {
  throw new ReplicationError("unavailable", "Cannot ping (secret): it answers 500");
}

Deno.test("ping() says what it tells behind the path, before a query", async () => {
  const urls = async (text: string) => {
    const told = [await tell(text, "/start"), await tell(text, ""), await tell(text, "/fail")];
    return told.flatMap(({ urls }) => urls.map((url) => url.replace("https://host", "")));
  };
  assertEquals(await urls("https://host/id"), ["/id/start", "/id", "/id/fail"]);
  assertEquals(await urls("https://host/id/"), ["/id/start", "/id", "/id/fail"]);
  assertEquals(await urls("https://host/id?key=1#part"), ["/id/start?key=1", "/id?key=1", "/id/fail?key=1"]);
  assertEquals(await urls("https://host?key=1"), ["/start?key=1", "/?key=1", "/fail?key=1"]);
});

Deno.test("ping() tries three times, and then says that it could not", async () => {
  const clock = new NotedClock();
  const { urls, complaints } = await tell("https://host/id", "/fail", { clock, answer: refuse });
  assertEquals([urls.length, clock.slept, complaints], [3, [1_000, 2_000], ["Cannot ping (secret): it answers 500"]]);
  const second = await tell("https://host/id", "", { answer: (attempt) => attempt === 1 ? refuse() : undefined });
  assertEquals([second.urls.length, second.complaints], [2, []]);
});

Deno.test("ping() tries no more when nothing more is to be told", async () => {
  const over = new AbortController();
  const answer = () => {
    over.abort();
    refuse();
  };
  const { urls, complaints } = await tell("https://host/id", "", { over: over.signal, answer });
  assertEquals([urls.length, complaints.length], [1, 1]);
});

Deno.test("lastWord() is over a while after the stop, and not before", async () => {
  const [clock, stop] = [new NotedClock(), new AbortController()];
  const over = lastWord(clock, stop.signal);
  await clock.yield();
  assertEquals([over.aborted, clock.slept], [false, []]);
  stop.abort();
  await clock.yield();
  assertEquals([over.aborted, clock.slept], [true, [2_000]]);
  lastWord(clock, stop.signal);
  assertEquals(clock.slept, [2_000, 2_000]);
});

Deno.test("ping() cuts a report behind a whole character", async () => {
  const { bodies } = await tell("https://host/id", "/fail", { body: `${"a".repeat(9_999)}ü${"b".repeat(10)}` });
  assertEquals(bodies, ["a".repeat(9_999)]);
});

Deno.test("pingAddress() takes an address or the file that holds it, and shows neither where it is none", () =>
  withTemporaryFolder((folder) => {
    const files = new DenoFileSystem();
    const read = (typed: string) => pingAddress(files, typed, (path) => `${folder}/${path}`);
    Deno.writeTextFileSync(`${folder}/good`, " https://me:word@host/id\n");
    Deno.writeTextFileSync(`${folder}/bad`, "https://host/secret-id more");
    assertEquals(read("@good").url.reveal(), "https://host/id");
    assert(read("@good").authorization !== undefined);
    const problemOf = (typed: string) => assertThrows(() => read(typed), ReplicationError).message;
    const expected = "is no web address (expected a web address, https://...)";
    assertEquals(problemOf("@bad"), `Cannot ping: what @bad holds ${expected}`);
    assertEquals(problemOf("ftp://host/secret-id"), `Cannot ping: the address ${expected}`);
    assertStringIncludes(problemOf("@none"), "there is no such file");
  }));
