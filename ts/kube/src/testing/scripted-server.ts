import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { clientOf, type KubeClient } from "../client.ts";

export interface FakeObject {
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string; labels?: Record<string, string> };
  [field: string]: unknown;
}

interface Change {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: FakeObject;
  readonly version: number;
}

/** What the server does with the next request of a kind instead of serving it; true when it has answered. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * A small API server over real HTTP for one kind of object: lists in pages, watches with bookmarks, versions; and for each list or watch a script
 * can say what goes wrong.
 */
export class ScriptedServer {
  readonly #server: Server;
  readonly #objects = new Map<string, FakeObject>();
  readonly #changes: Change[] = [];
  readonly #watchers = new Set<{ response: ServerResponse; send: (change: Change) => void }>();
  #version = 100;
  /** Versions before this one are not kept any more. */
  oldest = 0;
  onList: Misbehaviour | undefined;
  onWatch: Misbehaviour | undefined;
  readonly requests: { readonly kind: "list" | "watch" | "other"; readonly query: URLSearchParams; readonly atMs: number }[] = [];
  /** What clients wanted to change; it is answered with 200 and changes nothing. */
  readonly writes: { readonly method: string; readonly path: string; readonly body: unknown }[] = [];
  openWatches = 0;

  private constructor() {
    this.#server = createServer((request, response) => this.#serve(request, response));
  }

  static async start(): Promise<ScriptedServer> {
    const server = new ScriptedServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  client(): KubeClient {
    const { port } = this.#server.address() as AddressInfo;
    return clientOf(`http://127.0.0.1:${port}`, async () => ({ headers: {} }));
  }

  count(kind: "list" | "watch" | "other"): number {
    return this.requests.filter((request) => request.kind === kind).length;
  }

  put(name: string, fields: Record<string, unknown> = {}, uid = `uid-${name}`): FakeObject {
    this.#version += 1;
    const before = this.#objects.get(name);
    const { metadata, ...rest } = fields;
    const more = typeof metadata === "object" ? metadata : {};
    const object: FakeObject = { ...rest, metadata: { ...more, name, namespace: "default", uid, resourceVersion: String(this.#version) } };
    this.#objects.set(name, object);
    this.#tell({ type: before === undefined ? "ADDED" : "MODIFIED", object, version: this.#version });
    return object;
  }

  delete(name: string): void {
    const object = this.#objects.get(name);
    if (object === undefined) return;
    this.#objects.delete(name);
    this.#version += 1;
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    this.#tell({ type: "DELETED", object: last, version: this.#version });
  }

  bookmark(): void {
    for (const { response } of this.#watchers) {
      response.write(`${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: String(this.#version) } } })}\n`);
    }
  }

  /** Ends every watch as a network does: without a word. */
  reset(): void {
    for (const { response } of this.#watchers) response.destroy();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #tell(change: Change): void {
    this.#changes.push(change);
    for (const { send } of this.#watchers) send(change);
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url ?? "", "http://server");
    if (request.method !== "GET") {
      void this.#write(request, pathname, response);
      return;
    }
    const [, one] = /\/namespaces\/[^/]+\/[^/]+\/([^/]+)$/.exec(pathname) ?? [];
    if (one !== undefined) {
      this.requests.push({ kind: "other", query, atMs: performance.now() });
      const object = this.#objects.get(one);
      if (object !== undefined) answer(response, 200, object);
      else answer(response, 404, { kind: "Status", code: 404, reason: "NotFound", message: `"${one}" not found` });
      return;
    }
    const kind = query.get("watch") === "true" ? "watch" : "list";
    this.requests.push({ kind, query, atMs: performance.now() });
    if (kind === "watch" ? this.onWatch?.(request, response) : this.onList?.(request, response)) return;
    if (kind === "watch") this.#watch(query, response);
    else this.#list(query, response);
  }

  async #write(request: IncomingMessage, path: string, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    this.writes.push({ method: request.method ?? "", path, body: JSON.parse(Buffer.concat(parts).toString("utf8") || "null") });
    answer(response, 200, {});
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const start = Number(query.get("continue") ?? 0);
    const limit = Number(query.get("limit") ?? 0) || Number.POSITIVE_INFINITY;
    const all = [...this.#objects.values()];
    const items = all.slice(start, start + limit);
    const next = start + limit < all.length ? { continue: String(start + limit) } : {};
    answer(response, 200, { metadata: { resourceVersion: String(this.#version), ...next }, items });
  }

  #watch(query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get("resourceVersion"));
    if (from < this.oldest) {
      answer(response, 410, { kind: "Status", code: 410, reason: "Expired", message: "too old resource version" });
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    const send = ({ type, object }: Change) => response.write(`${JSON.stringify({ type, object })}\n`);
    for (const change of this.#changes) if (change.version > from) send(change);
    const watcher = { response, send };
    this.#watchers.add(watcher);
    this.openWatches += 1;
    response.on("close", () => {
      this.#watchers.delete(watcher);
      this.openWatches -= 1;
    });
  }
}

export function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}
