import { type KubeClient, strategicMergePatch } from "@terway/kube";
import type { Clock, NodeCondition, PoolView } from "@terway/model";
import { nodes } from "../cluster/kinds.ts";
import type { Logger } from "../log.ts";
import type { OwnNode } from "../own-node.ts";

/** How often the pool is looked at, and a condition that stays as it is told again, so that people see that somebody still looks. */
const lookMs = 2_000;
const heartbeatMs = 300_000;

export type WantedCondition = Pick<NodeCondition, "type" | "reason" | "message"> & { readonly status: "True" | "False" };

/** What is to be said of the node's network. `published`: the runtime has its conflist. Pure. */
export function nodeConditions(
  view: Pick<PoolView, "free" | "problems">,
  published: boolean,
  policy?: Omit<WantedCondition, "type">,
  degraded?: WantedCondition,
): WantedCondition[] {
  const lack = view.free > 0 ? undefined : view.problems.find(({ class: kind }) => kind === "exhausted" || kind === "quota");
  const sufficient: WantedCondition =
    lack === undefined
      ? { type: "SufficientIP", status: "True", reason: "SufficientIP", message: "addresses can be had for new pods" }
      : { type: "SufficientIP", status: "False", reason: "InsufficientIP", message: lack.message };
  const available: WantedCondition = {
    type: "NetworkUnavailable",
    status: "False",
    reason: "TerwayIsUp",
    message: "terwayd serves pods on this node",
  };
  const enforced = policy === undefined ? [] : [{ type: "NetworkPolicyEnforced", ...policy }];
  const more = [...enforced, ...(degraded === undefined ? [] : [degraded])];
  return published ? [sufficient, available, ...more] : [sufficient, ...more];
}

/** Those that differ from what was said last, or were said too long ago. A transition time changes with the status only. Pure. */
export function dueConditions(wanted: readonly WantedCondition[], said: readonly NodeCondition[], nowMs: number): NodeCondition[] {
  const now = new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
  return wanted.flatMap((one) => {
    const before = said.find(({ type }) => type === one.type);
    const same = before?.status === one.status && before.reason === one.reason && before.message === one.message;
    // A condition that others read as a mark, not as a pulse, is left alone when it is right.
    const fresh = one.type === "NetworkUnavailable" || nowMs - Date.parse(before?.lastHeartbeatTime ?? "") < heartbeatMs;
    if (same && fresh) return [];
    const since = before?.status === one.status ? (before.lastTransitionTime ?? now) : now;
    return [{ ...one, lastHeartbeatTime: now, lastTransitionTime: since }];
  });
}

export interface ConditionsParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  /** While its object is not known, there is nothing to write to. */
  readonly ownNode: OwnNode;
  readonly wanted: () => readonly WantedCondition[];
  readonly signal: AbortSignal;
}

/** Keeps the node's conditions true. */
export async function keepConditions(parts: ConditionsParts): Promise<void> {
  const { client, clock, log, ownNode, signal } = parts;
  const said = new Map<string, NodeCondition>();
  let uid = "";
  let trouble = "";
  while (!signal.aborted) {
    const { object } = ownNode;
    // Deleted and made again: nothing has been said of this one.
    if (object !== undefined && object.metadata.uid !== uid) said.clear();
    uid = object?.metadata.uid ?? uid;
    const present = object && (object.status?.conditions ?? []);
    // What we have written may not have come back by the watch yet; what others made of it counts once it has.
    const known = present?.map((one) => newest(one, said.get(one.type)));
    const due = known === undefined ? [] : dueConditions(parts.wanted(), [...known, ...missing(known, said)], clock.wallMs());
    if (due.length > 0) {
      try {
        const ref = { resource: nodes.resource, name: ownNode.name, subresource: "status" };
        await strategicMergePatch(client, ref, { status: { conditions: due } }, "terwayd");
        for (const one of due) said.set(one.type, one);
        trouble = "";
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (message !== trouble) log.warn(`the node's conditions cannot be written: ${message}`);
        trouble = message;
      }
    }
    await clock.sleep(lookMs, signal).catch(() => {});
  }
}

const newest = (one: NodeCondition, ours: NodeCondition | undefined) =>
  ours !== undefined && (ours.lastHeartbeatTime ?? "") > (one.lastHeartbeatTime ?? "") ? ours : one;

const missing = (known: readonly NodeCondition[], said: ReadonlyMap<string, NodeCondition>) =>
  [...said.values()].filter(({ type }) => !known.some((one) => one.type === type));
