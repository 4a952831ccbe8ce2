import { createServer, type ServerResponse } from "node:http";
import { parseArgs } from "node:util";
import { ClusterObjects } from "./objects.ts";

/**
 * An API server that serves a large cluster out of arithmetic: lists in pages, watches in which pods change at a steady rate, and every write is accepted
 * and forgotten. A process of its own, so that what is measured is the daemon alone. Arguments: see below; prints `listening` when it does.
 */
const { values } = parseArgs({
  options: {
    port: { type: "string", default: "8001" },
    node: { type: "string", default: "" },
    "own-pods": { type: "string", default: "0" },
    pods: { type: "string", default: "0" },
    policies: { type: "string", default: "0" },
    changes: { type: "string", default: "0" },
    "eni-conf": { type: "string", default: "{}" },
  },
});
const objects = new ClusterObjects({
  node: values.node,
  ownPods: Number(values["own-pods"]),
  pods: Number(values.pods),
  policies: Number(values.policies),
  eniConf: values["eni-conf"],
});
const bookmarkMs = 10_000;
let version = 1_000_000;
/** Lists that were answered to their end, by what they are of. */
const listed: Record<string, number> = {};

createServer((request, response) => {
  const { pathname, searchParams: query } = new URL(request.url ?? "", "http://server");
  if (pathname === "/listed") return answer(response, 200, listed);
  if (request.method !== "GET") {
    request.resume();
    request.on("end", () =>
      answer(response, request.method === "POST" ? 201 : 200, { metadata: { name: "written", namespace: "default" } }),
    );
    return;
  }
  const single = objects.single(pathname);
  if (single !== undefined)
    return single === null ? answer(response, 404, { kind: "Status", code: 404, reason: "NotFound" }) : answer(response, 200, single);
  const kind = objects.kindOf(pathname, query.get("fieldSelector"));
  if (query.get("watch") === "true") watch(response, kind);
  else list(response, kind, query);
}).listen(Number(values.port), "127.0.0.1", () => console.log("listening"));

function list(response: ServerResponse, kind: string, query: URLSearchParams): void {
  const from = Number(query.get("continue") ?? "0");
  const count = objects.count(kind);
  const to = Math.min(count, from + Number(query.get("limit") ?? count));
  const items = Array.from({ length: to - from }, (_, index) => objects.at(kind, from + index, version));
  if (to >= count) listed[kind] = (listed[kind] ?? 0) + 1;
  answer(response, 200, { metadata: { resourceVersion: String(version), ...(to < count ? { continue: String(to) } : {}) }, items });
}

function watch(response: ServerResponse, kind: string): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  const send = (type: string, object: object) => response.write(`${JSON.stringify({ type, object })}\n`);
  const bookmark = setInterval(() => send("BOOKMARK", { metadata: { resourceVersion: String(version) } }), bookmarkMs);
  let next = 0;
  const rate = kind === "pods" ? Number(values.changes) : 0;
  const changes = setInterval(() => {
    for (let left = rate / 10; left >= 1 && objects.count(kind) > 0; left -= 1) {
      version += 1;
      send("MODIFIED", objects.at(kind, next++ % objects.count(kind), version));
    }
  }, 100);
  response.on("close", () => {
    clearInterval(bookmark);
    clearInterval(changes);
  });
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
