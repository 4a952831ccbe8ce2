import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as it came over the wire. */
export interface Received {
  readonly method: string;
  readonly action: string;
  readonly version: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage["headers"];
  readonly path: string;
}

/** What the server does with one request. Answers the bytes, or misbehaves on the response itself. */
export type Behaviour = (response: ServerResponse, received: Received) => void;

/** For faults below HTTP that the simulator does not make: a server on loopback that does to each request what the script says. */
export class ScriptedServer implements AsyncDisposable {
  readonly received: Received[] = [];
  readonly #server = createServer((request, response) => this.#handle(request, response));
  #script: Behaviour[] = [];
  #fallback: Behaviour = json(500, { Code: "InternalError", Message: "the script is at its end", RequestId: "R-end" });

  static async start(): Promise<ScriptedServer> {
    const server = new ScriptedServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get url(): URL {
    // A listening TCP server's address is never a string.
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`);
  }

  get actions(): string[] {
    return this.received.map((one) => one.action);
  }

  /** The next requests get these, one each; then `always`. */
  script(...behaviours: Behaviour[]): this {
    this.#script = behaviours;
    return this;
  }

  always(behaviour: Behaviour): this {
    this.#fallback = behaviour;
    return this;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://server");
    const received: Received = {
      method: request.method ?? "",
      action: String(request.headers["x-acs-action"] ?? ""),
      version: String(request.headers["x-acs-version"] ?? ""),
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      path: url.pathname,
    };
    this.received.push(received);
    request.resume();
    (this.#script.shift() ?? this.#fallback)(response, received);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export const json =
  (status: number, body: unknown): Behaviour =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json;charset=utf-8" }).end(JSON.stringify(body));
  };

/** The cloud's error body. */
export const refusal = (status: number, code: string, message = "text of the cloud"): Behaviour =>
  json(status, { RequestId: "7B48A9C1-0000-4000-8000-000000000001", HostId: "ecs.cn-hangzhou.aliyuncs.com", Code: code, Message: message });

export const reset: Behaviour = (response) => {
  response.socket?.resetAndDestroy();
};

export const hang: Behaviour = () => {};

export const html502: Behaviour = (response) => {
  response.writeHead(502, { "content-type": "text/html" }).end("<html><body><h1>502 Bad Gateway</h1></body></html>");
};

/** Half of the body, then the connection is cut. */
export const cut =
  (body: unknown): Behaviour =>
  (response) => {
    const text = JSON.stringify(body);
    response.writeHead(200, { "content-type": "application/json", "content-length": text.length });
    response.write(text.slice(0, text.length / 2), () => response.socket?.destroy());
  };

/** Headers and half of the body, then nothing more. */
export const stall =
  (body: unknown): Behaviour =>
  (response) => {
    const text = JSON.stringify(body);
    response.writeHead(200, { "content-type": "application/json", "content-length": text.length });
    response.write(text.slice(0, text.length / 2));
  };
