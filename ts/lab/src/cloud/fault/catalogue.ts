import type { FaultEffect } from "./effect.ts";
import type { FaultMatch } from "./rule.ts";

export interface FaultTemplate {
  readonly match: FaultMatch;
  readonly effect: FaultEffect;
}

/** How a numbered fault is brought about. */
export type CatalogueEntry =
  | { readonly number: string; readonly name: string; readonly how: "rule"; readonly rules: (value?: number) => readonly FaultTemplate[] }
  /** By a command of the control port or a call of a second actor. */
  | { readonly number: string; readonly name: string; readonly how: "command"; readonly by: string }
  | { readonly number: string; readonly name: string; readonly how: "not applicable"; readonly reason: string };

const mutations = [
  "CreateNetworkInterface",
  "AttachNetworkInterface",
  "DetachNetworkInterface",
  "DeleteNetworkInterface",
  "Assign*",
  "Unassign*",
];
const assigns = ["AssignPrivateIpAddresses", "AssignIpv6Addresses"];
const taking = ["CreateNetworkInterface", ...assigns];
const describe = "DescribeNetworkInterfaces";

function rule(
  number: string,
  name: string,
  action: string | readonly string[] | undefined,
  effect: FaultEffect,
  more: FaultMatch = {},
): CatalogueEntry {
  const match: FaultMatch = { ...(action === undefined ? {} : { action: typeof action === "string" ? action : [...action] }), ...more };
  return { number, name, how: "rule", rules: (value) => [{ match, effect: withValue(effect, value) }] };
}

function command(number: string, name: string, by: string): CatalogueEntry {
  return { number, name, how: "command", by };
}

function notApplicable(number: string, name: string, reason: string): CatalogueEntry {
  return { number, name, how: "not applicable", reason };
}

function error(code: string, when: "before" | "after" = "before"): FaultEffect {
  return { type: "error", code, when };
}

/** Puts the caller's figure where the effect has one. */
function withValue(effect: FaultEffect, value: number | undefined): FaultEffect {
  if (value === undefined) return effect;
  switch (effect.type) {
    case "delay":
    case "stall":
    case "slow-transition":
      return { ...effect, ms: value };
    case "stale":
      return { ...effect, lagMs: value };
    case "partial":
      return { ...effect, count: value };
    case "html":
    case "metadata-error":
      return { ...effect, status: value };
    default:
      return effect;
  }
}

/** The fault catalogue, F01 to F56, with the calls that each strikes by default. */
export const faultCatalogue: readonly CatalogueEntry[] = [
  rule("F01", "create-answer-lost", "CreateNetworkInterface", { type: "reset", when: "after" }, { times: 1 }),
  notApplicable("F02", "client-crash-before-save", "the client's own crash; kill it while F01 or F26 holds the answer back"),
  rule("F03", "create-empty-id", "CreateNetworkInterface", { type: "omit-field", field: "NetworkInterfaceId" }, { times: 1 }),
  rule("F04", "vswitch-exhausted", taking, error("InvalidVSwitchId.IpNotEnough")),
  rule("F05", "vswitch-exhausted-as-quota", taking, error("QuotaExceeded.PrivateIpAddress")),
  rule("F06", "all-vswitches-exhausted", taking, error("InvalidVSwitchId.IpNotEnough")),
  command("F07", "stale-free-count", "setVSwitch {id, reportedFree}, then F04 or true exhaustion"),
  rule("F08", "prefix-fragmented", taking, error("InvalidVSwitchId.IpPrefixNotEnough")),
  notApplicable("F09", "cidr-reservation-exhausted", "CIDR reservations (CreateVSwitchCidrReservation) are not simulated"),
  rule("F10", "instance-eni-limit", "AttachNetworkInterface", error("EniPerInstanceLimitExceeded")),
  rule("F11", "attach-stuck", "AttachNetworkInterface", { type: "stuck" }),
  rule("F12", "attach-falls-back", "AttachNetworkInterface", { type: "attach-fails" }, { times: 1 }),
  rule("F13", "detach-stuck", "DetachNetworkInterface", { type: "stuck" }, { times: 1 }),
  rule("F14", "delete-stuck", "DeleteNetworkInterface", { type: "stuck" }, { times: 1 }),
  command("F15", "eni-vanishes", "vanishEni {id}"),
  command("F16", "address-unassigned-by-another", "call UnassignPrivateIpAddresses or UnassignIpv6Addresses as the second actor"),
  command("F17", "address-assigned-by-another", "call AssignPrivateIpAddresses or AssignIpv6Addresses as the second actor"),
  command("F18", "foreign-eni-attached", "call CreateNetworkInterface and AttachNetworkInterface as the second actor"),
  rule("F19", "throttled", undefined, error("Throttling.User")),
  command("F20", "throttle-storm", "setSettings {throttle: {limits or backgroundCalls}} and many clients"),
  rule("F21", "assign-conflict", assigns, error("Operation.Conflict"), { times: 1 }),
  rule("F22", "internal-error-after-effect", mutations, error("InternalError", "after"), { times: 1 }),
  rule("F23", "region-outage", undefined, error("ServiceUnavailable")),
  rule("F24", "html-from-proxy", undefined, { type: "html", status: 502, when: "before" }),
  rule("F25", "truncated-json", undefined, { type: "truncate" }),
  rule("F26", "late-answer", mutations, { type: "delay", ms: 30_000 }),
  rule("F27", "body-stalls", undefined, { type: "stall", ms: 30_000 }),
  rule("F28", "connection-refused", undefined, { type: "refuse" }),
  rule("F29", "ram-denied", "AssignPrivateIpAddresses", error("Forbidden.RAM")),
  rule("F30", "sts-token-expired", undefined, error("InvalidSecurityToken.Expired"), { times: 1 }),
  rule("F31", "credentials-unavailable", "metadata", { type: "metadata-error", status: 503 }, { path: "ram/security-credentials" }),
  rule("F32", "clock-skew", undefined, error("InvalidTimeStamp.Expired")),
  rule("F33", "describe-lags", describe, { type: "stale", lagMs: 10_000 }),
  rule("F34", "describe-misses-new-eni", describe, { type: "hide", statuses: ["Attaching", "InUse"] }, { times: 1 }),
  rule("F35", "page-skips-entry", describe, { type: "page", fault: "skip-first" }, { times: 1 }),
  rule("F35b", "page-repeats-entry", describe, { type: "page", fault: "repeat-first" }),
  rule("F36", "metadata-misses-eni", "metadata", { type: "metadata-hide" }),
  rule("F37", "metadata-fails", "metadata", { type: "metadata-error", status: 429 }, { times: 1 }),
  rule("F38", "assign-partial", assigns, { type: "partial", count: 6 }),
  rule("F39", "assign-answers-used-address", assigns, { type: "answer-used-address" }, { times: 1 }),
  notApplicable("F40", "unassign-race", "a matter of the client's order; the invariant is checked on the client's side"),
  rule("F41", "already-unassigned", "Unassign*", error("InvalidIp.IpUnassigned"), { times: 1 }),
  rule("F42", "security-group-full", taking, error("SecurityGroupInstanceLimitExceed")),
  command("F43", "security-groups-changed", "call ModifyNetworkInterfaceAttribute as the second actor"),
  command("F44", "instance-changes-under-attach", "setInstance {id, status} or releaseInstance {id}"),
  command("F45", "instance-resized", "setInstance {id, type}"),
  rule("F46", "duplicate-execution", mutations, { type: "duplicate" }, { times: 1 }),
  rule("F47", "token-mismatch", taking, error("IdempotentParameterMismatch"), { times: 1 }),
  command("F48", "vlan-reused-at-once", "setSettings {vlanRestMs: 0}"),
  command("F49", "trunk-vanishes", "vanishEni {id of the trunk}"),
  notApplicable("F50", "eflo-business-code", "LingJun (EFLO) operations are not simulated"),
  notApplicable("F51", "eflo-address-never-appears", "LingJun (EFLO) operations are not simulated"),
  rule("F52", "odd-shapes", "Describe*", { type: "odd-shapes" }),
  rule("F53", "empty-describe", describe, { type: "empty-list" }, { times: 1 }),
  rule("F54", "slow-api", undefined, { type: "delay", ms: 5000 }),
  rule("F55", "ipv6-assign-fails", "AssignIpv6Addresses", error("InternalError"), { times: 1 }),
  notApplicable("F56", "two-controllers", "run two clients; the invariant is theirs"),
];

/** The rules of a fault, by number or name; undefined when there is none that a rule brings about. */
export function catalogue(fault: string, value?: number): readonly FaultTemplate[] | undefined {
  const entry = faultCatalogue.find(({ number, name }) => number.toLowerCase() === fault.toLowerCase() || name === fault);
  return entry?.how === "rule" ? entry.rules(value) : undefined;
}

export function catalogueNumbers(): string[] {
  return faultCatalogue.filter(({ how }) => how === "rule").map(({ number, name }) => `${number} ${name}`);
}
