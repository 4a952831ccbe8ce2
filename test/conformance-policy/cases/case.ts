import type { ApiCluster, ApiLabelSelector, ApiPeer, ApiPolicy, ApiPort } from "../../../ts/policy/src/testing/api.ts";
import { podKey, type Surroundings } from "../scene.ts";

/** What happens to the cluster before everything is probed. */
export interface Step {
  readonly name: string;
  readonly change: (cluster: ApiCluster, surroundings: Surroundings) => ApiCluster;
}

/** Steps from the cluster without policies on. */
export interface Case {
  /** The row of the table that it counts in. */
  readonly group: string;
  readonly name: string;
  readonly steps: readonly Step[];
}

export type Direction = "Ingress" | "Egress";
export const directions = ["Ingress", "Egress"] as const;
export type Spec = ApiPolicy["spec"];

const target: ApiLabelSelector = { matchLabels: { pod: "a" } };

/** One rule of either direction; `undefined` leaves a field out, which is written otherwise than an empty list and means the same. */
export function ruleSpec(direction: Direction, peers: ApiPeer[] | undefined, ports: ApiPort[] | undefined, podSelector = target): Spec {
  const withPorts = ports === undefined ? {} : { ports };
  return direction === "Ingress"
    ? { podSelector, policyTypes: ["Ingress"], ingress: [{ ...withPorts, ...(peers === undefined ? {} : { from: peers }) }] }
    : { podSelector, policyTypes: ["Egress"], egress: [{ ...withPorts, ...(peers === undefined ? {} : { to: peers }) }] };
}

/** Creates the policy, or replaces the one of this name. */
export function put(spec: Spec, name = "policy", namespace = "x"): Step {
  return {
    name: `put ${namespace}/${name}`,
    change: (cluster) => withPolicy(cluster, spec, name, namespace),
  };
}

export function withPolicy(cluster: ApiCluster, spec: Spec, name = "policy", namespace = "x"): ApiCluster {
  return { ...cluster, policies: [...without(cluster, name, namespace), { metadata: { namespace, name }, spec }] };
}

export function remove(name = "policy", namespace = "x"): Step {
  return { name: `delete ${namespace}/${name}`, change: (cluster) => ({ ...cluster, policies: without(cluster, name, namespace) }) };
}

export function relabelPod(key: string, labels: Record<string, string>): Step {
  return {
    name: `relabel pod ${key}`,
    change: (cluster) => ({ ...cluster, pods: cluster.pods.map((pod) => (podKey(pod) === key ? { ...pod, labels } : pod)) }),
  };
}

export function relabelNamespace(name: string, labels: Record<string, string>): Step {
  return {
    name: `relabel namespace ${name}`,
    change: (cluster) => ({
      ...cluster,
      namespaces: cluster.namespaces.map((one) => (one.name === name ? { name, labels } : one)),
    }),
  };
}

/** Several changes at once, as one look at the cluster finds them. */
export function together(...steps: readonly Step[]): Step {
  return {
    name: steps.map(({ name }) => name).join(", "),
    change: (cluster, surroundings) => steps.reduce((now, { change }) => change(now, surroundings), cluster),
  };
}

function without(cluster: ApiCluster, name: string, namespace: string): ApiPolicy[] {
  return cluster.policies.filter(({ metadata }) => metadata.name !== name || metadata.namespace !== namespace);
}
