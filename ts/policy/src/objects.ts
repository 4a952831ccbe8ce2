import type { LabelMatcher, Labels } from "./label-selector.ts";

export const protocols = ["TCP", "UDP", "SCTP"] as const;
export type Protocol = (typeof protocols)[number];
export const directions = ["ingress", "egress"] as const;
export type Direction = (typeof directions)[number];

/** A container's port with a name, which policies may use instead of a number. */
export interface NamedPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** What policy needs of a Pod. */
export interface PolicyPod {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Labels;
  /** Canonical texts, from the annotation `k8s.aliyun.com/pod-ips` or the status. */
  readonly addresses: readonly string[];
  /** Time of creation as the API writes it (RFC 3339, UTC): of two pods that show one address the younger has it. */
  readonly created?: string;
  readonly ports: readonly NamedPort[];
  /** A pod in its node's network is the node: selected by nothing, member of nothing. */
  readonly hostNetwork: boolean;
  /** Succeeded or failed: its address may be another pod's already. A pod that is terminating is not finished. */
  readonly finished: boolean;
}

/** Destination ports of one protocol: from … to, both included. */
export interface PortRange {
  readonly protocol: Protocol;
  readonly from: number;
  readonly to: number;
}

/** A port by the name that the destination pod gives it. */
export interface PortName {
  readonly protocol: Protocol;
  readonly name: string;
}

/** Pods of one namespace or of the namespaces with some labels. */
export interface PodPeer {
  readonly kind: "pods";
  /** Canonical text: equal peers of different policies are one. */
  readonly key: string;
  readonly scope: { readonly namespace: string } | { readonly namespaces: LabelMatcher };
  readonly pods: LabelMatcher;
}

/** Addresses of a CIDR without those of the exceptions; canonical, each exception within the CIDR. */
export interface BlockPeer {
  readonly kind: "block";
  readonly key: string;
  readonly cidr: string;
  readonly except: readonly string[];
}

export type Peer = PodPeer | BlockPeer;

export interface Rule {
  /** Absent: everybody, also who is no pod. */
  readonly peers?: readonly Peer[];
  /** Absent: every port of every protocol, ICMP and others too. */
  readonly ports?: readonly (PortRange | PortName)[];
}

/** A NetworkPolicy after the API server's checks and defaults. */
export interface NetworkPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly podSelector: LabelMatcher;
  /** Absent: the policy says nothing of this direction. */
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}
