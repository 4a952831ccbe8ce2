import type { ApiCluster } from "../../ts/policy/src/testing/api.ts";
import { isAllowed } from "../../ts/policy/src/testing/evaluator.ts";
import { familyOf, type Protocol, podKey } from "./scene.ts";

/** Who sends or serves: a pod by its key, or a machine. */
export type Party =
  | { readonly kind: "pod"; readonly key: string; readonly node: string }
  | { readonly kind: "node"; readonly key: string; readonly addresses: readonly string[] }
  | { readonly kind: "outside"; readonly key: string; readonly addresses: readonly string[] };

/**
 * What the API says of a first packet. A pod to itself passes, and so does a pod's own node, which the API leaves out of NetworkPolicy; any other
 * machine is an address like others.
 */
export function isExpected(cluster: ApiCluster, from: Party, to: Party, address: string, protocol: Protocol, port: number): boolean {
  if (from.key === to.key) return true;
  if (from.kind === "node" && to.kind === "pod" && to.node === from.key) return true;
  const [source, destination] = [from, to].map((party) => cluster.pods.find((pod) => podKey(pod) === party.key));
  const own = addressesOf(cluster, from).find((one) => familyOf(one) === familyOf(address)) ?? "";
  const end = (pod: typeof source, at: string) => ({ address: at, ...(pod === undefined ? {} : { pod }) });
  return (
    (source === undefined || isAllowed(cluster, "egress", source, end(destination, address), protocol, port)) &&
    (destination === undefined || isAllowed(cluster, "ingress", destination, end(source, own), protocol, port))
  );
}

/** Of both families, where it has them. */
export function addressesOf(cluster: ApiCluster, party: Party): readonly string[] {
  return party.kind === "pod" ? (cluster.pods.find((pod) => podKey(pod) === party.key)?.addresses ?? []) : party.addresses;
}
