import { type Answer, errorAnswer, proxyAnswer, resetAnswer, successAnswer } from "./answer.ts";
import { ApiError, apiError, isApiErrorCode } from "./api-error.ts";
import { distort } from "./fault/distort.ts";
import type { FaultEffect } from "./fault/effect.ts";
import { type Strike, strike } from "./fault/strike.ts";
import type { HttpRequest } from "./http-request.ts";
import { operations, products } from "./operation/index.ts";
import type { Body, Operation } from "./operation/operation.ts";
import type { WireParameters } from "./parameters.ts";
import { accessDenied, authorize } from "./policy.ts";
import type { AccessKey } from "./records.ts";
import { busyEnis, releaseBusy, runOperation } from "./run-operation.ts";
import { authenticate } from "./signature/authenticate.ts";
import { readEnvelope } from "./signature/envelope.ts";
import { throttle } from "./throttle.ts";
import type { Transaction } from "./transaction.ts";
import type { PastStates } from "./view.ts";

export interface CallResult {
  readonly requestId: string;
  readonly action: string;
  readonly caller?: string;
  /** As the history shows them. */
  readonly parameters: WireParameters;
  readonly answer: Answer;
  /** ENIs that stay busy until the answer goes out. */
  readonly busyEniIds: readonly string[];
  readonly faults: readonly string[];
  /** What a fault did to the answer's way. */
  readonly delivery?: string;
  /** The body of a success, for callers inside the process. */
  readonly body?: Body;
  readonly error?: ApiError;
}

/** What is known of a call while it is handled. */
interface Handling {
  readonly tx: Transaction;
  readonly requestId: string;
  action: string;
  caller?: string;
  parameters: WireParameters;
  struck: Strike;
  /** Where to go back to when the operation refuses: throttle windows, nonces and fault counters stand before it and stay. */
  place?: ReturnType<Transaction["savepoint"]>;
}

/** A signed request, in the order of the real gateway: api, key, date, token, signature, nonce, throttling, permission, operation. */
export function handleHttp(tx: Transaction, past: PastStates, request: HttpRequest): CallResult {
  return handle(tx, (handling) => {
    if (request.method !== "POST" && request.method !== "GET") throw apiError("UnsupportedHTTPMethod", { method: request.method });
    const envelope = readEnvelope(request);
    handling.action = envelope.action;
    handling.parameters = envelope.parameters;
    if (envelope.accessKeyId !== undefined) handling.caller = envelope.accessKeyId;
    const operation = findOperation(envelope.action, envelope.version);
    const caller = authenticate(tx, request, envelope);
    return authenticated(handling, past, operation, caller);
  });
}

/** A call of a second actor inside the process: no signature, no policy, no throttling, no faults. */
export function handleTrusted(tx: Transaction, past: PastStates, action: string, parameters: WireParameters): CallResult {
  return handle(tx, (handling) => {
    handling.action = action;
    handling.parameters = parameters;
    const operation = operations.get(action);
    if (operation === undefined) throw apiError("InvalidAction.NotFound");
    handling.place = tx.savepoint();
    return accepted(handling, runOperation(tx, past, handling.requestId, operation, parameters));
  });
}

function handle(tx: Transaction, work: (handling: Handling) => CallResult): CallResult {
  // Request ids are upper-case UUIDs.
  const handling: Handling = {
    tx,
    requestId: tx.random.uuid().toUpperCase(),
    action: "",
    parameters: {},
    struck: { ids: [], effects: [] },
  };
  try {
    return work(handling);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (handling.place !== undefined) tx.rollback(handling.place);
    return refused(handling, error);
  }
}

function findOperation(action: string, version: string): Operation {
  const operation = operations.get(action);
  if (operation !== undefined && products[operation.product].version === version) return operation;
  const knownVersion = Object.values(products).some((product) => product.version === version);
  throw apiError(operation === undefined || knownVersion ? "InvalidAction.NotFound" : "InvalidVersion");
}

function authenticated(handling: Handling, past: PastStates, operation: Operation, caller: AccessKey): CallResult {
  const { tx, requestId, parameters } = handling;
  const { action } = operation;
  throttle(tx, action);
  permit(tx, operation, parameters, caller);
  handling.struck = strike(tx, { action, accessKeyId: caller.id, parameters });
  handling.place = tx.savepoint();
  const { effects } = handling.struck;
  const early = failure(effects, "before");
  if (early !== undefined) return broken(handling, early);
  checkRegion(tx, operation, parameters);
  let body = runOperation(tx, past, requestId, operation, parameters, effects);
  if (effects.some((effect) => effect.type === "duplicate")) {
    for (const id of busyEnis(tx, requestId)) releaseBusy(tx, id);
    handling.place = tx.savepoint();
    body = runOperation(tx, past, requestId, operation, parameters, effects);
  }
  const late = failure(effects, "after");
  return late === undefined ? accepted(handling, distort(action, body, effects)) : broken(handling, late);
}

function permit(tx: Transaction, operation: Operation, parameters: WireParameters, caller: AccessKey): void {
  const { accountId, regionId } = tx.state.settings;
  const { policy } = products[operation.product];
  const arn = (resource: string) => (resource === "*" ? "*" : `acs:${policy}:${regionId}:${accountId}:${resource}`);
  authorize(caller, accountId, `${policy}:${operation.action}`, operation.resources(parameters).map(arn));
}

function checkRegion(tx: Transaction, operation: Operation, { RegionId: given = "", VpcId: vpcId = "" }: WireParameters): void {
  const { lenientRegion, regionId } = tx.state.settings;
  if (lenientRegion) return;
  const needed = operation.regionRequired || (operation.action === "DescribeVSwitches" && vpcId === "");
  if (needed && given === "") throw apiError("MissingParameter", { name: "RegionId" });
  if (given !== "" && given !== regionId) throw apiError("InvalidRegionId.NotFound");
}

type Failure = Extract<FaultEffect, { type: "error" | "reset" | "html" }>;

/** The first fault that takes the place of the answer at this moment. */
function failure(effects: readonly FaultEffect[], when: "before" | "after"): Failure | undefined {
  return effects.find(
    (effect): effect is Failure => (effect.type === "error" || effect.type === "reset" || effect.type === "html") && effect.when === when,
  );
}

function broken(handling: Handling, fault: Failure): CallResult {
  const { tx, requestId, action, struck } = handling;
  const delivery = `${fault.type} ${fault.when} effect`;
  // What the operation did stays, and so does its claim on the ENI until the answer would go out.
  const busyEniIds = busyEnis(tx, requestId);
  if (fault.type === "error") {
    const result = refused(handling, injectedError(handling, fault));
    const headers = fault.retryAfterMs === undefined ? {} : { "x-acs-retry-after": String(fault.retryAfterMs) };
    return { ...result, answer: { ...result.answer, headers: { ...result.answer.headers, ...headers } }, delivery, busyEniIds };
  }
  const answer =
    fault.type === "reset"
      ? resetAnswer(tx, requestId, action, struck.effects)
      : proxyAnswer(tx, requestId, action, fault.status, struck.effects);
  const code = fault.type === "reset" ? "ConnectionReset" : "HtmlPage";
  return { ...summary(handling), answer, busyEniIds, delivery, error: new ApiError(code, answer.status, delivery) };
}

function injectedError({ tx, caller, action, parameters }: Handling, fault: Extract<Failure, { type: "error" }>): ApiError {
  if (fault.code === "Forbidden.RAM" && fault.message === undefined) {
    const principal = tx.state.table("accessKeys").get(caller ?? "")?.principal ?? { type: "SubUser", name: "" };
    const prefix = products[operations.get(action)?.product ?? "Ecs"].policy;
    return accessDenied(principal, tx.state.settings.accountId, `${prefix}:${action}`, "ImplicitDeny");
  }
  const id = parameters.VSwitchId ?? tx.eni(parameters.NetworkInterfaceId ?? "")?.vSwitchId ?? "";
  const known = isApiErrorCode(fault.code) ? apiError(fault.code, { id }) : undefined;
  return new ApiError(fault.code, fault.status ?? known?.status ?? 400, fault.message ?? known?.message ?? "Injected fault.");
}

function accepted(handling: Handling, content: Body): CallResult {
  const { tx, requestId, action, struck } = handling;
  const answer = successAnswer(tx, requestId, action, content, struck.effects);
  const { kind } = answer.delivery;
  const result = { ...summary(handling), answer, busyEniIds: busyEnis(tx, requestId), body: { ...content, RequestId: requestId } };
  return kind === "whole" ? result : { ...result, delivery: kind };
}

function refused(handling: Handling, error: ApiError): CallResult {
  const { tx, requestId, action, struck } = handling;
  return { ...summary(handling), answer: errorAnswer(tx, requestId, action, error, struck.effects), busyEniIds: [], error };
}

function summary({ requestId, action, caller, parameters, struck }: Handling) {
  const shown = Object.fromEntries(Object.entries(parameters).filter(([name]) => !hidden.has(name)));
  return { requestId, action, ...(caller === undefined ? {} : { caller }), parameters: shown, faults: struck.ids };
}

/** Of no interest to a reader of the history, or secret. */
const hidden = new Set([
  "AccessKeyId",
  "Action",
  "Format",
  "SecurityToken",
  "Signature",
  "SignatureMethod",
  "SignatureNonce",
  "SignatureVersion",
  "Timestamp",
  "Version",
]);
