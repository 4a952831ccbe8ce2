import { readFile } from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import { readRefusal, TransportError } from "./api-error.ts";

export interface KubeRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below the server's address, for example `/api/v1/nodes`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Until the whole answer is there; 30 s when absent. */
  readonly timeoutMs?: number;
}

/** An answer that is still coming. */
export interface KubeStream {
  readonly body: AsyncIterable<Uint8Array>;
}

/** Requests to one API server. Throws {@link ApiError} when it refuses, {@link TransportError} when it cannot be heard. */
export interface KubeClient {
  /** The decoded answer; undefined when it has no body. */
  call(request: KubeRequest): Promise<unknown>;
  /** Resolves when the server has begun to answer; the caller reads, and aborts by the signal. */
  open(request: KubeRequest): Promise<KubeStream>;
}

export type ClientSource = { readonly kubeconfig: string } | { readonly inCluster: true };

/** A client with the configuration, authentication and TLS of client-node; tokens that rotate are read anew for each request. */
export async function openClient(source: ClientSource, userAgent: string): Promise<KubeClient> {
  const config = new KubeConfig();
  if ("kubeconfig" in source) config.loadFromString(await readFile(source.kubeconfig, "utf8"));
  else config.loadFromCluster();
  const cluster = config.getCurrentCluster();
  if (cluster === undefined || cluster === null)
    throw new Error(`${"kubeconfig" in source ? source.kubeconfig : "the pod's service account"} names no cluster`);
  let agent: { readonly key: string; readonly agent: http.Agent } | undefined;
  return clientOf(cluster.server, async () => {
    const options: https.RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const { ca, cert, key, rejectUnauthorized, servername, headers, auth } = options;
    const identity = JSON.stringify([ca, cert, key].map((part) => part?.toString()));
    // Its own agents keep no connection, and go on with a certificate that was rotated; they are right for proxies.
    if (cluster.proxyUrl === undefined && agent?.key !== identity) {
      const tls = {
        ca,
        cert,
        key,
        ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
        ...(servername ? { servername } : {}),
      };
      agent = {
        key: identity,
        agent: cluster.server.startsWith("http:") ? new http.Agent(connections) : new https.Agent({ ...connections, ...tls }),
      };
    }
    const basic = auth ? { authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {};
    const chosen = agent?.agent ?? (options.agent instanceof http.Agent ? options.agent : undefined);
    return { headers: { "user-agent": userAgent, ...basic, ...lowerCase(headers) }, ...(chosen === undefined ? {} : { agent: chosen }) };
  });
}

/** One that nobody uses is closed before the server (90 s) or a load balancer (60 s) does, so that no request meets a closed one. */
const connections: http.AgentOptions = { keepAlive: true, keepAliveMsecs: 30_000, maxFreeSockets: 4, timeout: 30_000 };

function lowerCase(headers: https.RequestOptions["headers"]): Record<string, string> {
  if (headers === undefined || Array.isArray(headers)) return {};
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
}

interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly agent?: http.Agent;
}

/** A client for a server's address; `authenticate` is asked before each request. */
export function clientOf(server: string, authenticate: () => Promise<Credentials>): KubeClient {
  async function start(request: KubeRequest, signal: AbortSignal | undefined): Promise<http.IncomingMessage> {
    const { headers, agent } = await authenticate();
    const url = new URL(server.replace(/\/$/, "") + request.path);
    for (const [name, value] of Object.entries(request.query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value));
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const options: https.RequestOptions = {
      method: request.method,
      headers: {
        ...headers,
        accept: "application/json",
        ...(body === undefined
          ? {}
          : { "content-type": request.contentType ?? "application/json", "content-length": Buffer.byteLength(body) }),
      },
      ...(agent === undefined ? {} : { agent }),
      ...(signal === undefined ? {} : { signal }),
    };
    return new Promise((resolve, reject) => {
      const outgoing = url.protocol === "https:" ? https.request(url, options) : http.request(url, options);
      outgoing.on("response", resolve).on("error", reject).end(body);
    });
  }

  async function refuse(what: string, answer: http.IncomingMessage): Promise<never> {
    throw readRefusal(what, statusOf(answer), answer.headers["retry-after"], await textOf(answer));
  }

  return {
    async call(request) {
      const what = `${request.method} ${request.path}`;
      const limit = AbortSignal.timeout(request.timeoutMs ?? 30_000);
      const signal = request.signal === undefined ? limit : AbortSignal.any([limit, request.signal]);
      const answer = await transport(what, request.signal, () => start(request, signal));
      if (statusOf(answer) >= 400) return transport(what, request.signal, () => refuse(what, answer));
      return transport(what, request.signal, async () => {
        const text = await textOf(answer);
        return text === "" ? undefined : (JSON.parse(text) as unknown);
      });
    },
    async open(request) {
      const what = `${request.method} ${request.path}`;
      const answer = await transport(what, request.signal, () => start(request, request.signal));
      if (statusOf(answer) >= 400) return transport(what, request.signal, () => refuse(what, answer));
      return { body: answer };
    },
  };
}

/** 0 does not occur: an answer has a status. */
const statusOf = ({ statusCode = 0 }: http.IncomingMessage) => statusCode;

async function textOf(answer: http.IncomingMessage): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of answer as AsyncIterable<Uint8Array>) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

/** Refusals and the caller's own abort pass; everything else is the line. */
async function transport<T>(what: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof Error && error.name === "ApiError") throw error;
    throw new TransportError(what, error);
  }
}
