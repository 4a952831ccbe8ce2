import type { ApiCluster, ApiLabelSelector, ApiPeer, ApiPod, ApiPolicy, ApiPort } from "./api.ts";

/**
 * What NetworkPolicy means, word by word from the API's own description (`networking.k8s.io/v1`), as slowly and plainly as possible. It shares no code
 * with the compiler, not even for selectors and addresses: it is what the compiler is tested against.
 */
export function isAllowed(
  cluster: ApiCluster,
  direction: "ingress" | "egress",
  pod: ApiPod,
  other: { address: string; pod?: ApiPod },
  protocol: "TCP" | "UDP" | "SCTP",
  port: number,
): boolean {
  const selecting = cluster.policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === pod.namespace && selects(spec.podSelector, pod.labels) && typesOf(spec).includes(direction),
  );
  if (selecting.length === 0) return true;
  for (const { metadata, spec } of selecting) {
    for (const rule of direction === "ingress" ? (spec.ingress ?? []) : (spec.egress ?? [])) {
      const peers = ("from" in rule ? rule.from : "to" in rule ? rule.to : undefined) ?? [];
      const ports = rule.ports ?? [];
      const destination = direction === "ingress" ? pod : other.pod;
      const portFits = ports.length === 0 || ports.some((item) => fitsPort(item, destination, protocol, port));
      const peerFits = peers.length === 0 || peers.some((item) => fitsPeer(cluster, metadata.namespace, item, other));
      if (portFits && peerFits) return true;
    }
  }
  return false;
}

function typesOf(spec: ApiPolicy["spec"]): string[] {
  if (spec.policyTypes && spec.policyTypes.length > 0) return spec.policyTypes.map((type) => type.toLowerCase());
  return spec.egress && spec.egress.length > 0 ? ["ingress", "egress"] : ["ingress"];
}

function selects(selector: ApiLabelSelector, labels: Record<string, string>): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false;
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const value = labels[key];
    if (operator === "In" && (value === undefined || !values.includes(value))) return false;
    if (operator === "NotIn" && value !== undefined && values.includes(value)) return false;
    if (operator === "Exists" && value === undefined) return false;
    if (operator === "DoesNotExist" && value !== undefined) return false;
  }
  return true;
}

function fitsPort(item: ApiPort, destination: ApiPod | undefined, protocol: string, port: number): boolean {
  if ((item.protocol ?? "TCP") !== protocol) return false;
  if (item.port === undefined) return true;
  if (typeof item.port === "number") return port >= item.port && port <= (item.endPort ?? item.port);
  // "This can be either a numerical or named port on a pod."
  if (destination === undefined || !isMember(destination)) return false;
  return destination.ports.some((own) => own.name === item.port && own.protocol === protocol && own.port === port);
}

function fitsPeer(cluster: ApiCluster, policyNamespace: string, peer: ApiPeer, other: { address: string; pod?: ApiPod }): boolean {
  if (peer.ipBlock) {
    const { cidr, except = [] } = peer.ipBlock;
    return inside(other.address, cidr) && !except.some((hole) => inside(other.address, hole));
  }
  const { pod } = other;
  if (pod === undefined || !isMember(pod)) return false;
  const namespace = cluster.namespaces.find(({ name }) => name === pod.namespace);
  if (peer.namespaceSelector) {
    if (namespace === undefined || !selects(peer.namespaceSelector, namespace.labels)) return false;
  } else if (pod.namespace !== policyNamespace) {
    return false;
  }
  return peer.podSelector === undefined || selects(peer.podSelector, pod.labels);
}

/** Pods of the node's network are the node; what has finished has no address of its own. */
function isMember(pod: ApiPod): boolean {
  return !pod.hostNetwork && !pod.finished;
}

function inside(address: string, cidr: string): boolean {
  const [network = "", length = ""] = cidr.split("/");
  if (address.includes(":") !== network.includes(":")) return false;
  return binary(address).slice(0, Number(length)) === binary(network).slice(0, Number(length));
}

function binary(address: string): string {
  if (!address.includes(":"))
    return address
      .split(".")
      .map((octet) => Number(octet).toString(2).padStart(8, "0"))
      .join("");
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const [front, back] = [groups(head), tail === undefined ? [] : groups(tail)];
  const middle = new Array<string>(8 - front.length - back.length).fill("0");
  return [...front, ...middle, ...back].map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0")).join("");
}
