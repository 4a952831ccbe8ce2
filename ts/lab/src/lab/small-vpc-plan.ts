import type { GroupPlan } from "./make-groups.ts";

/** What {@link SmallVpc} shall consist of. Names are free; what is left out takes the first vSwitch and the first group of the plan. */
export interface SmallVpcPlan {
  /** Default: one, `a`, of both families. */
  readonly vSwitches?: Readonly<Record<string, VSwitchPlan>>;
  /** Default: one normal group, `default`, whose members talk. */
  readonly groups?: Readonly<Record<string, GroupPlan>>;
  /** Their primary ENIs are configured as on a fresh instance. */
  readonly nodes: readonly NodePlan[];
  /** False: groups are not enforced and connections not tracked, for measurements. */
  readonly securityGroups?: boolean;
}

export interface VSwitchPlan {
  readonly zoneId: string;
  /** Within 10.0.0.0/8. */
  readonly cidr: string;
  /** A /64 within fd00:0:0:100::/56; absent: no IPv6. */
  readonly ipv6Cidr?: string;
}

export interface NodePlan {
  readonly name: string;
  /** Instance type; default `ecs.g7.xlarge`: four ENIs, a trunk with 16 members. */
  readonly type?: string;
  readonly vSwitch?: string;
  /** Of the primary ENI. */
  readonly groups?: readonly string[];
  readonly ipv6Count?: number;
  readonly enis?: readonly EniPlan[];
}

export interface EniPlan {
  readonly name: string;
  readonly kind?: "secondary" | "trunk";
  /** In the node's zone. */
  readonly vSwitch?: string;
  readonly groups?: readonly string[];
  /** The primary address included. */
  readonly ipv4Count?: number;
  readonly ipv6Count?: number;
  /** Only of a trunk. */
  readonly members?: readonly MemberPlan[];
}

/** What is left out is as on the trunk. */
export type MemberPlan = Omit<EniPlan, "kind" | "members">;
