import { request } from "node:http";
import type { Clock } from "@terway/model";

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Largest answer that is read; the service's own are below 4 KiB. */
const maxBytes = 1 << 20;

/**
 * One request over node:http (undici would cost the daemon several MB). Rejects with the system's error, or with an Error of code `Timeout` when
 * the whole answer is not there within `timeoutMs`; an abort rejects with the signal's reason. No socket outlives it.
 */
export function httpRequest(
  url: URL,
  options: {
    method: "GET" | "PUT";
    headers: Readonly<Record<string, string>>;
    clock: Clock;
    timeoutMs: number;
    signal?: AbortSignal | undefined;
  },
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const outgoing = request(url, { method: options.method, headers: { ...options.headers, "content-length": "0" }, agent: false });
    const fail = (error: unknown) => {
      settle();
      outgoing.destroy();
      reject(error);
    };
    const onAbort = () => fail(signal?.reason);
    const cancel = options.clock.after(options.timeoutMs, () =>
      fail(Object.assign(new Error(`no answer within ${options.timeoutMs} ms`), { code: "Timeout" })),
    );
    const settle = () => {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    outgoing.on("error", fail);
    outgoing.on("response", (answer) => {
      let body = "";
      answer.setEncoding("utf8");
      answer.on("error", fail);
      answer.on("data", (text: string) => {
        body += text;
        if (body.length > maxBytes) fail(new Error("the answer is too long"));
      });
      answer.on("end", () => {
        settle();
        resolve({ status: answer.statusCode ?? 0, body });
      });
    });
    outgoing.end();
  });
}
