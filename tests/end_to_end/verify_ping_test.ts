/** `verify --ping` tells a monitoring service how a run went, and nothing of it fails the run or shows the address. */
import { assertEquals, assertFalse, assertLess, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { runTailrace } from "../support/tailrace.ts";
import { insert, type Scene, withScene } from "./scene.ts";

const SECRET = "/4d5c-secret-9f";

interface Heard {
  readonly path: string;
  readonly body: string;
}

async function withService(
  answer: () => number,
  work: (address: string, heard: Heard[]) => Promise<void>,
): Promise<void> {
  const heard: Heard[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    heard.push({ path: new URL(request.url).pathname, body: await request.text() });
    return new Response("", { status: answer() });
  });
  await work(`http://127.0.0.1:${server.addr.port}${SECRET}`, heard);
}

function verify(scene: Scene, ...words: string[]) {
  const all = ["verify", "--scratch", scene.folder, ...words, `file://${scene.replica}`];
  return runTailrace(all, { folder: scene.folder });
}

function pings(name: string, work: (scene: Scene) => Promise<void>): void {
  Deno.test({
    name,
    timeout: 90_000,
    fn: () =>
      withScene(async (scene) => {
        insert(scene.application(), 3);
        assertEquals((await runTailrace(["replicate", "--once", scene.database, `file://${scene.replica}`])).code, 0);
        await work(scene);
      }),
  });
}

pings(
  "verify --ping tells the start and the success, the address from a file",
  (scene) =>
    withService(() => 200, async (address, heard) => {
      Deno.writeTextFileSync(`${scene.folder}/ping-url`, `${address}/\n`);
      assertEquals(await verify(scene, "--ping", "@ping-url"), { code: 0, stdout: "", stderr: "" });
      assertEquals(heard.map(({ path }) => path), [`${SECRET}/start`, SECRET]);
    }),
);

pings(
  "verify --ping tells a failure with a report of at most 10 kB",
  (scene) =>
    withService(() => 200, async (address, heard) => {
      for (const generation of Deno.readDirSync(`${scene.replica}/generations`)) {
        for (const { name } of Deno.readDirSync(`${scene.replica}/generations/${generation.name}/snapshots`)) {
          Deno.truncateSync(`${scene.replica}/generations/${generation.name}/snapshots/${name}`, 100);
        }
      }
      const { code, stdout } = await verify(scene, "--ping", address);
      assertEquals(code, 4);
      assertEquals(heard.map(({ path }) => path), [`${SECRET}/start`, `${SECRET}/fail`]);
      assertMatch(heard[1]?.body ?? "", /^FAILED {2}file:\/\//);
      assertLess(heard[1]?.body.length ?? 0, 10_001);
      assertFalse(stdout.includes("secret"));
    }),
);

pings(
  "a service that refuses, or is not there, fails no run; its address is never shown",
  (scene) =>
    withService(() => 500, async (address, heard) => {
      const refused = await verify(scene, "--ping", address);
      assertEquals([refused.code, refused.stdout], [0, ""]);
      assertStringIncludes(refused.stderr, "Cannot ping (secret): it answers 500");
      assertEquals(heard.length, 6); // Each is tried three times.
      const away = await verify(scene, "--ping", "http://127.0.0.1:1/secret-path");
      assertEquals(away.code, 0);
      assertMatch(away.stderr, /^Cannot ping \(secret\): /);
      assertFalse(away.stderr.includes("secret-path"));
    }),
);

pings("an address that is none is a wrong usage, and not shown", async (scene) => {
  const wrong = await verify(scene, "--ping", "secret-token");
  assertEquals([wrong.code, wrong.stderr.split("\n")[0]], [
    2,
    "Cannot ping: the address is no web address (expected https://...)",
  ]);
  const missing = await verify(scene, "--ping", "@none");
  assertEquals([missing.code, missing.stderr.split("\n")[0]], [2, "Cannot ping @none: there is no such file"]);
});

pings(
  "verify tells the ping-url of each database of its own replicas only",
  (scene) =>
    withService(() => 200, async (address, heard) => {
      const other = `${scene.folder}/other.db`;
      const dbs = [
        { path: scene.database, verify: { "ping-url": `${address}/app` }, replicas: [{ path: scene.replica }] },
        { path: other, verify: { "ping-url": `${address}/other` }, replicas: [{ path: `${scene.folder}/none` }] },
      ];
      Deno.mkdirSync(`${scene.folder}/none`); // No backup yet, which is the fault of that database alone.
      Deno.writeTextFileSync(`${scene.folder}/config.yml`, JSON.stringify({ dbs }));
      const words = ["verify", "--config", "config.yml", "--scratch", scene.folder];
      const { code, stdout } = await runTailrace(words, { folder: scene.folder });
      assertEquals(code, 3);
      assertFalse(stdout.includes("secret"));
      const paths = heard.map(({ path }) => path.replace(SECRET, ""));
      assertEquals(paths, ["/app/start", "/other/start", "/app", "/other/fail"]);
      assertEquals([heard[2]?.body.includes("other.db"), heard[3]?.body.includes("app.db")], [false, false]);
    }),
);
