/** `verify --ping` tells a monitoring service how a run went, and nothing of it fails the run or shows the address. */
import { assertEquals, assertFalse, assertLess, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { runTailrace, tailraceCommand } from "../support/tailrace.ts";
import { until } from "../support/daemon.ts";
import { insert, type Scene, withScene } from "./scene.ts";

const SECRET = "/4d5c-secret-9f";

interface Heard {
  readonly path: string;
  readonly host: string;
  readonly body: string;
  readonly authorization: string | null;
}

async function withService(
  answer: () => number,
  work: (address: string, heard: Heard[]) => Promise<void>,
): Promise<void> {
  const heard: Heard[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, search, host } = new URL(request.url);
    const authorization = request.headers.get("authorization");
    heard.push({ path: `${pathname}${search}`, host, body: await request.text(), authorization });
    return new Response("", { status: answer() });
  });
  await work(`http://127.0.0.1:${server.addr.port}${SECRET}`, heard);
}

function verify(scene: Scene, ...words: string[]) {
  const all = ["verify", "--scratch", scene.folder, ...words, `file://${scene.replica}`];
  return runTailrace(all, { folder: scene.folder });
}

/** With another environment, to be stopped. */
function startVerify(scene: Scene, environment: Record<string, string>, ...words: string[]): Deno.ChildProcess {
  return tailraceCommand(["verify", "--scratch", scene.folder, ...words], { folder: scene.folder, environment })
    .spawn();
}

async function endOf(verify: Deno.ChildProcess): Promise<{ readonly code: number; readonly said: string }> {
  const { code, stdout, stderr } = await verify.output();
  const decoder = new TextDecoder();
  return { code, said: `${decoder.decode(stdout)}${decoder.decode(stderr)}` };
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
    "Cannot ping: the address is no web address (expected a web address, https://...)",
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

pings(
  "verify --ping tells with user-info and a query, and by the proxy of the environment, and shows nothing of them",
  (scene) =>
    withService(() => 200, async (address, heard) => {
      const { host } = new URL(address);
      const words = ["--ping", "http://me:secret-word@monitor.invalid/id?key=1", `file://${scene.replica}`];
      const told = await endOf(startVerify(scene, { HTTP_PROXY: `http://${host}`, NO_PROXY: "" }, ...words));
      assertEquals(told, { code: 0, said: "" });
      assertEquals(heard.map(({ path, host }) => [path, host]), [
        ["/id/start?key=1", "monitor.invalid"],
        ["/id?key=1", "monitor.invalid"],
      ]);
      assertEquals(heard.map(({ authorization }) => authorization), Array(2).fill(`Basic ${btoa("me:secret-word")}`));
      const environment = { HTTP_PROXY: "http://proxy-user:proxy-word@127.0.0.1:1", NO_PROXY: "" };
      const away = await endOf(startVerify(scene, environment, ...words));
      assertEquals(away.code, 0);
      assertStringIncludes(away.said, "Cannot ping (secret): ");
      for (const part of ["secret-word", "monitor", "key=1", "proxy"]) assertFalse(away.said.includes(part), away.said);
    }),
);

pings("a signal ends a ping that is not answered, and no other is tried", async (scene) => {
  const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of silent) connections.push(connection);
  })();
  const words = ["--ping", `http://127.0.0.1:${silent.addr.port}${SECRET}`, `file://${scene.replica}`];
  const verify = startVerify(scene, {}, ...words);
  const ended = endOf(verify);
  await until(() => connections.length > 0, "the first ping");
  verify.kill("SIGTERM");
  const { code, said } = await ended;
  silent.close();
  await accepting;
  for (const connection of connections) connection.close();
  assertEquals([code, connections.length], [1, 1]);
  assertStringIncludes(said, "Cannot ping (secret): the program was stopped");
});

pings(
  "a signal while it verifies is told as a failure",
  (scene) =>
    withService(() => 200, async (address, heard) => {
      const query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
      const verify = { "ping-url": address, checks: [{ name: "endless", query, min: 0 }] };
      const dbs = [{ path: scene.database, verify, replicas: [{ path: scene.replica }] }];
      Deno.writeTextFileSync(`${scene.folder}/config.yml`, JSON.stringify({ dbs }));
      const child = startVerify(scene, {}, "--config", "config.yml");
      const ended = endOf(child);
      await until(() => heard.length > 0, "the start");
      child.kill("SIGTERM");
      await ended;
      assertEquals(heard.map(({ path }) => path), [`${SECRET}/start`, `${SECRET}/fail`]);
    }),
);

pings("an impossible address in the config is refused at the start, by every command and not shown", async (scene) => {
  const config = `${scene.folder}/config.yml`;
  const write = (url: string) => {
    const verify = { "ping-url": url, schedule: "0 3 * * *" };
    const dbs = [{ path: scene.database, verify, replicas: [{ path: scene.replica }] }];
    Deno.writeTextFileSync(config, JSON.stringify({ dbs }));
  };
  for (const url of ["ftp://host/secret", "https:///secret", "https://ho st/secret", "file:///secret", "secret"]) {
    write(url);
    for (const command of ["replicate", "verify", "databases"]) {
      const { code, stderr } = await runTailrace([command, "--config", config], { folder: scene.folder });
      assertEquals(code, 2, command);
      assertStringIncludes(
        stderr,
        'the value of "ping-url" is (secret) (it must be @FILE, which holds an address, or a web address, https://...)',
      );
      assertFalse(stderr.replaceAll("(secret)", "").includes("secret"), stderr);
    }
  }
  write("@ping-url");
  Deno.writeTextFileSync(`${scene.folder}/ping-url`, "ftp://host/secret");
  for (const command of ["replicate", "verify"]) {
    const { code, stderr } = await runTailrace([command, "--config", config], { folder: scene.folder });
    assertEquals([code, stderr.split("\n")[0]], [
      2,
      "Cannot ping: what @ping-url holds is no web address (expected a web address, https://...)",
    ]);
  }
});
