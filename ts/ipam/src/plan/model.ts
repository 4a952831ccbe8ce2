/**
 * The planner's world as plain data, so that one function serves the node daemon and a control plane that keeps the same facts in custom resources.
 * All times are milliseconds on one monotonic clock. An *allocation* is one address of each family that is wanted, all of the same ENI.
 */

export type Family = "ipv4" | "ipv6";

/**
 * `arriving`: asked for or on an ENI that is not attached yet; `leaving`: being taken away; `withheld`: on an ENI that the cloud has not shown;
 * `missing`: the cloud shows the ENI without it, and one answer proves nothing.
 */
export type PlanAddressState = "free" | "used" | "resting" | "arriving" | "leaving" | "withheld" | "missing";

export interface PlanAddress {
  readonly address: string;
  readonly state: PlanAddressState;
  /** Order of the last release, larger is later; absent when it was never used. */
  readonly releasedOrder?: number;
}

export interface PlanEni {
  readonly id: string;
  /** False: attached to this instance but not ours; it takes a slot and is never touched. */
  readonly ours: boolean;
  /** `coming`: being created or attached; `leaving`: being detached or deleted; `unattached`: ours, and nothing is done with it. */
  readonly phase: "coming" | "inUse" | "leaving" | "unattached";
  readonly vSwitchId: string;
  /** Not what a new one would be: it serves nobody any more and goes when nothing on it is used or rests. */
  readonly stale: boolean;
  readonly primaryIpv4?: string;
  readonly ipv4: readonly PlanAddress[];
  readonly ipv6: readonly PlanAddress[];
  /** Addresses asked for whose names are not known yet. */
  readonly arrivingIpv4: number;
  readonly arrivingIpv6: number;
  /** An assign or unassign runs on it; the cloud refuses a second one (`Operation.Conflict`). */
  readonly busy: boolean;
  /** It may grow; false after a refusal that concerns it, for a while. */
  readonly mayGrow: boolean;
  /** Unassign and detach may be tried; false after a refusal, for a while. */
  readonly mayShrink: boolean;
}

export interface PlanVSwitch {
  readonly id: string;
  /** The cloud's count, a hint that may be stale; absent when unknown. */
  readonly availableIpv4?: number;
  /** False while it rests after it was found empty or wrong, and when it lies in another zone. */
  readonly usable: boolean;
}

export interface PlanLimits {
  /** ENIs beside the primary one, foreign ones included. */
  readonly maxEnis: number;
  readonly ipv4PerEni: number;
  readonly ipv6PerEni: number;
  /** Addresses per cloud call. */
  readonly batch: number;
}

export interface PlanPolicy {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
  readonly minIdle: number;
  readonly maxIdle: number;
  /**
   * When something is asked for at all, the idle stock is filled up to this, as far as the ENIs have place that are there or come for other reasons: more
   * addresses in one call instead of more calls. Absent: `minIdle`.
   */
  readonly refillIdle?: number;
  /** What is idle beyond the ceiling is given back down to this, within the bounds: one call for several addresses. Absent: the ceiling. */
  readonly drainIdle?: number;
  /** Allocations there shall be in all, used ones included, as long as the pool warms up; 0 otherwise. */
  readonly warmUp: number;
  readonly vSwitchPolicy: "ordered" | "random" | "most";
  readonly eniPolicy: "most_ips" | "least_ips";
}

export interface PlanInput {
  readonly enis: readonly PlanEni[];
  /** In the order of the configuration. */
  readonly vSwitches: readonly PlanVSwitch[];
  readonly limits: PlanLimits;
  readonly policy: PlanPolicy;
  /** Allocations that somebody waits for and that no free address serves. */
  readonly waiting: number;
  /** Allocations that will be asked for soon; as many are had in time, and kept beyond the bounds of the idle stock. Absent: 0. */
  readonly ahead?: number;
  /** New ENIs may be created; false after a refusal (quota, permission), for a while. */
  readonly mayCreate: boolean;
  /** Creations that are journaled and have no ENI yet are in `enis` as `coming`. How many more may be begun now. */
  readonly createSlots: number;
  /** Chance for the vSwitch policy `random`, in [0, 1). */
  readonly chance: () => number;
}

export type PlanAction =
  | { readonly kind: "createEni"; readonly vSwitchId: string; readonly secondaryIpv4Count: number; readonly ipv6Count: number }
  | { readonly kind: "attachEni"; readonly eniId: string }
  | { readonly kind: "assign"; readonly eniId: string; readonly family: Family; readonly count: number }
  | { readonly kind: "unassign"; readonly eniId: string; readonly family: Family; readonly addresses: readonly string[] }
  /** Detach, if it is attached, and delete. */
  | { readonly kind: "removeEni"; readonly eniId: string };

export interface Plan {
  /** Empty when nothing is to be done. */
  readonly actions: readonly PlanAction[];
  /** Allocations beyond the free ones that can still come: on their way, or allowed by every limit and refusal known now. */
  readonly reach: number;
  /** Nothing more could come even if nothing had been refused: every slot is taken. */
  readonly full: boolean;
}
