import type { Lease, NodeRuntime } from "@terway/model";

/** A pod as far as addresses are concerned. */
export interface AddressPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Addresses that the kubelet reports, one of each family at most. */
  readonly ipv4?: string;
  readonly ipv6?: string;
}

type RuntimePods = NonNullable<NodeRuntime["status"]>["pods"];

export interface Demand {
  /** Pods without an address, or with another one than theirs. */
  readonly wanting: readonly AddressPod[];
  /**
   * Leases that may go: their pod is gone and its sandbox too, or it runs with another address, or the cloud has taken the address away before the pod ever
   * had a network, and the node says that no sandbox holds it. A pod that runs keeps its address also without the cloud.
   */
  readonly ending: readonly Lease[];
}

/** What pods want against what they hold; `isLost`: the cloud has taken away what the lease is about. Pure. */
export function demandOf(
  pods: readonly AddressPod[],
  leases: readonly Lease[],
  runtime: RuntimePods,
  isLost: (lease: Lease) => boolean = () => false,
): Demand {
  const byUid = new Map(pods.map((pod) => [pod.uid, pod]));
  const holding = new Set<string>();
  const ending: Lease[] = [];
  for (const lease of leases) {
    const { podUid } = lease.sandbox;
    const pod = podUid === undefined ? pods.find((one) => isNamed(one, lease)) : byUid.get(podUid);
    if (pod === undefined) {
      if (isTornDown(runtime?.[podUid ?? ""])) ending.push(lease);
      continue;
    }
    // Upstream's older objects name no uid: the lease is the pod's, and gets its uid by being made anew.
    const isUseless = () => addressesOf(pod).length === 0 && isTornDown(runtime?.[pod.uid]) && isLost(lease);
    if (podUid === undefined || isElsewhere(pod, lease) || isUseless()) ending.push(lease);
    else holding.add(pod.uid);
  }
  // Where two pods claim one address, the one that runs with it has it; the other has not begun to use it.
  const taken = new Set(pods.flatMap((pod) => (holding.has(pod.uid) ? [] : addressesOf(pod))));
  for (const lease of leases) {
    const pod = byUid.get(lease.sandbox.podUid ?? "");
    const isClaimed = [lease.ipv4?.address, lease.ipv6?.address].some((address) => address !== undefined && taken.has(address));
    if (!pod || !isClaimed || !holding.has(pod.uid) || addressesOf(pod).length > 0) continue;
    ending.push(lease);
    holding.delete(pod.uid);
  }
  return { wanting: pods.filter(({ uid }) => !holding.has(uid)), ending };
}

export function addressesOf({ ipv4, ipv6 }: AddressPod): string[] {
  return [ipv4, ipv6].filter((address) => address !== undefined);
}

/**
 * Whether the node's CNI has confirmed that nothing of the pod is left there: the newest word on it is `deleted`. No word means that it may still run: an
 * API server that has forgotten a pod says nothing of its sandbox.
 */
export function isTornDown(pod: NonNullable<RuntimePods>[string] | undefined): boolean {
  const timeOf = (name: string) => Date.parse(pod?.status?.[name]?.lastUpdateTime ?? "");
  const [initial, deleted] = [timeOf("initial"), timeOf("deleted")];
  return !Number.isNaN(deleted) && (Number.isNaN(initial) || deleted >= initial);
}

const isNamed = (pod: AddressPod, { sandbox }: Lease) => pod.namespace === sandbox.podNamespace && pod.name === sandbox.podName;

/** The pod runs, with other addresses than the lease's. */
function isElsewhere(pod: AddressPod, lease: Lease): boolean {
  const differs = (own: string | undefined, held: string | undefined) => own !== undefined && held !== undefined && own !== held;
  return differs(pod.ipv4, lease.ipv4?.address) || differs(pod.ipv6, lease.ipv6?.address);
}
