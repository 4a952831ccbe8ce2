import Fastify from "fastify";
import type { Registry } from "prom-client";
import type { Listen } from "../listen-address.ts";

/** Probes and metrics over TCP; where both have the same port, on one listener. Answers how to close them. */
export async function serveProbes(options: {
  readonly healthz: Listen;
  readonly metrics?: Listen;
  readonly registry: Registry;
  /** Why this replica cannot serve yet; undefined when it can. */
  readonly unready: () => string | undefined;
}): Promise<() => Promise<void>> {
  const { healthz, metrics, registry, unready } = options;
  const probes = Fastify({ forceCloseConnections: true });
  probes.get("/healthz", async () => "ok\n");
  probes.get("/readyz", async (_request, reply) => {
    const reason = unready();
    return reply.code(reason === undefined ? 200 : 503).send(`${reason ?? "ok"}\n`);
  });
  const shared = metrics !== undefined && metrics.port === healthz.port;
  const scrape = shared ? probes : Fastify({ forceCloseConnections: true });
  scrape.get("/metrics", async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
  await probes.listen({ host: healthz.host || "::", port: healthz.port });
  if (metrics !== undefined && !shared) await scrape.listen({ host: metrics.host || "::", port: metrics.port });
  return async () => {
    await Promise.all([probes.close(), scrape.close()]);
  };
}
