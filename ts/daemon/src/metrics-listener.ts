import type { Clock, Random } from "@terway/model";
import Fastify from "fastify";
import type { Registry } from "prom-client";
import { healthRoutes } from "./health.ts";
import type { Logger } from "./log.ts";
import { retry } from "./retry.ts";
import { untilAborted } from "./until-aborted.ts";

/**
 * `/metrics` and the probes over TCP, for Prometheus and kubelet, who cannot ask a unix socket. A daemon that goes may hold the port a little longer, and
 * pods need none of this: it is tried again, and never the end of the daemon.
 */
export async function serveMetrics(options: {
  readonly listen: { readonly host: string; readonly port: number };
  readonly registry: Registry;
  readonly unready: () => string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { clock, random, log, signal, listen } = options;
  const open = async (host: string) => {
    const app = Fastify({ forceCloseConnections: true });
    healthRoutes(app, options.registry, options.unready);
    await app.listen({ host, port: listen.port });
    return app;
  };
  const where = `--metrics-listen ${listen.host}:${listen.port}`;
  const app = await retry(
    async () => {
      try {
        return await open(listen.host || "::");
      } catch (error) {
        // A node without IPv6.
        const without = listen.host === "" && error instanceof Error && "code" in error && error.code === "EAFNOSUPPORT";
        if (!without) throw error;
        return await open("0.0.0.0");
      }
    },
    {
      ...{ clock, random, signal },
      firstMs: 200,
      maxMs: 5_000,
      onFailure: (error) => log.warn(`${where}: ${error instanceof Error ? error.message : String(error)}`),
    },
  );
  if (app === undefined) return;
  await untilAborted(signal);
  await app.close();
}
