import { type Direction, directions, type NetworkPolicy, type PolicyPod } from "./objects.ts";
import { compileSet, formatEntry } from "./policy-set.ts";
import { numberOf, ruleNumberOf } from "./tables/content-number.ts";

/** One thing that a pod's policies allow. */
export interface ExplainedRule {
  /** As the kernel's counters name it. */
  readonly rule: number;
  /** In words: the peer and the ports. */
  readonly text: string;
  /** Policies of the pod's namespace that say it. */
  readonly policies: readonly string[];
}

/** What judges one direction of a pod. */
export interface ExplainedSet {
  /** As the kernel's tables number it. */
  readonly set: string;
  /** Policies that isolate the pod in this direction, also those that allow nothing. */
  readonly policies: readonly string[];
  readonly rules: readonly ExplainedRule[];
}

/** Which policies stand behind the sets of a pod that they select; a direction of which none speaks is absent. */
export function explain(policies: readonly NetworkPolicy[], ports: PolicyPod["ports"]): Partial<Record<Direction, ExplainedSet>> {
  const explained: Partial<Record<Direction, ExplainedSet>> = {};
  for (const direction of directions) {
    const speaking = policies.filter((policy) => policy[direction] !== undefined).toSorted((a, b) => (a.name < b.name ? -1 : 1));
    const whole = compileSet(direction, speaking, ports);
    if (whole === undefined) continue;
    const authors = new Map<string, string[]>();
    for (const policy of speaking) {
      for (const entry of compileSet(direction, [policy], ports)?.entries ?? []) {
        const text = formatEntry(entry);
        authors.set(text, [...(authors.get(text) ?? []), policy.name]);
      }
    }
    explained[direction] = {
      set: numberOf(whole.id),
      policies: speaking.map(({ name }) => name),
      rules: whole.entries.map((entry) => {
        const text = formatEntry(entry);
        return { rule: ruleNumberOf(text), text, policies: authors.get(text) ?? [] };
      }),
    };
  }
  return explained;
}
