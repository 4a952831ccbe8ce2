import type { CallResult } from "./call.ts";
import type { HistoryEntry } from "./history.ts";
import type { MetadataAnswer, MetadataRequest } from "./metadata/handle.ts";

type Entry = Omit<HistoryEntry, "sequence">;

export function callEntry(atMs: number, kind: "call" | "second-actor", call: CallResult): Entry {
  const { action, caller, parameters, requestId, faults, delivery, error, body, answer } = call;
  const made = body?.NetworkInterfaceId;
  const resource = typeof made === "string" && made !== "" ? made : parameters.NetworkInterfaceId;
  return {
    atMs,
    kind,
    action,
    ...(caller === undefined ? {} : { caller }),
    parameters,
    status: answer.status,
    ...(error === undefined ? {} : { code: error.code, message: error.message }),
    ...(resource === undefined ? {} : { resource }),
    requestId,
    faults,
    ...(delivery === undefined ? {} : { delivery }),
  };
}

export function metadataEntry(atMs: number, request: MetadataRequest, { status, instanceId, faults }: MetadataAnswer): Entry {
  const action = `${request.method} ${request.path}`;
  return { atMs, kind: "metadata", action, ...(instanceId === undefined ? {} : { caller: instanceId }), parameters: {}, status, faults };
}

export function adminEntry(atMs: number, action: string, input: unknown): Entry {
  // The command has accepted it, so it is an object.
  return { atMs, kind: "second-actor", action, parameters: { ...(input as object) }, faults: [] };
}

export function transitionEntry(atMs: number, action: string, resource: string, result: string): Entry {
  return { atMs, kind: "transition", action, parameters: {}, resource, result, faults: [] };
}

export function fabricEntry(atMs: number, failed: { readonly effect: string; readonly subject: string; readonly message: string }): Entry {
  const { effect: action, subject: resource, message } = failed;
  return { atMs, kind: "fabric", action, parameters: {}, code: "FabricFailed", message, resource, faults: [] };
}
