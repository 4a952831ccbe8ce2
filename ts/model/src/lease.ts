import type { FamilyAddress } from "./attachment.ts";
import type { CloudErrorClass, EniStatus, EniType } from "./cloud.ts";

/** Who an address is for. */
export interface Sandbox {
  readonly containerId: string;
  readonly ifName: string;
  readonly netns: string;
  readonly podNamespace: string;
  readonly podName: string;
  readonly podUid?: string;
}

export type LeaseState = "intent" | "bound" | "releasing";

/** One sandbox's hold on its addresses. At most one per (container id, interface). */
export interface Lease {
  /** `<container id>/<interface name>`. */
  readonly id: string;
  /** Grows with every lease of this node, across restarts. */
  readonly generation: number;
  readonly state: LeaseState;
  readonly sandbox: Sandbox;
  readonly eniId: string;
  readonly eniMac: string;
  readonly ipv4?: FamilyAddress;
  readonly ipv6?: FamilyAddress;
  /** The whole ENI is the sandbox's own: no other lease is on it, and its link is in the pod. Absent: one address of each family. */
  readonly exclusive?: true;
  readonly allocatedAtMs: number;
  /** For how long after its release its addresses are kept for the next sandbox of a pod of this name. Absent: not at all. */
  readonly keepMs?: number;
  /** What the daemon wanted remembered with it (its attachment), as plain JSON; opaque here. */
  readonly payload?: unknown;
}

/** How the idle stock of a quiet pool is given back. */
export interface IdleReclaim {
  /** No lease has come or gone for this long. */
  readonly afterMs: number;
  /** Between two rounds. */
  readonly intervalMs: number;
  /** In one round. */
  readonly batchSize: number;
  /** Share by which chance lengthens the interval at most. */
  readonly jitterFactor: number;
}

/** Bounds and habits of the pool; the daemon derives it from `eni_conf` and may replace it at run time. */
export interface PoolConfig {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  /**
   * A lease holds a whole ENI with one address of each family, and all counts are ENIs. While leases of the other kind live, the pool goes on with
   * their kind: nothing is switched under a pod.
   */
  readonly exclusive: boolean;
  /** Free addresses to keep at least and at most. */
  readonly minIdle: number;
  readonly maxIdle: number;
  /** What is asked for at all fills the idle stock up to this, if that costs no further call. Absent: `minIdle`. */
  readonly refillIdle?: number;
  /** When more than `maxIdle` are idle, the stock is given back down to this, so that the next ones to come free cost no call. Absent: `maxIdle`. */
  readonly drainIdle?: number;
  /** Once in the node's life the pool grows to this many, used ones included, whatever the bounds say; what is too many is given back later. 0: off. */
  readonly warmUpSize: number;
  /** Absent: idle stock within the bounds is kept. */
  readonly reclaim?: IdleReclaim;
  /** ENIs that may exist beside the primary one. */
  readonly maxEnis: number;
  /** Further ones that are kept for trunks, which somebody else makes; absent: none. */
  readonly trunkEnis?: number;
  readonly ipv4PerEni: number;
  readonly ipv6PerEni: number;
  readonly vSwitchIds: readonly string[];
  readonly vSwitchPolicy: "ordered" | "random" | "most";
  readonly eniPolicy: "most_ips" | "least_ips";
  readonly securityGroupIds: readonly string[];
  readonly resourceGroupId?: string;
  /** Tags for the ENIs that we create; an ENI without our tags is foreign and never touched. */
  readonly eniTags: Readonly<Record<string, string>>;
  /** Further tags that an ENI of ours must have; absent: none. */
  readonly tagFilter?: Readonly<Record<string, string>>;
  /** An ENI with one of these tags is foreign, whatever else it carries. */
  readonly tagBlockList?: readonly { readonly key: string; readonly value: string }[];
  /** A released address rests this long before it is given out or unassigned. */
  readonly coolDownMs: number;
  /** Period of the loop that compares with the cloud and adjusts the pool. */
  readonly syncPeriodMs: number;
}

/** Why nothing can be given at the moment; the message names the resource and the next step. */
export interface PoolProblem {
  /** `full`: the node's own limit; `journal`: the disk does not take what must be durable first. */
  readonly class: CloudErrorClass | "full" | "journal";
  readonly code: string;
  readonly message: string;
  readonly resource?: string;
  readonly sinceMs: number;
}

export interface PoolAddressView {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  readonly eniId: string;
  /** `cooling` rests after release; `foreign` is not ours to give; `vanished` is in use here but unknown to the cloud. */
  readonly state: "free" | "used" | "cooling" | "assigning" | "unassigning" | "vanished";
  readonly leaseId?: string;
  readonly pod?: string;
}

export interface PoolEniView {
  readonly id: string;
  readonly mac: string;
  readonly type: EniType;
  readonly status: EniStatus | "Planned";
  readonly vSwitchId: string;
  readonly ours: boolean;
  /** As the cloud last showed them; absent while it has not since the daemon started. */
  readonly securityGroupIds?: readonly string[];
  readonly addresses: readonly PoolAddressView[];
}

export interface PoolView {
  /** Whole ENIs are given, see {@link PoolConfig.exclusive}; the counts below are ENIs then. */
  readonly exclusive: boolean;
  readonly enis: readonly PoolEniView[];
  readonly leases: readonly Lease[];
  readonly total: number;
  readonly used: number;
  /** Addresses (pairs, in dual stack) that an ADD would get at once. */
  readonly free: number;
  readonly cooling: number;
  readonly waiting: number;
  /** The most addresses this node could ever hold under its limits. */
  readonly capacity: number;
  readonly problems: readonly PoolProblem[];
}

export type AllocateFailure = {
  readonly reason: "exhausted" | "timeout" | "denied" | "journal" | "stopping";
  /** Complete sentence for log, CNI error and operator. */
  readonly message: string;
  readonly problem?: PoolProblem;
};

export interface AllocateOptions {
  readonly deadlineMs: number;
  readonly keepMs?: number;
  readonly payload?: (lease: Lease) => unknown;
  /** Asked whenever something has changed; undefined: it is not known yet which. */
  readonly exact?: () => ExactAddresses | undefined;
}

/** Addresses of one ENI that are somebody's already: bound to the pod by the control plane, or in use by it. */
export interface ExactAddresses {
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** They may be in use: it is this pod that uses them. */
  readonly taken?: boolean;
}

/**
 * The node's addresses. Durable: what it has answered survives `kill -9`. Keeps invariants I1–I4 and I6–I10 (docs/reference/invariants.md).
 */
export interface AddressPool {
  /**
   * A lease for the sandbox, the same one when it has one already (also while another call for it is under way). Journaled as an intent before it
   * resolves. Takes a warm address at once or waits for the cloud, at most `deadlineMs` from now. When nothing is free and the cloud has just refused,
   * it fails at once with that refusal instead of waiting for the deadline. `payload` is computed from the new lease and journaled with it.
   * With `keepMs` the pod gets what is still kept from its last sandbox, if there is something, and it will be kept again. With `exact` it gets these
   * addresses and no others, also while they rest.
   */
  allocate(
    sandbox: Sandbox,
    options: AllocateOptions,
  ): Promise<{ ok: true; lease: Lease; existed: boolean } | { ok: false; failure: AllocateFailure }>;
  /** The kernel has what the lease says. Durable soon; not needed to be durable for correctness, so callers need not wait. */
  bound(leaseId: string): Promise<void>;
  /** Journals that the lease is to go; undefined when there is none. Call before touching the kernel. */
  beginRelease(leaseId: string): Promise<Lease | undefined>;
  /** The kernel has nothing of it any more; the addresses start to rest. */
  finishRelease(leaseId: string): Promise<void>;
  lease(leaseId: string): Lease | undefined;
  leases(): readonly Lease[];
  /** Security groups of one of our ENIs as the cloud last showed them; undefined while it has not since the daemon started. */
  securityGroups(eniId: string): readonly string[] | undefined;
  view(): PoolView;
  /**
   * All pods, as `namespace/name`, that are bound to this node and take what they need from this pool. For those that hold nothing yet the pool grows
   * before they ask, on top of the idle stock.
   */
  expect(pods: ReadonlySet<string>): void;
  /**
   * Resolves when free ≥ max(1, minIdle, waiting and expected), capped by what the cloud can still give; `limited` names why it is less. With whole
   * ENIs, when the slots of the instance are known: none is attached for nobody.
   */
  warm(signal?: AbortSignal): Promise<{ limited?: PoolProblem }>;
  /** Asks for a comparison with the cloud now; resolves when one that started after this call has ended. */
  sync(): Promise<void>;
  reconfigure(config: PoolConfig): void;
  /** Refuses new work, waits for the journal, releases the lock. Cloud calls under way are left to their intents. */
  close(): Promise<void>;
}

/** What happened, for metrics, events and logs. */
export type PoolEvent =
  | { readonly type: "problem"; readonly problem: PoolProblem }
  | { readonly type: "recovered"; readonly code: string }
  | { readonly type: "eni-created" | "eni-attached" | "eni-deleted"; readonly eniId: string }
  | { readonly type: "assigned" | "unassigned"; readonly eniId: string; readonly addresses: readonly string[] }
  | { readonly type: "journal-repaired"; readonly setAside: string; readonly recordsKept: number; readonly bytesLost: number }
  | { readonly type: "address-vanished"; readonly address: string; readonly leaseId: string };
