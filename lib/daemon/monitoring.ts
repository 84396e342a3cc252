/**
 * What a running daemon says of itself over HTTP: `/metrics` for Prometheus, `/health` for whoever asks whether all is well.
 * It only reads, and knows no secrets. Replication never waits for it: a port that is taken is asked for again and again.
 */
import { EXPOSITION_TYPE } from "../base/exposition.ts";
import { isRetryable, messageOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import type { Logger } from "../base/log.ts";
import type { Clock } from "../platform/clock.ts";
import { formatAddress, type HttpAnswer, type HttpServer, type ListenAddress } from "../platform/http_server.ts";
import type { Web } from "../platform/web.ts";
import { type DatabaseFacts, judgeHealth } from "./health.ts";
import { healthDocument } from "./health_document.ts";
import { metricsPage } from "./metrics_page.ts";

export interface MonitoringOptions {
  readonly address: ListenAddress;
  readonly clock: Clock;
  readonly web: Web;
  readonly log: Logger;
  /** How everything is at this moment. */
  readonly look: () => readonly DatabaseFacts[];
}

export class Monitoring {
  readonly #options: MonitoringOptions;
  readonly #stopped = new AbortController();
  readonly #finished: Promise<void>;
  #server: HttpServer | undefined;

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
        this.#server = web.serve(address, (method, path) => this.#answer(method, path));
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

  #answer(method: string, path: string): HttpAnswer {
    if (method !== "GET" && method !== "HEAD") return plain(405, "only GET and HEAD are answered");
    if (path !== "/metrics" && path !== "/health") return plain(404, "there are /metrics and /health");
    const health = judgeHealth(this.#options.look());
    if (path === "/metrics") return { status: 200, contentType: EXPOSITION_TYPE, body: metricsPage(health) };
    const body = `${JSON.stringify(healthDocument(health), null, 2)}\n`;
    return { status: health.isHealthy ? 200 : 503, contentType: "application/json", body };
  }
}

function plain(status: number, text: string): HttpAnswer {
  return { status, contentType: "text/plain; charset=utf-8", body: `${text}\n` };
}
