/** The border between deciding (TypeScript) and doing (Rust): plain data, mirrored by the structs of `crates/binding`. */

import type { KernelCapabilities } from "./kernel-capabilities.ts";
import type { PolicyCounts, PolicyListing, PolicyReferences, PolicySample, PolicyStep } from "./policy-tables.ts";
import type { SymmetricRouting, SymmetricRoutingEntrance } from "./symmetric-routing.ts";

/** One address family of a pod interface. */
export interface FamilyAddress {
  /** The pod's address without prefix, for example `10.0.1.23`. */
  readonly address: string;
  /** Prefix length of the vSwitch the address belongs to. */
  readonly prefixLength: number;
  /** The VPC gateway of that vSwitch. */
  readonly gateway: string;
}

/** How a pod is connected: a veth pair, a slave of the shared ENI, an 802.1Q link of the trunk, the ENI itself, or a netkit pair. */
export const datapathModes = ["policy_route", "ipvlan", "vlan", "exclusive", "netkit"] as const;
export type DatapathMode = (typeof datapathModes)[number];

/** Limits of a pod's traffic in bytes per second; a direction that is absent is not limited. */
export interface Bandwidth {
  /** Towards the pod. */
  readonly ingress?: number;
  /** From the pod. */
  readonly egress?: number;
}

/** Class of a pod's packets on the ENI (`k8s.aliyun.com/network-priority`). */
export const networkPriorities = ["guaranteed", "burstable", "best_effort"] as const;
export type NetworkPriority = (typeof networkPriorities)[number];

/** What one pod interface must be. Applying the same attachment again changes nothing. */
export interface Attachment {
  /** `<container id>/<interface name>`; marks every link made for it (interface alias `terway:<id>`). */
  readonly id: string;
  /** Grows with every new attachment of this node; the larger one is the newer sandbox. */
  readonly generation: number;
  readonly mode: DatapathMode;
  /** Path of the pod's network namespace. */
  readonly netns: string;
  /** Name of the interface inside the pod, for example `eth0`. */
  readonly ifName: string;
  /** Name of the host end, for example `calic95a4947e07`. */
  readonly hostIfName: string;
  readonly mtu: number;
  readonly ipv4?: FamilyAddress;
  readonly ipv6?: FamilyAddress;
  /** The ENI that carries the pod's addresses, found in the host namespace by MAC. */
  readonly eniMac: string;
  /** The node's primary addresses, put on the ENI with /32 and /128. */
  readonly hostIpv4?: string;
  readonly hostIpv6?: string;
  readonly defaultRoute: boolean;
  /** Extra destinations reached through this interface, as CIDRs. */
  readonly extraRoutes: readonly string[];
  /** The ENI of `eniMac` is a trunk and the pod a member with this VLAN id, 1 to 4094. Needed by mode `vlan`, impossible with `exclusive`. */
  readonly vlanId?: number;
  /** The trunk ENI's own gateways, next hop of its table; only with `vlanId`. */
  readonly trunkGatewayIpv4?: string;
  readonly trunkGatewayIpv6?: string;
  /**
   * The pod's ENI carries security groups of its own: what the pod exchanges with pods of other ENIs leaves the node, so that the groups decide. Modes
   * `policy_route` and `netkit`; false when absent.
   */
  readonly ownGroups?: boolean;
  /** The pod has further interfaces: this one gets a routing table of its own in the pod, chosen by source and by bound device. */
  readonly multiNetwork?: boolean;
  /** CIDRs that a pod reaches through the node's own stack in every mode: Services, a node-local DNS cache. Both families. */
  readonly hostStackCidrs?: readonly string[];
  /** Mode `exclusive`: the pod also has a pair to its node, for Services and the node itself. True when absent. */
  readonly hostPeer?: boolean;
  /** NetworkPolicy is enforced: the pod's packets pass the kernel programs, which `policy` gives their tables. False when absent. */
  readonly networkPolicy?: boolean;
  /**
   * Kernel programs forward the pod's packets past the node's stack where they can: modes `policy_route` and `netkit`, and no limit on what the pod gets.
   * Whatever is in `hostStackCidrs` goes by the stack. False when absent.
   */
  readonly fastPath?: boolean;
  readonly bandwidth?: Bandwidth;
  /** Who delays what the pod sends: `tc` a token bucket on its link, `edt` departure times on the ENI. `tc` when absent. */
  readonly bandwidthMode?: "tc" | "edt";
  /** Absent: the ENI has no classes. */
  readonly priority?: NetworkPriority;
  /**
   * `compact`: what a packet costs does not grow with the pods: one shared rule 512, IPv6 routes by source behind one rule 2048 where the kernel has them
   * (a rule for each pod where not), a tree of IPv4 rules at 2048 to 2546. `per_pod`: rules 512 and 2048 for each address, as Terway does.
   */
  readonly ruleForm: "compact" | "per_pod";
}

/** What is known of an attachment that has to go; anything but the id may be missing. */
export interface DetachTarget {
  readonly id: string;
  readonly netns?: string;
  readonly ifName?: string;
  readonly hostIfName?: string;
  readonly addresses: readonly string[];
}

export interface AttachResult {
  readonly hostIfName: string;
  readonly hostIfIndex: number;
  readonly hostMac: string;
  readonly podMac: string;
  readonly podIfIndex: number;
  /** The link that held the host name of an older sandbox was renamed to this. */
  readonly renamedHolder?: string;
  /** Limits that are not in force, and why: the mode cannot keep them, or somebody else's qdisc stands in the place of ours. */
  readonly unenforced: readonly string[];
  /** Kernel changes made; 0 when everything was already there. */
  readonly steps: number;
  readonly durationUs: number;
}

/** One difference between what an attachment wants and what the kernel has. */
export interface Drift {
  readonly where: "host" | "pod";
  /** `link`, `address`, `route`, `rule`, `neighbour`, `sysctl`, … */
  readonly kind: string;
  /** The object as people know it, for example `route 10.0.1.23/32 dev calic95a4947e07`. */
  readonly object: string;
  readonly problem: "missing" | "different" | "unexpected";
  readonly detail?: string;
}

/** Closed set of expected kernel-side failures; see `docs/reference/errors.md`. */
export type DatapathErrorCode =
  | "netns_gone"
  | "interface_exists"
  | "eni_not_found"
  | "invalid_attachment"
  | "deadline"
  | "kernel"
  | "unsupported"
  | "full";

export interface DatapathError {
  readonly code: DatapathErrorCode;
  readonly message: string;
  /** The object that could not be made, changed or read. */
  readonly object?: string;
  readonly errno?: number;
}

export type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: DatapathError };

export interface DetachResult {
  /** True when nothing of the attachment was left already. */
  readonly alreadyGone: boolean;
  /** What could not be removed; tear-down never stops at a failure. Repair and collection try again. */
  readonly failures: readonly DatapathError[];
}

export interface CollectResult {
  /** Objects with our mark that belonged to no attachment and were removed. */
  readonly removed: readonly string[];
  readonly failures: readonly DatapathError[];
}

/** What a build has taken over from one with another layout of the programs' maps. */
export interface TakenOver {
  /** Hooks of pods that had the other's programs. */
  readonly hooks: number;
  /** Pods that it did not reach: their open connections are judged as new ones. */
  readonly failures: readonly DatapathError[];
}

/** A host end that carries our mark, as the kernel shows it. */
export interface SurveyedLink {
  /** From the link's alias `terway:<id>`. */
  readonly id: string;
  readonly hostIfName: string;
  /** Pod addresses routed to it, without prefix. */
  readonly addresses: readonly string[];
}

export interface Repair {
  readonly attachmentId: string;
  /** What set it off. */
  readonly trigger: "notification" | "scan";
  readonly drifts: readonly Drift[];
  readonly failures: readonly DatapathError[];
}

export interface DatapathStatus {
  readonly attachments: number;
  /** Renamed devices that wait for the batch deleter. */
  readonly deleteBacklog: number;
  readonly kernelRelease: string;
}

/** NetworkPolicy in the kernel. Calls are carried out one after another. */
export interface PolicyDatapath {
  /**
   * Loads the programs and begins to keep the list of the node's own addresses; before the first attachment with `networkPolicy`. `unsupported` with
   * the reason where the kernel has no BPF, locks it away or refuses the programs.
   */
  open(): Promise<Outcome<undefined>>;
  /** `full` when a map has no room: `object` names the set, which stays what it was, and the rest of the step is not made. */
  apply(step: PolicyStep): Promise<Outcome<undefined>>;
  list(): Promise<Outcome<PolicyListing>>;
  /** Removes the sets and classes that are not named; answers how many records that were. */
  sweep(keep: PolicyReferences): Promise<Outcome<number>>;
  /** The CIDRs of Services, whose packets are judged behind the node's translation. */
  setServices(cidrs: readonly string[]): Promise<Outcome<undefined>>;
  counts(): Promise<Outcome<PolicyCounts>>;
  /** Dropped packets since the last call, a part of them when there are many. */
  samples(): Promise<Outcome<readonly PolicySample[]>>;
}

/**
 * The native datapath. One instance per process and network namespace. Expected failures are values; a rejection is a bug.
 * It remembers the attachments given to `attach` and `adopt` and keeps the kernel equal to them until `detach`.
 */
export interface Datapath {
  /** What the running kernel can do, found out in a namespace of its own. Takes some milliseconds; once for each boot is enough. */
  probe(): Promise<KernelCapabilities>;
  /** Makes the kernel equal to the attachment. Idempotent. Never waits longer than `deadlineMs` for an ENI to appear. */
  attach(attachment: Attachment, deadlineMs: number): Promise<Outcome<AttachResult>>;
  /** Empty when the kernel equals the attachment. Changes nothing. */
  check(attachment: Attachment): Promise<Outcome<readonly Drift[]>>;
  /** Removes whatever is left of it; answers before the kernel has finished deleting the link. Safe at any point, any number of times. */
  detach(target: DetachTarget): Promise<DetachResult>;
  /** Starts to guard these attachments without changing anything now (after a restart). */
  adopt(attachments: readonly Attachment[]): Promise<void>;
  /**
   * Takes over from a build with another layout of the kernel programs' maps, newer or older, for the attachments that were adopted; undefined when there is
   * none. Before the first `attach` and the first change of the policy tables.
   */
  takeOver(): Promise<Outcome<TakenOver | undefined>>;
  /**
   * Every host end with our mark, guarded or not; devices that wait for the batch deleter are not among them. With a damaged journal it is the only
   * witness of which pods live. Changes nothing.
   */
  survey(): Promise<Outcome<readonly SurveyedLink[]>>;
  /** Removes every object with our mark in the host namespace that belongs to none of the guarded attachments. */
  collect(): Promise<CollectResult>;
  /** Repairs on netlink notifications and every `scanIntervalMs`; `pods: false` leaves pod namespaces alone. */
  startRepair(options: { scanIntervalMs: number; pods: boolean }, onRepair: (repair: Repair) => void): void;
  status(): DatapathStatus;
  /**
   * Switches symmetric routing on with this configuration, or off (`null`), and removes what an earlier configuration or process left; repair keeps it.
   * The answer is where connections come in, nothing when off. Call it also when it is off, so that nothing stays of an earlier configuration.
   */
  symmetricRouting(config: SymmetricRouting | null): Promise<Outcome<SymmetricRoutingEntrance | undefined>>;
  readonly policy: PolicyDatapath;
  /** The node's own primary addresses: those of the interface that carries the default route. */
  hostAddresses(): Promise<{ ipv4?: string; ipv6?: string; mtu: number; ifName: string }>;
  /** Stops the threads; waits until the delete backlog is empty, at most `deadlineMs`. Kernel state stays. */
  close(deadlineMs: number): Promise<void>;
}
