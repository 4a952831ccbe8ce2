import { ApiError, apiError, isApiErrorCode } from "./api-error.ts";
import { withoutBusy } from "./eni.ts";
import { distort, proxyPage } from "./fault/answer.ts";
import type { FaultEffect } from "./fault/effect.ts";
import { strike } from "./fault/rule.ts";
import type { HttpRequest } from "./http-request.ts";
import { rememberAnswer, replayedAnswer, tokenUse } from "./idempotency.ts";
import { operations, products } from "./operation/index.ts";
import type { Body, Operation } from "./operation/operation.ts";
import type { WireParameters } from "./parameters.ts";
import { authorize } from "./policy.ts";
import type { AccessKey } from "./records.ts";
import { authenticate } from "./signature/authenticate.ts";
import { readEnvelope } from "./signature/envelope.ts";
import { throttle } from "./throttle.ts";
import type { Transaction } from "./transaction.ts";
import { drawDelay, type TransitionFault } from "./transition.ts";
import type { PastStates } from "./view.ts";

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

/** What the history remembers of the call. */
export interface CallRecord {
  readonly action: string;
  readonly caller?: string;
  readonly parameters: WireParameters;
  readonly requestId: string;
  readonly status: number;
  readonly code?: string;
  readonly message?: string;
  readonly resource?: string;
  readonly delivery?: string;
  readonly faults: readonly string[];
}

export interface CallResult {
  readonly answer: Answer;
  readonly record: CallRecord;
  /** ENIs that stay busy until the answer goes out. */
  readonly busyEniIds: readonly string[];
  /** The decoded body of a success, for callers inside the process. */
  readonly body?: Body;
  readonly error?: ApiError;
}

/** A signed request. */
export function handleHttp(tx: Transaction, past: PastStates, request: HttpRequest): CallResult {
  const requestId = newRequestId(tx);
  let action = "";
  let parameters: WireParameters = {};
  let accessKeyId: string | undefined;
  try {
    if (request.method !== "POST" && request.method !== "GET") throw apiError("UnsupportedHTTPMethod", { method: request.method });
    const envelope = readEnvelope(request);
    action = envelope.action;
    parameters = visible(envelope.parameters);
    accessKeyId = envelope.accessKeyId;
    const operation = findOperation(action, envelope.version);
    const caller = authenticate(tx, request, envelope);
    return execute(tx, past, requestId, operation, envelope.parameters, caller);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return refused(tx, requestId, action, parameters, accessKeyId, error, []);
  }
}

/** A call of a second actor inside the process: no signature, no policy, no throttling, no faults. */
export function handleTrusted(tx: Transaction, past: PastStates, action: string, parameters: WireParameters): CallResult {
  const requestId = newRequestId(tx);
  const place = tx.savepoint();
  try {
    const operation = operations.get(action);
    if (operation === undefined) throw apiError("InvalidAction.NotFound");
    const body = runOperation(tx, past, requestId, operation, parameters, []);
    return accepted(tx, requestId, operation, parameters, undefined, body, []);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    tx.rollback(place);
    return refused(tx, requestId, action, parameters, undefined, error, []);
  }
}

function findOperation(action: string, version: string): Operation {
  const operation = operations.get(action);
  if (operation === undefined) throw apiError("InvalidAction.NotFound");
  if (products[operation.product].version !== version) {
    const known = Object.values(products).some((product) => product.version === version);
    throw apiError(known ? "InvalidAction.NotFound" : "InvalidVersion");
  }
  return operation;
}

function execute(
  tx: Transaction,
  past: PastStates,
  requestId: string,
  operation: Operation,
  parameters: WireParameters,
  caller: AccessKey,
): CallResult {
  const { action } = operation;
  let struck: ReturnType<typeof strike> = { ids: [], effects: [] };
  // Set when throttle windows and fault counters are written: those stay, what the operation did goes when it is refused.
  let place: ReturnType<typeof tx.savepoint> | undefined;
  try {
    throttle(tx, action);
    const { accountId, regionId } = tx.state.settings;
    const { policy } = products[operation.product];
    const arns = operation
      .resources(parameters)
      .map((resource) => (resource === "*" ? "*" : `acs:${policy}:${regionId}:${accountId}:${resource}`));
    authorize(caller, accountId, `${policy}:${action}`, arns);
    struck = strike(tx, { action, accessKeyId: caller.id, parameters });
    place = tx.savepoint();
    const early = failure(struck.effects, "before");
    if (early !== undefined) return broken(tx, requestId, operation, parameters, caller, early, struck);
    checkRegion(tx, parameters);
    let body = runOperation(tx, past, requestId, operation, parameters, struck.effects);
    if (struck.effects.some((effect) => effect.type === "duplicate")) {
      for (const id of busyEnis(tx, requestId)) releaseBusy(tx, id);
      place = tx.savepoint();
      body = runOperation(tx, past, requestId, operation, parameters, struck.effects);
    }
    const late = failure(struck.effects, "after");
    if (late !== undefined) return broken(tx, requestId, operation, parameters, caller, late, struck);
    return accepted(tx, requestId, operation, parameters, caller.id, distort(action, body, struck.effects), struck.ids, struck.effects);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (place !== undefined) tx.rollback(place);
    return refused(tx, requestId, action, visible(parameters), caller.id, error, struck.ids, struck.effects);
  }
}

function runOperation(
  tx: Transaction,
  past: PastStates,
  id: string,
  operation: Operation,
  parameters: WireParameters,
  effects: readonly FaultEffect[],
): Body {
  const use = operation.idempotent ? tokenUse(operation.action, parameters) : undefined;
  const replayed = use === undefined ? undefined : replayedAnswer(tx, use);
  if (replayed !== undefined) return replayed;
  const { describeLagMs } = tx.state.settings;
  const lagMs = effects.reduce((lag, effect) => (effect.type === "stale" ? Math.max(lag, effect.lagMs) : lag), describeLagMs);
  const partial = effects.find((effect) => effect.type === "partial")?.count;
  const body = operation.run(parameters, {
    tx,
    id,
    view: operation.writes ? tx.state : past.view(tx.state, tx.nowMs, lagMs),
    transitionFault: transitionFault(effects),
    ...(partial === undefined ? {} : { partial }),
  });
  if (use !== undefined) rememberAnswer(tx, use, body);
  return body;
}

function transitionFault(effects: readonly FaultEffect[]): TransitionFault {
  return {
    stuck: effects.some((effect) => effect.type === "stuck"),
    fails: effects.some((effect) => effect.type === "attach-fails"),
    extraMs: effects.reduce((sum, effect) => (effect.type === "slow-transition" ? sum + effect.ms : sum), 0),
  };
}

type Failure = Extract<FaultEffect, { type: "error" | "reset" | "html" }>;

function failure(effects: readonly FaultEffect[], when: "before" | "after"): Failure | undefined {
  return effects.find(
    (effect): effect is Failure => (effect.type === "error" || effect.type === "reset" || effect.type === "html") && effect.when === when,
  );
}

function checkRegion(tx: Transaction, parameters: WireParameters): void {
  const { lenientRegion, regionId } = tx.state.settings;
  if (lenientRegion) return;
  if (parameters.RegionId === undefined || parameters.RegionId === "") throw apiError("MissingParameter", { name: "RegionId" });
  if (parameters.RegionId !== regionId) throw apiError("InvalidRegionId.NotFound");
}

/** A fault took the place of the answer. */
function broken(
  tx: Transaction,
  requestId: string,
  operation: Operation,
  parameters: WireParameters,
  caller: AccessKey,
  fault: Failure,
  struck: { readonly ids: readonly string[]; readonly effects: readonly FaultEffect[] },
): CallResult {
  const base = { requestId, delayMs: delayOf(tx, operation, struck.effects) };
  const record = { action: operation.action, caller: caller.id, parameters: visible(parameters), requestId, faults: struck.ids };
  const busyEniIds = busyEnis(tx, requestId);
  const when = `${fault.when} effect`;
  if (fault.type === "error") {
    const known = isApiErrorCode(fault.code)
      ? apiError(fault.code, { id: parameters.VSwitchId ?? parameters.NetworkInterfaceId ?? "" })
      : undefined;
    const error = new ApiError(fault.code, fault.status ?? known?.status ?? 400, fault.message ?? known?.message ?? "Injected fault.");
    const result = refused(tx, requestId, operation.action, visible(parameters), caller.id, error, struck.ids, struck.effects);
    const headers = fault.retryAfterMs === undefined ? {} : { "x-acs-retry-after": String(fault.retryAfterMs) };
    return {
      ...result,
      answer: { ...result.answer, ...base, headers: { ...result.answer.headers, ...headers } },
      record: { ...result.record, delivery: when },
      busyEniIds,
    };
  }
  if (fault.type === "reset") {
    const answer: Answer = { ...base, status: 0, headers: {}, body: "", delivery: { kind: "reset" } };
    return {
      answer,
      record: { ...record, status: 0, code: "ConnectionReset", delivery: `reset ${when}` },
      busyEniIds,
      error: new ApiError("ConnectionReset", 0, "connection reset"),
    };
  }
  const answer: Answer = {
    ...base,
    status: fault.status,
    headers: { "content-type": "text/html" },
    body: proxyPage(fault.status),
    delivery: { kind: "whole" },
  };
  return {
    answer,
    record: { ...record, status: fault.status, code: "HtmlPage", delivery: `html ${when}` },
    busyEniIds,
    error: new ApiError("HtmlPage", fault.status, "page of a proxy"),
  };
}

function accepted(
  tx: Transaction,
  requestId: string,
  operation: Operation,
  parameters: WireParameters,
  caller: string | undefined,
  content: Body,
  faults: readonly string[],
  effects: readonly FaultEffect[] = [],
): CallResult {
  const body = { ...content, RequestId: requestId };
  const delivery = deliveryOf(effects);
  const resource =
    typeof content.NetworkInterfaceId === "string" && content.NetworkInterfaceId !== ""
      ? content.NetworkInterfaceId
      : parameters.NetworkInterfaceId;
  return {
    answer: {
      requestId,
      status: 200,
      headers: jsonHeaders(requestId),
      body: JSON.stringify(body),
      delivery,
      delayMs: delayOf(tx, operation, effects),
    },
    record: {
      action: operation.action,
      ...(caller === undefined ? {} : { caller }),
      parameters: visible(parameters),
      requestId,
      status: 200,
      ...(resource === undefined ? {} : { resource }),
      ...(delivery.kind === "whole" ? {} : { delivery: delivery.kind }),
      faults,
    },
    busyEniIds: busyEnis(tx, requestId),
    body,
  };
}

function refused(
  tx: Transaction,
  requestId: string,
  action: string,
  parameters: WireParameters,
  caller: string | undefined,
  error: ApiError,
  faults: readonly string[],
  effects: readonly FaultEffect[] = [],
): CallResult {
  const { code, status, message, accessDeniedDetail } = error;
  const operation = operations.get(action);
  const product = operation?.product ?? "Ecs";
  const body = {
    RequestId: requestId,
    HostId: `${products[product].host}.${tx.state.settings.regionId}.aliyuncs.com`,
    Code: code,
    Message: message,
    Recommend: `https://api.aliyun.com/troubleshoot?q=${code}&product=${product}`,
    ...(accessDeniedDetail === undefined ? {} : { AccessDeniedDetail: accessDeniedDetail }),
  };
  const delivery = deliveryOf(effects);
  return {
    answer: {
      requestId,
      status,
      headers: jsonHeaders(requestId),
      body: JSON.stringify(body),
      delivery,
      delayMs: operation === undefined ? 0 : delayOf(tx, operation, effects),
    },
    record: { action, ...(caller === undefined ? {} : { caller }), parameters, requestId, status, code, message, faults },
    busyEniIds: [],
    error,
  };
}

function deliveryOf(effects: readonly FaultEffect[]): Delivery {
  if (effects.some((effect) => effect.type === "truncate")) return { kind: "truncate" };
  const stall = effects.find((effect) => effect.type === "stall");
  return stall === undefined ? { kind: "whole" } : { kind: "stall", ms: stall.ms };
}

function delayOf(tx: Transaction, operation: Operation, effects: readonly FaultEffect[]): number {
  const extra = effects.reduce((sum, effect) => (effect.type === "delay" ? sum + effect.ms : sum), 0);
  return drawDelay(tx.random, tx.state.settings.delays[operation.delay]) + extra;
}

function jsonHeaders(requestId: string): Record<string, string> {
  return {
    "content-type": "application/json;charset=utf-8",
    "x-acs-request-id": requestId,
    "x-acs-trace-id": requestId.replaceAll("-", "").toLowerCase(),
  };
}

/** Request ids are upper-case UUIDs. */
function newRequestId(tx: Transaction): string {
  return tx.random.uuid().toUpperCase();
}

function busyEnis(tx: Transaction, callId: string): string[] {
  const ids = new Set(tx.changes.flatMap((change) => (change.table === "enis" ? [change.id] : [])));
  return [...ids].filter((id) => tx.eni(id)?.busy === callId);
}

/** The call is over for this ENI: others may come, and what it took away is free. */
export function releaseBusy(tx: Transaction, eniId: string): void {
  const eni = tx.eni(eniId);
  if (eni !== undefined) tx.putEni({ ...withoutBusy(eni), releasing: [] });
}

const hidden = new Set([
  "Signature",
  "SignatureNonce",
  "SecurityToken",
  "SignatureMethod",
  "SignatureVersion",
  "Timestamp",
  "AccessKeyId",
  "Format",
  "Action",
  "Version",
]);

/** The parameters as the history shows them: no signature, no credentials. */
function visible(parameters: WireParameters): WireParameters {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !hidden.has(name)));
}
