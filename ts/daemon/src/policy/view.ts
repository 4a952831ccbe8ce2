import { noSet, type PolicyCounts, type PolicyJudged, type PolicyRecord, type PolicyView } from "@terway/model";
import { type ExplainedSet, explain, type NetworkPolicy, type PolicyPod } from "@terway/policy";

/** What is known of one pod of this node. */
export interface ViewedPod {
  readonly pod: string;
  readonly endpoint: number;
  readonly addresses: readonly string[];
  /** What the kernel has. */
  readonly record: PolicyRecord | undefined;
  readonly selecting: { readonly policies: readonly NetworkPolicy[]; readonly ports: PolicyPod["ports"] } | undefined;
}

const none = { packets: 0, bytes: 0 };

/** Sets, rules and counters of one pod, told by the names of its policies. Pure. */
export function viewPod(
  { pod, endpoint, addresses, record, selecting }: ViewedPod,
  verdicts: PolicyCounts["verdicts"],
): PolicyView["pods"][number] {
  const explained = selecting === undefined ? {} : explain(selecting.policies, selecting.ports);
  const own = verdicts.filter((verdict) => verdict.endpoint === endpoint);
  const judged = (["ingress", "egress"] as const).map((direction): PolicyJudged => {
    const set = explained[direction];
    return {
      direction,
      ...ofSet(set),
      ...counted(
        set,
        own.filter((one) => one.direction === direction),
      ),
      pending: isPending(record?.[direction], set),
    };
  });
  return { pod, endpoint, addresses: [...addresses], state: record?.state ?? "none", judged };
}

function ofSet(set: ExplainedSet | undefined): Pick<PolicyJudged, "set" | "policies"> {
  return set === undefined ? { policies: [] } : { set: set.set, policies: [...set.policies] };
}

function counted(set: ExplainedSet | undefined, verdicts: PolicyCounts["verdicts"]): Pick<PolicyJudged, "rules" | "denied" | "former"> {
  const rules = set?.rules ?? [];
  const known = new Set(rules.map(({ rule }) => rule));
  const former = verdicts.filter(({ rule }) => rule !== 0 && !known.has(rule));
  const countOf = (number: number) => sum(verdicts.filter(({ rule }) => rule === number));
  return {
    rules: rules.map(({ rule, text, policies }) => ({ rule, text, policies: [...policies], ...countOf(rule) })),
    denied: countOf(0),
    former: sum(former),
  };
}

function sum(counts: PolicyCounts["verdicts"]): typeof none {
  return counts.reduce((all, { packets, bytes }) => ({ packets: all.packets + packets, bytes: all.bytes + bytes }), none);
}

/** The kernel judges by something else than the policies that are known now. */
function isPending(inForce: string | undefined, set: ExplainedSet | undefined): boolean {
  return inForce !== undefined && inForce !== (set?.set ?? noSet);
}
