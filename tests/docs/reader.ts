/**
 * Somebody who reads a page and types its commands as they stand, on a machine prepared for it: the folders of the pages
 * (`/data`, `/backup`, ...) are inside a temporary one, `systemctl` and `docker` are stand-ins, all else is real.
 */
import { DatabaseSync } from "node:sqlite";
import { makeBundle } from "../../scripts/bundle.ts";
import { ROOT } from "../../scripts/project.ts";
import { COMMIT_RECORD_SIZE, formatCommitRecord, parseCommitRecord } from "../../lib/store/commit_record.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Daemon, until } from "../support/daemon.ts";
import { withTemporaryFolder } from "../support/temporary_folder.ts";
import { firstBlock, type PageCommand } from "./page_commands.ts";

/** Folders that pages name; a path that begins with one of them is meant. */
const FOLDERS = /(^|[\s'"=:@(]|file:\/\/)\/(data|backup|etc|mnt|opt|usr\/local\/bin)(?!\w)/g;
/** Before every time that pages show. */
const LONG_AGO = Date.parse("2025-05-31T00:00:00Z");
/** Commands of a page that are to be typed in the folder of the repository. */
const OF_REPOSITORY = /\bnpx\b|(^|\s)(\.\/)?(dist|packaging)\//;

/** Programs that the pages take for granted and this machine may not have: what they are used for there. */
const MAY_BE_MISSING: Readonly<Record<string, string>> = {
  sqlite3: `import { DatabaseSync } from "node:sqlite";
    const [path, sql] = Deno.args;
    console.log(Object.values(new DatabaseSync(path).prepare(sql).get()).join("|"));`,
  curl:
    "const { status, body } = await fetch(Deno.args.at(-1)); await body.cancel(); Deno.exit(status < 400 ? 0 : 22);",
};

export class Reader {
  readonly folder: string;
  readonly #words: Readonly<Record<string, string>>;
  #daemon: Daemon | undefined;
  #server: Deno.HttpServer | undefined;

  constructor(folder: string, words: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.#words = words;
  }

  get #environment(): Record<string, string> {
    const path = [`${this.folder}/npm/bin`, `${this.folder}/usr/local/bin`, Deno.env.get("PATH") ?? ""].join(":");
    return {
      PATH: path,
      TAILRACE_CONFIG: `${this.folder}/etc/tailrace.yml`,
      LITESTREAM_CONFIG: "",
      NO_COLOR: "1",
      npm_config_prefix: `${this.folder}/npm`,
    };
  }

  /** A machine with the program, the config of that page, and two databases. */
  async prepare(config: string): Promise<void> {
    const bin = `${this.folder}/usr/local/bin`;
    for (
      const name of ["data", "backup", "mnt/nas", "etc/systemd/system", "etc/cron.d", "etc/tailrace", "opt", "desk"]
    ) {
      Deno.mkdirSync(`${this.folder}/${name}`, { recursive: true });
    }
    Deno.mkdirSync(bin, { recursive: true });
    const problem = await makeBundle(undefined, `${this.folder}/opt/program.js`);
    assert(problem === undefined, problem);
    this.#script("tailrace", `exec ${Deno.execPath()} run -A --quiet ${this.folder}/opt/program.js "$@"`);
    this.#script("deno", `exec ${Deno.execPath()} "$@"`);
    this.#script("sudo", 'exec "$@"');
    for (const name of ["systemctl", "docker"]) this.#script(name, "exit 0");
    for (const [name, program] of Object.entries(MAY_BE_MISSING)) {
      if ((await this.run(`command -v ${name}`)).code === 0) continue;
      this.#script(name, `exec ${Deno.execPath()} eval --ext=js '${program}' "$@"`);
    }
    for (const name of ["etc/tailrace.yml", "etc/litestream.yml"]) {
      Deno.writeTextFileSync(`${this.folder}/${name}`, this.#placed(firstBlock(config, "yaml")));
    }
    this.#write("app", "CREATE TABLE orders(id INTEGER PRIMARY KEY, body)", 2_000);
    this.#write("users", "CREATE TABLE users(id INTEGER PRIMARY KEY, body)", 10);
  }

  #script(name: string, line: string): void {
    Deno.writeTextFileSync(`${this.folder}/usr/local/bin/${name}`, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  }

  #write(name: string, create: string, rows: number): void {
    const db = new DatabaseSync(`${this.folder}/data/${name}.db`);
    db.exec(`PRAGMA journal_mode = WAL; ${create}`);
    const table = /TABLE (\w+)/.exec(create)?.[1];
    db.exec(
      `INSERT INTO ${table}(body) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
      SELECT hex(randomblob(50)) FROM n`,
    );
    db.close();
  }

  #placed(text: string): string {
    let placed = text.replaceAll(FOLDERS, `$1${this.folder}/$2`);
    for (const [word, here] of Object.entries(this.#words)) placed = placed.replaceAll(word, here);
    return placed;
  }

  /** Types one command, which must end as the page says; one that stays is left running. */
  async type({ page, line, text, code }: PageCommand): Promise<void> {
    if (/^tailrace replicate(?!.*--once)/.test(text)) return await this.replicate();
    const ended = await this.run(text);
    assertEquals(ended.code, code, `${page}:${line}: ${text}\n${ended.said}`);
    if (/systemctl stop .*\btailrace/.test(text)) await this.#daemon?.stop();
    if (/systemctl (start|enable --now) tailrace/.test(text)) await this.replicate();
  }

  async run(text: string): Promise<{ code: number; said: string }> {
    const cwd = OF_REPOSITORY.test(text) ? ROOT : `${this.folder}/desk`;
    const { code, stdout, stderr } = await new Deno.Command("bash", {
      args: ["-c", this.#placed(text)],
      cwd,
      env: this.#environment,
      stdin: "null",
    }).output();
    return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  }

  /** As the service does; ready when everything is safe. */
  async replicate(): Promise<void> {
    const command = new Deno.Command("bash", {
      args: ["-c", "exec tailrace replicate"],
      env: this.#environment,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    });
    const daemon = new Daemon(command.spawn());
    this.#daemon = daemon;
    await daemon.ready();
    await until(async () => (await this.run("tailrace status")).code !== 1, "the daemon to bring everything");
  }

  /** Replicas as they would be after a long time, proven, with a commit of now behind. */
  async grow(): Promise<void> {
    await this.#must("tailrace replicate --once");
    this.#age(`${this.folder}/backup`);
    this.#age(`${this.folder}/mnt/nas`);
    for (const [name, table] of [["app", "orders"], ["users", "users"]]) {
      const db = new DatabaseSync(`${this.folder}/data/${name}.db`);
      db.exec(`UPDATE ${table} SET body = 'now' WHERE id = 1`);
      db.close();
    }
    await this.#must("tailrace replicate --once");
    await this.#must("tailrace verify");
  }

  async #must(text: string): Promise<void> {
    const { code, said } = await this.run(text);
    assertEquals(code, 0, `${text}\n${said}`);
  }

  /** Every commit record gets a time of long ago. */
  #age(folder: string): void {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) this.#age(path);
      if (!/\.(record|commits)$/.test(name)) continue;
      const bytes = Deno.readFileSync(path);
      for (let at = 0; at + COMMIT_RECORD_SIZE <= bytes.length; at += COMMIT_RECORD_SIZE) {
        const parsed = parseCommitRecord(bytes.subarray(at, at + COMMIT_RECORD_SIZE));
        assert(parsed.ok);
        bytes.set(formatCommitRecord({ ...parsed.record, capturedAtMs: LONG_AGO }), at);
      }
      Deno.writeFileSync(path, bytes);
    }
  }

  /** The disk of the databases dies, with the state folders on it. */
  loseDisk(): void {
    for (const { name } of Deno.readDirSync(`${this.folder}/data`)) {
      if (name.includes("app.db")) Deno.removeSync(`${this.folder}/data/${name}`, { recursive: true });
    }
  }

  /** A byte of a snapshot becomes another one, and the nightly verification finds it. */
  async damage(): Promise<void> {
    const generations = `${this.folder}/backup/app/generations`;
    const [generation = ""] = [...Deno.readDirSync(generations)].map(({ name }) => name);
    const snapshots = `${generations}/${generation}/snapshots`;
    const [snapshot = ""] = [...Deno.readDirSync(snapshots)].map(({ name }) => name).filter((name) => /t$/.test(name));
    const bytes = Deno.readFileSync(`${snapshots}/${snapshot}`);
    bytes[5_000] = (bytes[5_000] ?? 0) ^ 1;
    Deno.writeFileSync(`${snapshots}/${snapshot}`, bytes);
    assertEquals((await this.run("tailrace verify")).code, 4);
  }

  /** A monitoring service that hears everything, whose address is in a file. */
  servePings(): void {
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response("heard"));
    Deno.writeTextFileSync(`${this.folder}/etc/tailrace/ping-url`, `http://127.0.0.1:${server.addr.port}/ping\n`);
    this.#server = server;
  }

  async end(): Promise<void> {
    await this.#server?.shutdown();
    await this.#daemon?.[Symbol.asyncDispose]();
  }
}

export async function withReader(
  config: string,
  words: Readonly<Record<string, string>>,
  work: (reader: Reader) => Promise<void>,
): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const reader = new Reader(folder, words);
    try {
      await reader.prepare(config);
      await work(reader);
    } finally {
      await reader.end();
    }
  });
}
