import type { WireParameters } from "../parameters.ts";
import type { Transaction } from "../transaction.ts";
import type { FaultEffect } from "./effect.ts";
import type { FaultMatch, FaultRule } from "./rule.ts";

export interface FaultSubject {
  readonly action: string;
  readonly accessKeyId?: string;
  readonly instanceId?: string;
  readonly path?: string;
  readonly parameters: WireParameters;
}

export interface Strike {
  readonly ids: readonly string[];
  readonly effects: readonly FaultEffect[];
}

/** The rules that strike this call, in the order they were set. Counts every match, so it is to be asked once a call. */
export function strike(
  tx: Transaction,
  subject: FaultSubject,
): { readonly ids: readonly string[]; readonly effects: readonly FaultEffect[] } {
  const ids: string[] = [];
  const effects: FaultEffect[] = [];
  for (const rule of tx.state.table("faults").values()) {
    if (!concerns(tx, rule.match, subject)) continue;
    const strikes = decides(tx, rule);
    tx.put("faults", rule.id, { ...rule, seen: rule.seen + 1, struck: rule.struck + (strikes ? 1 : 0) });
    if (!strikes) continue;
    ids.push(rule.id);
    effects.push(rule.effect);
  }
  return { ids, effects };
}

function decides(tx: Transaction, { match, seen, struck }: FaultRule): boolean {
  if (seen < (match.skip ?? 0)) return false;
  if (match.times !== undefined && struck >= match.times) return false;
  return match.probability === undefined || tx.random.next() < match.probability;
}

function concerns(tx: Transaction, match: FaultMatch, { action, accessKeyId, instanceId, path, parameters }: FaultSubject): boolean {
  const eniId = parameters.NetworkInterfaceId ?? parameters["NetworkInterfaceId.1"];
  const eni = eniId === undefined ? undefined : tx.eni(eniId);
  const same = (wanted: string | undefined, ...values: (string | undefined)[]) => wanted === undefined || values.includes(wanted);
  return (
    named(match.action, action) &&
    same(match.accessKeyId, accessKeyId) &&
    same(match.instanceId, instanceId, parameters.InstanceId, eni?.instanceId) &&
    same(match.eniId, eniId) &&
    same(match.vSwitchId, parameters.VSwitchId, eni?.vSwitchId) &&
    (match.path === undefined || (path ?? "").includes(match.path)) &&
    (match.fromMs === undefined || tx.nowMs >= match.fromMs) &&
    (match.untilMs === undefined || tx.nowMs < match.untilMs)
  );
}

/** Without a name: every API call, but no metadata request. */
function named(wanted: string | readonly string[] | undefined, action: string): boolean {
  if (wanted === undefined) return action !== "metadata";
  const patterns = typeof wanted === "string" ? [wanted] : wanted;
  return patterns.some((pattern) => (pattern.endsWith("*") ? action.startsWith(pattern.slice(0, -1)) : pattern === action));
}
