import Fastify from "fastify";
import { z } from "zod";
import { AdminError } from "./admin/command.ts";
import { type AdminCommandName, adminCommands } from "./admin/index.ts";
import { ApiError } from "./api-error.ts";
import type { Door, HostPort } from "./door.ts";
import { faultCatalogue } from "./fault/catalogue.ts";
import { checkInvariants } from "./invariants.ts";
import { ScriptedClock } from "./scripted-clock.ts";
import type { CloudSimulator } from "./simulator.ts";

const callSchema = z.strictObject({ action: z.string(), parameters: z.record(z.string(), z.string()).default({}) });
const advanceSchema = z.strictObject({ ms: z.number().nonnegative() });
const historyQuerySchema = z.object({
  since: z.coerce.number().default(0),
  kind: z.string().optional(),
  action: z.string().optional(),
});

/**
 * The door of the simulator's owner: JSON over HTTP. Every admin command is `POST /v1/<name>`; see docs/reference/simulator.md. Mistakes
 * answer 400 with `{error}`.
 */
export async function startControl(simulator: CloudSimulator, where: string | HostPort): Promise<Door> {
  const app = Fastify({ forceCloseConnections: true });
  app.setErrorHandler((error, _request, reply) => {
    const own = error instanceof AdminError || error instanceof z.ZodError || error instanceof ApiError;
    const message = error instanceof z.ZodError ? z.prettifyError(error) : error instanceof Error ? error.message : String(error);
    reply.code(own ? 400 : 500).send({ error: message, ...(error instanceof ApiError ? { code: error.code } : {}) });
  });
  for (const name of Object.keys(adminCommands) as AdminCommandName[]) {
    app.post(`/v1/${name}`, ({ body }) => {
      // The command checks its own input.
      const input = (body ?? {}) as never;
      if (name === "createInstance") return simulator.createInstance(input);
      if (name === "releaseInstance") return simulator.releaseInstance(input);
      if (name === "reset") return simulator.reset();
      return simulator.admin(name, input);
    });
  }
  app.post("/v1/call", ({ body }) => {
    const { action, parameters } = callSchema.parse(body);
    return simulator.call(action, parameters);
  });
  app.post("/v1/advance", async ({ body }) => {
    if (!(simulator.clock instanceof ScriptedClock)) throw new AdminError("the clock is not scripted");
    await simulator.clock.advance(advanceSchema.parse(body).ms);
    return { nowMs: simulator.clock.wallMs() };
  });
  app.get("/v1/state", () => simulator.state().toJSON());
  app.get("/v1/invariants", () => checkInvariants(simulator.state()));
  app.get("/v1/history", ({ query }) => {
    const { since, kind, action } = historyQuerySchema.parse(query);
    return simulator
      .history()
      .filter(
        (entry) =>
          entry.sequence > since && (kind === undefined || entry.kind === kind) && (action === undefined || entry.action === action),
      );
  });
  app.delete("/v1/history", () => {
    simulator.clearHistory();
    return {};
  });
  app.get("/v1/counters", () => simulator.counters());
  app.get("/v1/faults", () => [...simulator.state().table("faults").values()]);
  app.get("/v1/catalogue", () => faultCatalogue);
  await app.listen(typeof where === "string" ? { path: where } : { host: where.host, port: where.port });
  return { server: app.server, close: () => app.close() };
}
