import { readFile } from "node:fs/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { type Dispatcher, request as send } from "undici";
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
  const server = config.getCurrentCluster()?.server;
  if (server === undefined) throw new Error(`${"kubeconfig" in source ? source.kubeconfig : "the pod's service account"} names no cluster`);
  return clientOf(server, async () => {
    const headers: Record<string, string> = { "user-agent": userAgent };
    let dispatcher: Dispatcher | undefined;
    const context = {
      setHeaderParam: (name: string, value: string) => {
        headers[name.toLowerCase()] = value;
      },
      setDispatcher: (chosen: unknown) => {
        dispatcher = chosen as Dispatcher;
      },
    };
    // client-node wants its own request object, of which it uses these two functions only.
    await config.applySecurityAuthentication(context as unknown as Parameters<KubeConfig["applySecurityAuthentication"]>[0]);
    return { headers, ...(dispatcher === undefined ? {} : { dispatcher }) };
  });
}

interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly dispatcher?: Dispatcher;
}

/** A client for a server's address; `authenticate` is asked before each request. */
export function clientOf(server: string, authenticate: () => Promise<Credentials>): KubeClient {
  async function start(request: KubeRequest, signal: AbortSignal | undefined): Promise<Dispatcher.ResponseData> {
    const { headers, dispatcher } = await authenticate();
    const url = new URL(server.replace(/\/$/, "") + request.path);
    for (const [name, value] of Object.entries(request.query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value));
    return send(url, {
      method: request.method,
      headers: {
        ...headers,
        accept: "application/json",
        ...(request.body === undefined ? {} : { "content-type": request.contentType ?? "application/json" }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      ...(dispatcher === undefined ? {} : { dispatcher }),
      ...(signal === undefined ? {} : { signal }),
      // Silence is judged by whoever reads: a watch is silent for a minute, a list is not.
      bodyTimeout: 0,
      headersTimeout: 0,
    });
  }

  async function refuse(what: string, answer: Dispatcher.ResponseData): Promise<never> {
    const after = answer.headers["retry-after"];
    throw readRefusal(what, answer.statusCode, typeof after === "string" ? after : undefined, await answer.body.text());
  }

  return {
    async call(request) {
      const what = `${request.method} ${request.path}`;
      const limit = AbortSignal.timeout(request.timeoutMs ?? 30_000);
      const signal = request.signal === undefined ? limit : AbortSignal.any([limit, request.signal]);
      const answer = await transport(what, request.signal, () => start(request, signal));
      if (answer.statusCode >= 400) return transport(what, request.signal, () => refuse(what, answer));
      return transport(what, request.signal, async () => {
        const text = await answer.body.text();
        return text === "" ? undefined : (JSON.parse(text) as unknown);
      });
    },
    async open(request) {
      const what = `${request.method} ${request.path}`;
      const answer = await transport(what, request.signal, () => start(request, request.signal));
      if (answer.statusCode >= 400) return transport(what, request.signal, () => refuse(what, answer));
      return { body: answer.body };
    },
  };
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
