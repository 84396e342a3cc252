/**
 * Another process with SQLite connections of its own: the application beside which the program works, or a process whose
 * locks and whose end are looked at. Test modules are threads of one process, so only a child is really another.
 *
 * The child is this same file. It reads one JSON request a line from its standard input and answers each with a line.
 */
import type { OpenOptions, SqliteConnection, SqliteValue } from "../../lib/sqlite/driver.ts";
import { SqliteError } from "../../lib/sqlite/driver.ts";
import { selectDriver } from "../../lib/sqlite/select_driver.ts";

type Request =
  | { readonly act: "open"; readonly name: string; readonly path: string; readonly options: OpenOptions }
  | { readonly act: "run"; readonly name: string; readonly statements: readonly string[] }
  | { readonly act: "close"; readonly name: string }
  | { readonly act: "call"; readonly module: string; readonly name: string; readonly parameters: readonly unknown[] }
  | { readonly act: "exit" }
  | { readonly act: "return" };

type Answer =
  | { readonly result: unknown }
  | { readonly error: { readonly resultCode: number | undefined; readonly message: string } };

export interface OtherProcessOptions {
  /** As for `selectDriver()`; the built-in SQLite when left out. */
  readonly sqliteLibrary?: string;
  /** Its standard error is not shown: an error that nobody catches is what the test asks for. */
  readonly isQuiet?: boolean;
}

export function startOtherProcess(options: OtherProcessOptions = {}): OtherProcess {
  const library = options.sqliteLibrary === undefined ? [] : [options.sqliteLibrary];
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--quiet", import.meta.url, ...library],
    stdin: "piped",
    stdout: "piped",
    stderr: options.isQuiet ? "null" : "inherit",
  });
  return new OtherProcess(command.spawn());
}

/** A connection has a name, so that one process may have several; without one it is "main". */
export class OtherProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #requests: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers: ReadableStreamDefaultReader<string>;
  #received = "";
  #last: Promise<unknown> = Promise.resolve();
  #ended: Promise<Deno.CommandStatus> | undefined;

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#requests = child.stdin.getWriter();
    this.#answers = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves when it has ended, by whatever means. */
  get status(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }

  async open(path: string, options: OpenOptions = {}, name = "main"): Promise<void> {
    await this.#ask({ act: "open", name, path, options });
  }

  /** Runs one statement and returns its rows; throws the child's `SqliteError`. */
  async run(sql: string, name = "main"): Promise<SqliteValue[][]> {
    return await this.runAll([sql], name);
  }

  /** Runs the statements, without waiting for anybody in between, and returns the rows of the last. */
  async runAll(statements: readonly string[], name = "main"): Promise<SqliteValue[][]> {
    return await this.#ask({ act: "run", name, statements }) as SqliteValue[][];
  }

  async close(name = "main"): Promise<void> {
    await this.#ask({ act: "close", name });
  }

  /** Calls an exported function of a module (a URL) over there; parameters and result travel as JSON. */
  async call(module: string, name: string, ...parameters: readonly unknown[]): Promise<unknown> {
    return await this.#ask({ act: "call", module, name, parameters });
  }

  /** Ends by `Deno.exit`, with everything open that is open. */
  exit(): Promise<Deno.CommandStatus> {
    return this.#end(() => this.#send({ act: "exit" }));
  }

  /** Ends naturally: the last line of the program was run. */
  return(): Promise<Deno.CommandStatus> {
    return this.#end(() => this.#send({ act: "return" }));
  }

  /** Ends by SIGKILL. */
  kill(): Promise<Deno.CommandStatus> {
    return this.#end(() => {
      try {
        this.#child.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #ask(request: Request): Promise<unknown> {
    const asked = this.#last.then(async () => {
      await this.#send(request);
      return await this.#receive();
    });
    this.#last = asked.catch(() => {}); // The next request is asked whatever became of this one.
    return asked;
  }

  async #send(request: Request): Promise<void> {
    await this.#requests.write(new TextEncoder().encode(`${JSON.stringify(request)}\n`));
  }

  async #receive(): Promise<unknown> {
    while (!this.#received.includes("\n")) {
      const { value, done } = await this.#answers.read();
      if (done) throw new Error("The other process ended without an answer");
      this.#received += value;
    }
    const end = this.#received.indexOf("\n");
    const answer = JSON.parse(this.#received.slice(0, end), reviveBytes) as Answer;
    this.#received = this.#received.slice(end + 1);
    if (!("error" in answer)) return answer.result;
    const { resultCode, message } = answer.error;
    throw resultCode === undefined ? new Error(message) : new SqliteError(resultCode, message);
  }

  #end(ask: () => unknown): Promise<Deno.CommandStatus> {
    return this.#ended ??= (async () => {
      await ask();
      const status = await this.#child.status;
      await this.#last;
      await this.#requests.close().catch(() => {}); // The pipe may be broken by now.
      await this.#answers.cancel();
      return status;
    })();
  }
}

function replaceBytes(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? { bytes: value.toBase64() } : value;
}

function reviveBytes(_key: string, value: unknown): unknown {
  const isBytes = typeof value === "object" && value !== null && "bytes" in value && typeof value.bytes === "string";
  return isBytes ? Uint8Array.fromBase64(value.bytes as string) : value;
}

class OtherProcessChild {
  readonly #connections = new Map<string, SqliteConnection>();
  readonly #library: string | undefined;

  constructor(library: string | undefined) {
    this.#library = library;
  }

  async serve(): Promise<void> {
    let received = "";
    for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
      received += text;
      for (let end = received.indexOf("\n"); end >= 0; end = received.indexOf("\n")) {
        const request = JSON.parse(received.slice(0, end)) as Request;
        received = received.slice(end + 1);
        if (request.act === "return") return;
        this.#say(await this.#answer(request));
      }
    }
    Deno.exit(0); // Whoever started us is gone.
  }

  async #answer(request: Request): Promise<Answer> {
    try {
      return { result: await this.#perform(request) };
    } catch (error) {
      const resultCode = error instanceof SqliteError ? error.resultCode : undefined;
      return { error: { resultCode, message: error instanceof Error ? error.message : String(error) } };
    }
  }

  async #perform(request: Request): Promise<unknown> {
    switch (request.act) {
      case "open": {
        const driver = await selectDriver(this.#library);
        this.#connections.set(request.name, driver.open(request.path, request.options));
        return null;
      }
      case "run": {
        const connection = this.#connection(request.name);
        return request.statements.map((sql) => connection.allValues(sql)).at(-1);
      }
      case "close":
        this.#connection(request.name).close();
        this.#connections.delete(request.name);
        return null;
      case "call": {
        const module = await import(request.module) as Record<string, (...parameters: readonly unknown[]) => unknown>;
        const work = module[request.name];
        if (work === undefined) throw new Error(`${request.module} exports no ${request.name}`);
        return await work(...request.parameters) ?? null;
      }
      case "exit":
        return Deno.exit(0);
      case "return":
        return null;
    }
  }

  #connection(name: string): SqliteConnection {
    const connection = this.#connections.get(name);
    if (connection === undefined) throw new Error(`The other process has no connection "${name}"`);
    return connection;
  }

  #say(answer: Answer): void {
    const bytes = new TextEncoder().encode(`${JSON.stringify(answer, replaceBytes)}\n`);
    for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
  }
}

if (import.meta.main) await new OtherProcessChild(Deno.args[0]).serve();
