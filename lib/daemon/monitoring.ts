/**
 * What a running daemon says of itself over HTTP: `/metrics` for Prometheus, `/health` for whoever asks whether all is well.
 * It only reads, and knows no secrets. Replication never waits for it: a port that is taken is asked for again and again.
 */
import { EXPOSITION_TYPE } from "../base/exposition.ts";
import { isRetryable, messageOf, ReplicationError } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../platform/clock.ts";
import { type HttpAnswer, plainAnswer } from "../platform/http_connection.ts";
import type { HttpRequest } from "../platform/http_request.ts";
import { formatAddress, type HttpServer, type ListenAddress } from "../platform/http_server.ts";
import type { Web } from "../platform/web.ts";
import { judgeHost } from "./asked_host.ts";
import { type DatabaseFacts, type Health, judgeHealth } from "./health.ts";
import { healthDocument } from "./health_document.ts";
import { metricsPage } from "./metrics_page.ts";

export interface MonitoringOptions {
  readonly address: ListenAddress;
  /** Names of this host by which it may be asked besides its own. */
  readonly names: readonly string[];
  readonly clock: Clock;
  readonly web: Web;
  readonly log: Logger;
  /** How everything is at this moment. */
  readonly look: () => readonly DatabaseFacts[];
}

const FOREIGN = "foreign";

interface Pages {
  readonly metrics: HttpAnswer;
  readonly health: HttpAnswer;
}

export class Monitoring {
  readonly #options: MonitoringOptions;
  readonly #stopped = new AbortController();
  readonly #finished: Promise<void>;
  #server: HttpServer | undefined;
  #pages: Pages & { readonly madeMs: number } | undefined;
  readonly #saidMs = new Map<string, number>();

  constructor(options: MonitoringOptions) {
    this.#options = options;
    this.#finished = this.#run(this.#stopped.signal);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#finished;
    await this.#server?.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { address, clock, web, log } = this.#options;
    for (let isSaid = false; !signal.aborted; isSaid = true) {
      try {
        this.#server = web.serve(address, (request) => this.#answer(request), (problem) => this.#say(problem));
        const at = formatAddress({ hostname: address.hostname ?? "localhost", port: this.#server.port });
        log.info("Serving metrics and health", { metrics: `http://${at}/metrics`, health: `http://${at}/health` });
        if (address.hostname === undefined) log.warn("Whoever reaches this host may read metrics and health", { at });
        return;
      } catch (error) {
        if (!isSaid) log.error(`No metrics and no health: ${messageOf(error)}`, { retried: isRetryable(error) });
        await clock.sleep(limits.listenAgainMs, signal);
      }
    }
  }

  #answer({ method, path, host }: HttpRequest): HttpAnswer {
    const judged = judgeHost(host, this.#options.address, this.#options.names);
    if (judged.kind === "malformed") return plainAnswer(400, "Host is none");
    if (judged.kind === "foreign") return this.#refuseForeign(judged.name);
    if (method !== "GET" && method !== "HEAD") {
      return { ...plainAnswer(405, "only GET and HEAD are answered"), allow: "GET, HEAD" };
    }
    if (path !== "/metrics" && path !== "/health") return plainAnswer(404, "there are /metrics and /health");
    const now = this.#options.clock.monotonicMs();
    if (this.#pages === undefined || now - this.#pages.madeMs >= limits.healthFreshMs) {
      this.#pages = { madeMs: now, ...pagesOf(judgeHealth(this.#options.look())) };
    }
    return path === "/metrics" ? this.#pages.metrics : this.#pages.health;
  }

  #refuseForeign(name: string): HttpAnswer {
    const problem = `A request for ${name} is not answered: it may be any page's in a browser`;
    const advice = `if ${name} is this host, name it in "addr-names" of the config`;
    this.#say(new ReplicationError("denied", problem, { advice }), FOREIGN);
    return plainAnswer(421, `${problem} (${advice})`);
  }

  /** Whoever asks must not fill the log: the same, and any name that is foreign, once, then hourly. */
  #say({ message, advice }: ReplicationError, what = message): void {
    const { clock, log } = this.#options;
    const now = clock.monotonicMs();
    if (now - (this.#saidMs.get(what) ?? -Infinity) < limits.saidAgainMs) return;
    this.#saidMs.set(what, now);
    log.warn(message, { advice });
  }
}

function pagesOf(health: Health): Pages {
  const body = `${JSON.stringify(healthDocument(health), null, 2)}\n`;
  return {
    metrics: { status: 200, contentType: EXPOSITION_TYPE, body: metricsPage(health) },
    health: { status: health.isHealthy ? 200 : 503, contentType: "application/json", body },
  };
}
