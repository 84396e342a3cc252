/** Every command in README and docs runs as it is written; one that nobody runs is a failure. */
import { limits } from "../../lib/base/limits.ts";
import { isDenortAtHand } from "../../scripts/built.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { commandsOf, type PageCommand, pages } from "./page_commands.ts";
import { type Reader, withReader } from "./reader.ts";

const timeout = 240_000;

interface Page {
  /** The databases are there in any case. */
  readonly prepare: (reader: Reader) => Promise<void>;
  /** Words that mean something else on the reader's machine, or would take too long. */
  readonly words?: Readonly<Record<string, string>>;
  /** The page whose first config is in place. */
  readonly config?: string;
}

const grown = (reader: Reader) => reader.grow();
const replicated = async (reader: Reader) => {
  await reader.grow();
  await reader.replicate();
};

const PAGES: Readonly<Record<string, Page>> = {
  "README.md": { prepare: grown },
  "docs/commands.md": { prepare: grown },
  "docs/install.md": { prepare: grown },
  "docs/litestream.md": { prepare: grown },
  "docs/verification.md": {
    words: { "--jitter 10m": "--jitter 10ms" },
    prepare: async (reader) => {
      await replicated(reader);
      reader.servePings();
    },
  },
  "docs/monitoring.md": { config: "docs/monitoring.md", words: { "9090": String(freePort()) }, prepare: replicated },
  "docs/when_the_disk_died.md": {
    prepare: async (reader) => {
      await reader.grow();
      reader.loseDisk();
    },
  },
  "docs/after_a_fail.md": {
    prepare: async (reader) => {
      await replicated(reader);
      await reader.damage();
    },
  },
};

const hasDenort = await isDenortAtHand();

/** What is not run here, and why. */
const LEFT_OUT: readonly { readonly page: string; readonly text: RegExp; readonly why: string }[] = [
  { page: "README.md", text: /task test\b/, why: "it is what runs this test" },
  { page: "docs/testing.md", text: /./, why: "tests and benches are what runs, and some take an hour" },
  ...(hasDenort ? [] : [{
    page: "docs/install.md",
    text: /task compile|^dist\/tailrace /,
    why: "Deno's run-time part, denort, is not here",
  }]),
];

function isLeftOut({ page, text }: PageCommand): boolean {
  return LEFT_OUT.some((left) => left.page === page && left.text.test(text));
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("README and docs hold no command that is neither run nor left out for a reason", () => {
  const forgotten = pages().flatMap(commandsOf).filter((command) => !isLeftOut(command) && !(command.page in PAGES));
  assertEquals(forgotten, []);
  for (const page of Object.keys(PAGES)) assert(commandsOf(page).length > 0, `${page} has no command`);
});

for (const [page, { prepare, words = {}, config = "README.md" }] of Object.entries(PAGES)) {
  Deno.test({
    name: `${page} holds commands that run as they are written`,
    timeout,
    fn: () =>
      withReader(config, words, async (reader) => {
        await prepare(reader);
        for (const command of commandsOf(page)) if (!isLeftOut(command)) await reader.type(command);
      }),
  });
}

Deno.test({
  name: "packaging/ starts what is installed, and gives a stop more time than the program takes",
  timeout,
  fn: () =>
    withReader("README.md", {}, async (reader) => {
      await reader.grow();
      const read = (name: string) => Deno.readTextFileSync(new URL(`../../packaging/${name}`, import.meta.url));
      const unit = read("tailrace.service");
      const start = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? "";
      assertEquals((await reader.run(`${start} --once`)).code, 0);
      const stopSeconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
      assert(stopSeconds * 1_000 > limits.shutdownTimeoutMs, unit);
      const job = read("tailrace.cron").split("\n").find((line) => /^\d/.test(line)) ?? "";
      assertEquals(await reader.run(job.replace(/^(\S+\s+){6}/, "")), { code: 0, said: "" });
      const container = read("Containerfile");
      assert(container.includes(`FROM denoland/deno:${Deno.version.deno}\n`), container);
      assert(container.includes('CMD ["replicate", "--config", "/etc/tailrace.yml"]'), container);
    }),
});
