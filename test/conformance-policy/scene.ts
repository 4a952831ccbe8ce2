import type { ApiCluster, ApiPod } from "../../ts/policy/src/testing/api.ts";

export const protocols = ["TCP", "UDP", "SCTP"] as const;
export type Protocol = (typeof protocols)[number];
export type Family = 4 | 6;
/** What every pod, and the machine outside, serves over every protocol. */
export const servedPorts = [80, 81] as const;

export function familyOf(address: string): Family {
  return address.includes(":") ? 6 : 4;
}

const namespaceNames = ["x", "y", "z"] as const;
const podNames = ["a", "b", "c"] as const;

export const namespaces: ApiCluster["namespaces"] = namespaceNames.map((name) => ({
  name,
  labels: { "kubernetes.io/metadata.name": name, ns: name },
}));

/**
 * One name is another number on every second pod, as the API allows: a name must be looked up at the destination. `only-c` is a name that the others
 * do not have.
 */
function portsOf(name: string): ApiPod["ports"] {
  const [first, second] = name === "b" ? ([81, 80] as const) : ([80, 81] as const);
  return [
    { name: "web", protocol: "TCP", port: first },
    { name: "admin", protocol: "TCP", port: second },
    { name: "dns", protocol: "UDP", port: first },
    { name: "sig", protocol: "SCTP", port: first },
    ...(name === "c" ? [{ name: "only-c", protocol: "TCP" as const, port: 80 }] : []),
  ];
}

/** Without addresses: the nodes give them. */
export const pods: readonly Omit<ApiPod, "addresses">[] = namespaceNames.flatMap((namespace) =>
  podNames.map((name) => ({
    ...{ namespace, name, labels: { pod: name, ...(name === "c" ? {} : { tier: "inner" }) } },
    ...{ ports: portsOf(name), hostNetwork: false, finished: false },
  })),
);

/** What a case may speak of beside the cluster. */
export interface Surroundings {
  /** Addresses of a machine outside the cluster. */
  readonly outside: readonly string[];
  readonly nodes: readonly { readonly name: string; readonly addresses: readonly string[] }[];
}

export function podKey({ namespace, name }: Pick<ApiPod, "namespace" | "name">): string {
  return `${namespace}/${name}`;
}

/** Of the pod `x/a` for example. */
export function addressesOf(cluster: ApiCluster, key: string): readonly string[] {
  return cluster.pods.find((pod) => podKey(pod) === key)?.addresses ?? [];
}

/** The prefix that is this address alone. */
export function hostPrefix(address: string): string {
  return `${address}/${familyOf(address) === 6 ? 128 : 32}`;
}
