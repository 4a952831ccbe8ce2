import { createServer, type Server } from "node:http";
import type { Registry } from "prom-client";
import { publishSocket } from "./socket.ts";

/** `/metrics` where Terway's scraper looks for it, beside the main socket, so that it can be handed out without the CNI routes. */
export async function openDebugSocket(path: string, processId: number, registry: Registry): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string) => response.writeHead(status, { "content-type": type }).end(body);
    if (request.url === "/metrics") {
      registry.metrics().then(
        (text) => answer(200, registry.contentType, text),
        (error: unknown) => answer(500, "text/plain", String(error)),
      );
    } else if (request.url === "/healthz") {
      answer(200, "text/plain", "ok\n");
    } else answer(404, "text/plain", "metrics and healthz are here\n");
  });
  await publishSocket(
    path,
    processId,
    (privatePath) =>
      new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(privatePath, resolve);
      }),
  );
  return server;
}
