/** A full pipe that nobody reads holds up neither replication nor the end of the program. */
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { limits } from "../../lib/base/limits.ts";
import { until } from "../support/daemon.ts";
import { testedProgram } from "../support/program.ts";
import { insert, withScene } from "./scene.ts";

/** Of a pipe on Linux, and room for one more message. */
const PIPE_BYTES = 64 << 10;

for (const isReadInTheEnd of [true, false]) {
  Deno.test({
    name: `replicate goes on while nobody reads its messages, ${
      isReadInTheEnd ? "and says how many were lost once somebody does" : "and ends when it is told to"
    }`,
    timeout: 120_000,
    fn: () =>
      withScene(async (scene) => {
        // Each message names the replica, and so a few of them are a lot of text.
        const name = "name".repeat(1_000);
        const config = `${scene.folder}/c.yml`;
        const replicas = [{ name, path: scene.replica }];
        Deno.writeTextFileSync(config, JSON.stringify({ dbs: [{ path: scene.database, replicas }] }));
        const application = scene.application();
        insert(application, 1);
        const { command, parameters, environment } = testedProgram;
        const child = new Deno.Command(command, {
          args: [...parameters, "replicate", "--log-level", "debug", "--config", config],
          stdin: "null",
          stdout: "null",
          stderr: "piped",
          env: environment,
        }).spawn();
        // What is recorded is told by a message of its own; of two rows in the WAL one may tell.
        const records = () => {
          try {
            return [...Deno.readDirSync(`${scene.replica}/generations`)].map(({ name }) => {
              const files = [...Deno.readDirSync(`${scene.replica}/generations/${name}/wal`)];
              return files.filter((file) => file.name.endsWith(".commits"))
                .map((file) => Deno.statSync(`${scene.replica}/generations/${name}/wal/${file.name}`).size);
            }).join();
          } catch {
            return ""; // Not yet.
          }
        };
        const messages = (limits.outputQueueMaxBytes + 2 * PIPE_BYTES) / name.length;
        for (let written = 0; written < messages; written++) {
          const before = records();
          insert(application, 1);
          await until(() => records() !== before && records() !== "", "the row on the replica");
        }
        if (isReadInTheEnd) {
          let text = "";
          const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
          while (!/Messages were lost.*\n/.test(text)) {
            const { done, value } = await reader.read();
            assert(!done, "the daemon ended before it said what was lost");
            text += value;
          }
          child.kill("SIGTERM");
          for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value;
          assertMatch(text, / WARN {2}Messages were lost, since nobody read them lines=[1-9]\d*\n/);
          assertMatch(text, / Everything is replicated /);
          for (const line of text.trimEnd().split("\n")) assertMatch(line, /^\d{4}-.* (DEBUG|INFO|WARN) /);
        } else child.kill("SIGTERM");
        assertEquals((await child.status).code, 0);
        if (!isReadInTheEnd) {
          const unread = await new Response(child.stderr).text();
          assert(unread.length <= PIPE_BYTES, "no more was written than a pipe holds");
        }
        application.close();
        await scene.expectEqual();
      }),
  });
}
