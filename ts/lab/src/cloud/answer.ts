import type { ApiError } from "./api-error.ts";
import type { FaultEffect } from "./fault/effect.ts";
import { operations, products } from "./operation/index.ts";
import type { Body } from "./operation/operation.ts";
import type { Transaction } from "./transaction.ts";
import { drawDelay } from "./transition.ts";

/** How the shell has to bring the answer to the caller. */
export type Delivery =
  | { readonly kind: "whole" }
  | { readonly kind: "reset" }
  | { readonly kind: "truncate" }
  | { readonly kind: "stall"; readonly ms: number };

export interface Answer {
  readonly requestId: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly delivery: Delivery;
  /** From the effect to the answer. */
  readonly delayMs: number;
}

export function successAnswer(tx: Transaction, requestId: string, action: string, content: Body, effects: readonly FaultEffect[]): Answer {
  const body = JSON.stringify({ ...content, RequestId: requestId });
  return {
    requestId,
    status: 200,
    headers: jsonHeaders(requestId),
    body,
    delivery: deliveryOf(effects),
    delayMs: delayOf(tx, action, effects),
  };
}

export function errorAnswer(tx: Transaction, requestId: string, action: string, error: ApiError, effects: readonly FaultEffect[]): Answer {
  const { code, status, message, accessDeniedDetail } = error;
  const product = operations.get(action)?.product ?? "Ecs";
  const body = JSON.stringify({
    RequestId: requestId,
    HostId: `${products[product].host}.${tx.state.settings.regionId}.aliyuncs.com`,
    Code: code,
    Message: message,
    Recommend: `https://api.aliyun.com/troubleshoot?q=${code}&product=${product}`,
    ...(accessDeniedDetail === undefined ? {} : { AccessDeniedDetail: accessDeniedDetail }),
  });
  return { requestId, status, headers: jsonHeaders(requestId), body, delivery: deliveryOf(effects), delayMs: delayOf(tx, action, effects) };
}

/** The page that a proxy between client and cloud would show. */
export function proxyAnswer(tx: Transaction, requestId: string, action: string, status: number, effects: readonly FaultEffect[]): Answer {
  const body = `<html>\r\n<head><title>${status} Bad Gateway</title></head>\r\n<body>\r\n<center><h1>${status} Bad Gateway</h1></center>\r\n<hr><center>proxy</center>\r\n</body>\r\n</html>\r\n`;
  return {
    requestId,
    status,
    headers: { "content-type": "text/html" },
    body,
    delivery: { kind: "whole" },
    delayMs: delayOf(tx, action, effects),
  };
}

export function resetAnswer(tx: Transaction, requestId: string, action: string, effects: readonly FaultEffect[]): Answer {
  return { requestId, status: 0, headers: {}, body: "", delivery: { kind: "reset" }, delayMs: delayOf(tx, action, effects) };
}

function deliveryOf(effects: readonly FaultEffect[]): Delivery {
  if (effects.some((effect) => effect.type === "truncate")) return { kind: "truncate" };
  const stall = effects.find((effect) => effect.type === "stall");
  return stall === undefined ? { kind: "whole" } : { kind: "stall", ms: stall.ms };
}

function delayOf(tx: Transaction, action: string, effects: readonly FaultEffect[]): number {
  const extra = effects.reduce((sum, effect) => (effect.type === "delay" ? sum + effect.ms : sum), 0);
  const operation = operations.get(action);
  return operation === undefined ? extra : drawDelay(tx.random, tx.state.settings.delays[operation.delay]) + extra;
}

function jsonHeaders(requestId: string): Record<string, string> {
  return {
    "content-type": "application/json;charset=utf-8",
    "x-acs-request-id": requestId,
    "x-acs-trace-id": requestId.replaceAll("-", "").toLowerCase(),
  };
}
