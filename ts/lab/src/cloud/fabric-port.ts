/**
 * The border between the simulated control plane and whatever carries packets. The cloud's state says what should be; the fabric makes
 * it so with real interfaces. The simulator runs without a fabric, too: then the state alone changes.
 *
 * Order of effects:
 * - attach: `plug` is awaited while the ENI is `Attaching`; it becomes `InUse` after `plug` resolved. A rejection leaves it `Attaching`.
 * - detach: `unplug` is awaited while the ENI is `Detaching`; it becomes `Available` after `unplug` resolved.
 * - assign: the state changes, `assign` is awaited, then the call is answered.
 * - unassign: the state changes, `unassign` is awaited, then the call is answered; the addresses can be given to another ENI only then.
 *
 * - groups: the state changes, `regroup`, `putGroup` or `removeGroup` is awaited, then the call is answered.
 *
 * Addresses are written without prefix length; a delegated prefix stands among them as CIDR, for example `10.0.1.16/28`. All calls for one
 * ENI come one after the other.
 */
export interface FabricPort {
  /** Makes the interface appear in the instance with this MAC and routes its addresses. Again with the same ENI: no change. */
  plug(eni: PluggedEni): Promise<void>;
  /** Makes the interface disappear. Unknown ENI: no error. */
  unplug(eniId: string): Promise<void>;
  /** The VPC starts to deliver packets for these addresses to the ENI, and to accept them as source. */
  assign(eniId: string, addresses: string[]): Promise<void>;
  /** The VPC stops both. */
  unassign(eniId: string, addresses: string[]): Promise<void>;
  /** The ENI is judged by these groups from now on. An ENI that is not plugged gets its groups with the plug. */
  regroup(eniId: string, securityGroupIds: string[]): Promise<void>;
  /** A new group, or a known one with other rules. Until it is told of a group, the fabric takes it for a normal one without rules. */
  putGroup(group: FabricGroup): Promise<void>;
  /** No ENI carries the group and no rule names it any more. Unknown group: no error. */
  removeGroup(groupId: string): Promise<void>;
}

/** A security group as the fabric needs it. */
export interface FabricGroup {
  readonly id: string;
  readonly type: "normal" | "enterprise";
  /** Members reach each other whatever the rules say. */
  readonly innerAccess: boolean;
  readonly rules: readonly FabricRule[];
}

export interface FabricRule {
  readonly direction: "ingress" | "egress";
  readonly accept: boolean;
  /** 1 to 100; the smallest wins, on a tie the one that does not accept. */
  readonly priority: number;
  readonly protocol: "tcp" | "udp" | "icmp" | "icmpv6" | "gre" | "all";
  /** Of the destination, both included; absent: all. */
  readonly ports?: readonly [from: number, to: number];
  readonly sourcePorts?: readonly [from: number, to: number];
  /** Source of an ingress rule, destination of an egress rule. */
  readonly peer: { readonly cidr: string } | { readonly groupId: string };
  /** Narrows the group's own addresses; of the family of the peer. */
  readonly own?: string;
}

/** An ENI as the fabric needs it, at the moment it is plugged. */
export interface PluggedEni {
  eniId: string;
  instanceId: string;
  type: "Primary" | "Secondary" | "Trunk" | "Member";
  /** Lower case, colon separated. */
  mac: string;
  primaryIpv4: string;
  /** All private IPv4 addresses, the primary one included. */
  ipv4: string[];
  ipv6: string[];
  vSwitch: {
    id: string;
    /** For example `10.0.1.0/24`. */
    cidr: string;
    gateway: string;
    ipv6Cidr?: string;
    ipv6Gateway?: string;
  };
  securityGroupIds: string[];
  /** Of a member: the ENI that carries it, and the 802.1Q tag of its frames there. */
  trunk?: { eniId: string; vlan: number };
}
