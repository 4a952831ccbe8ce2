import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ApiError, TransportError } from "./api-error.ts";
import { apply, mergePatch, read } from "./apply.ts";
import { type KubeClient, openClient } from "./client.ts";
import { setCondition, withFinalizer } from "./condition.ts";

/** A client made from a kubeconfig file, and a server that answers as the test says. */
async function connect(listener: RequestListener): Promise<KubeClient> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const folder = await mkdtemp(join(tmpdir(), "terway-kube-"));
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await rm(folder, { recursive: true });
  });
  const file = join(folder, "config");
  const { port } = server.address() as AddressInfo;
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
    clusters: [{ name: "k", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { token: "secret" } }],
  };
  await writeFile(file, JSON.stringify(config));
  return openClient({ kubeconfig: file }, "terway-test");
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return text === "" ? undefined : JSON.parse(text);
}

const node = { resource: { apiVersion: "v1", plural: "nodes", kind: "Node", namespaced: false }, name: "node-a" } as const;

test("apply and patch go out with their content types, the token and the field manager", async () => {
  const seen: unknown[] = [];
  const client = await connect((request, response) => {
    const { method, url, headers } = request;
    void bodyOf(request).then((body) => {
      seen.push({ method, url, type: headers["content-type"], token: headers.authorization, body });
      response.end("{}");
    });
  });
  await apply(client, { ...node, subresource: "status" }, { status: { phase: "x" } }, { fieldManager: "terway", force: true });
  await mergePatch(client, node, { metadata: { annotations: { a: null } } }, "terway");
  expect(seen).toEqual([
    {
      method: "PATCH",
      url: "/api/v1/nodes/node-a/status?fieldManager=terway&force=true",
      type: "application/apply-patch+yaml",
      token: "Bearer secret",
      body: { apiVersion: "v1", kind: "Node", metadata: { name: "node-a" }, status: { phase: "x" } },
    },
    {
      method: "PATCH",
      url: "/api/v1/nodes/node-a?fieldManager=terway",
      type: "application/merge-patch+json",
      token: "Bearer secret",
      body: { metadata: { annotations: { a: null } } },
    },
  ]);
});

test("a refusal is an ApiError with the server's reason; an object that is not there reads as undefined", async () => {
  const client = await connect((request, response) => {
    response.statusCode = request.url?.includes("node-a") ? 404 : 409;
    response.end(JSON.stringify({ kind: "Status", reason: response.statusCode === 404 ? "NotFound" : "Conflict", message: "no" }));
  });
  expect(await read(client, node)).toBeUndefined();
  const refusal = await read(client, { ...node, name: "b" }).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(ApiError);
  expect(refusal).toMatchObject({ status: 409, reason: "Conflict", message: "GET /api/v1/nodes/b: no" });
});

test("an answer that is cut, or never comes, is a TransportError; the caller's abort is its own reason", async () => {
  const client = await connect((request, response) => {
    if (request.url?.includes("cut")) {
      response.writeHead(200, { "content-length": "100" });
      response.write("{");
      setTimeout(() => response.destroy(), 5);
    }
  });
  await expect(client.call({ method: "GET", path: "/cut" })).rejects.toBeInstanceOf(TransportError);
  await expect(client.call({ method: "GET", path: "/never", timeoutMs: 20 })).rejects.toBeInstanceOf(TransportError);
  const reason = new Error("enough");
  await expect(client.call({ method: "GET", path: "/never", signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test("a condition's transition time moves only with its status", () => {
  const first = setCondition([], { type: "Ready", status: "False", reason: "Cold", message: "" }, 0);
  const other = setCondition(first, { type: "Ready", status: "False", reason: "StillCold", message: "" }, 60_000);
  const last = setCondition(other, { type: "Ready", status: "True", reason: "Warm", message: "" }, 120_000);
  expect([first, other, last].map(([condition]) => condition?.lastTransitionTime)).toEqual([
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:02:00Z",
  ]);
  expect(setCondition(last, { type: "Ready", status: "True", reason: "Warm", message: "" }, 180_000)).toBe(last);
  expect(withFinalizer(undefined, "f", true)).toEqual(["f"]);
  expect(withFinalizer(["f", "g"], "f", false)).toEqual(["g"]);
});
