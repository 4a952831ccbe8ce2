import type { IncomingMessage, ServerResponse } from "node:http";
import type { Answer } from "./answer.ts";
import { type Door, type HostPort, listenOn, openDoor } from "./door.ts";
import type { HttpRequest } from "./http-request.ts";
import type { CloudSimulator } from "./simulator.ts";

/** Real requests are a few kilobytes. */
const maxBodyBytes = 1 << 20;

/** The OpenAPI endpoint: reads requests, lets the core judge them, and brings the answers, broken where a fault says so. */
export async function startGateway(simulator: CloudSimulator, where: HostPort): Promise<Door> {
  const door = await openDoor((request, response) => {
    serve(simulator, request, response).catch((error: unknown) => {
      // A bug of the simulator must not look like a fault of the cloud.
      response
        .writeHead(599, { "content-type": "text/plain" })
        .end(`simulator defect: ${error instanceof Error ? error.stack : String(error)}`);
    });
  }, where);
  const stop = refuseWhileTold(simulator, door);
  return {
    ...door,
    close: async () => {
      await stop();
      await door.close();
    },
  };
}

async function serve(simulator: CloudSimulator, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(incoming);
  if (body === undefined) {
    incoming.socket.destroy();
    return;
  }
  const { answer } = await simulator.http(toHttpRequest(incoming, body));
  deliver(simulator, answer, response);
}

export function toHttpRequest(incoming: IncomingMessage, body: string): HttpRequest {
  const url = new URL(incoming.url ?? "/", "http://simulator");
  const headers = Object.entries(incoming.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === "string" ? value : value.join(",")] as const],
  );
  return { method: incoming.method ?? "GET", path: url.pathname, query: [...url.searchParams], headers: Object.fromEntries(headers), body };
}

async function readBody(incoming: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  // The stream is in its default mode and gives buffers.
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function deliver(simulator: CloudSimulator, { status, headers, body, delivery }: Answer, response: ServerResponse): void {
  switch (delivery.kind) {
    case "whole":
      response.writeHead(status, headers).end(body);
      return;
    case "reset":
      response.socket?.resetAndDestroy();
      return;
    case "truncate":
      // Valid HTTP, broken JSON: as a proxy that lost the end of a chunked answer.
      response.writeHead(status, headers).end(body.slice(0, Math.floor(body.length / 2)));
      return;
    case "stall":
      response.writeHead(status, { ...headers, "content-length": String(Buffer.byteLength(body)) });
      response.write(body.slice(0, Math.floor(body.length / 2)));
      simulator.clock.after(delivery.ms, () => response.socket?.resetAndDestroy());
  }
}

/** Fault F28: while a rule says so nobody listens on the port. */
function refuseWhileTold(simulator: CloudSimulator, { server }: Door): () => Promise<void> {
  const address = server.address();
  let working = Promise.resolve();
  const follow = () => {
    const refuse = [...simulator.state().table("faults").values()].some((rule) => rule.effect.type === "refuse");
    working = working.then(async () => {
      if (address === null || typeof address === "string" || refuse === !server.listening) return;
      if (refuse) {
        await new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        });
      } else await listenOn(server, { host: address.address, port: address.port });
    });
  };
  const unwatch = simulator.watch(follow);
  return async () => {
    unwatch();
    await working;
  };
}
