import type { FastifyInstance } from "fastify";
import type { Registry } from "prom-client";

/** `/healthz`: the process answers. `/readyz`: pods can be served, else 503 and why not. `/metrics`: for Prometheus. */
export function healthRoutes(app: FastifyInstance, registry: Registry, unready: () => string | undefined): void {
  app.get("/healthz", async () => "ok\n");
  app.get("/readyz", async (_request, reply) => {
    const reason = unready();
    return reply.code(reason === undefined ? 200 : 503).send(`${reason ?? "ok"}\n`);
  });
  app.get("/metrics", async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
}
