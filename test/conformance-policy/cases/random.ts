import { podKey } from "../scene.ts";
import {
  type Case,
  type Direction,
  directions,
  relabelNamespace,
  relabelPod,
  remove,
  ruleSpec,
  type Step,
  together,
  withPolicy,
} from "./case.ts";
import { peerLists } from "./peers.ts";
import { portLists } from "./ports.ts";

const stepsPerCase = 3;
const policiesPerStep = 3;
const policyNames = ["p", "q", "r"] as const;
const namespaceNames = ["x", "y", "z"] as const;
const podNames = ["a", "b", "c"] as const;
const targets = [
  {},
  { matchLabels: { pod: "a" } },
  { matchExpressions: [{ key: "pod", operator: "NotIn" as const, values: ["a"] }] },
  { matchExpressions: [{ key: "tier", operator: "Exists" as const }] },
];

/** Chance that the same seed repeats (mulberry32). */
function dice(seed: number): <T>(items: readonly [T, ...T[]]) => T {
  let state = seed;
  return (items) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return items[((mixed ^ (mixed >>> 14)) >>> 0) % items.length] ?? items[0];
  };
}

type Pick = ReturnType<typeof dice>;
const entriesOf = <T>(lists: Readonly<Record<string, T>>) => Object.entries(lists) as [[string, T], ...[string, T][]];

function somePolicy(pick: Pick): Step {
  const [namespace, name, direction] = [pick(namespaceNames), pick(policyNames), pick<Direction>(directions)];
  const [peerName, peers] = pick(entriesOf(peerLists));
  const [portName, ports] = pick(entriesOf(portLists));
  const target = pick([targets[0] ?? {}, ...targets.slice(1)]);
  return {
    name: `put ${namespace}/${name} ${JSON.stringify(target)} ${direction} ${peerName}; ${portName}`,
    change: (cluster, around) => withPolicy(cluster, ruleSpec(direction, peers(cluster, around), ports, target), name, namespace),
  };
}

function someChange(pick: Pick): Step {
  const namespace = pick(namespaceNames);
  const key = podKey({ namespace, name: pick(podNames) });
  return pick([
    () => somePolicy(pick),
    () => remove(pick(policyNames), namespace),
    () => relabelPod(key, { pod: pick(podNames), ...pick([{}, { tier: "inner" }]) }),
    () => relabelNamespace(namespace, { "kubernetes.io/metadata.name": namespace, ns: pick(namespaceNames) }),
  ])();
}

/** Several policies at random over the whole cluster, then changes of anything. */
export function randomCases(count: number, seed: number): Case[] {
  return Array.from({ length: count }, (_, index) => {
    const pick = dice(seed * 1_000_003 + index);
    const first = together(...Array.from({ length: policiesPerStep }, () => somePolicy(pick)));
    const more = Array.from({ length: stepsPerCase - 1 }, () => together(someChange(pick), someChange(pick)));
    return { group: "random", name: `seed ${seed}, ${index}`, steps: [first, ...more] };
  });
}
