/** The objects of the simulated cloud. Records are never changed in place: a change puts a new record. */

export interface Vpc {
  readonly id: string;
  readonly regionId: string;
  readonly name: string;
  readonly cidr: string;
  /** /56 */
  readonly ipv6Cidr?: string;
  readonly createdMs: number;
}

export interface VSwitchRecord {
  readonly id: string;
  readonly vpcId: string;
  readonly zoneId: string;
  readonly name: string;
  readonly status: "Pending" | "Available";
  readonly cidr: string;
  /** /64 */
  readonly ipv6Cidr?: string;
  readonly tags: Tags;
  readonly createdMs: number;
  /** Overrides the free count that Describe reports, as a late refresh of the real one does (fault F07). */
  readonly reportedFree?: number;
}

export interface SecurityGroup {
  readonly id: string;
  readonly vpcId: string;
  readonly name: string;
  readonly description: string;
  readonly type: "normal" | "enterprise";
  /** Private addresses (normal) or ENIs (enterprise) it can hold. */
  readonly capacity: number;
  /** Whether members of a normal group reach each other whatever the rules say; always `Drop` of an enterprise group. */
  readonly innerAccessPolicy: "Accept" | "Drop";
  /** In the order they were made. */
  readonly rules: readonly SecurityGroupRule[];
  readonly tags: Tags;
  readonly createdMs: number;
}

/** One permission of a group, in the API's own words; what was not given is absent. */
export interface SecurityGroupRule {
  readonly id: string;
  readonly direction: "ingress" | "egress";
  readonly policy: "Accept" | "Drop";
  /** 1 to 100; the smallest wins, on a tie Drop. */
  readonly priority: number;
  readonly protocol: "TCP" | "UDP" | "ICMP" | "ICMPV6" | "GRE" | "ALL";
  /** Of the destination, for example `80/80`; `-1/-1` where the protocol has no ports. */
  readonly portRange: string;
  readonly sourcePortRange?: string;
  /** CIDRs of either family, of which one is the other side and the other narrows the group's own addresses. */
  readonly sourceCidr?: string;
  readonly destCidr?: string;
  /** The other side, when it is a group: the source of an ingress rule, the destination of an egress rule. */
  readonly peerGroupId?: string;
  readonly description: string;
  readonly createdMs: number;
}

export type InstanceStatus = "Pending" | "Starting" | "Running" | "Stopping" | "Stopped";

export interface Instance {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  readonly type: string;
  readonly status: InstanceStatus;
  readonly vpcId: string;
  readonly vSwitchId: string;
  readonly zoneId: string;
  readonly primaryEniId: string;
  readonly securityGroupIds: readonly string[];
  readonly ramRole?: string;
  /** Metadata answers only with a token. */
  readonly metadataTokenRequired: boolean;
  readonly tags: Tags;
  readonly createdMs: number;
}

export type EniType = "Primary" | "Secondary" | "Trunk" | "Member";
export type EniStatus = "Available" | "Attaching" | "InUse" | "Detaching" | "Deleting";
export type Tags = Readonly<Record<string, string>>;

/** A change of state under way. */
export interface Transition {
  readonly kind: "attach" | "detach" | "delete";
  /** Absent: stuck until somebody calls again. */
  readonly dueMs?: number;
  /** `fabric`: due, and waiting for the fabric. */
  readonly stage: "waiting" | "fabric";
  /** The attach will fall back to Available (fault F12). */
  readonly fails: boolean;
}

export interface NetworkInterface {
  readonly id: string;
  readonly mac: string;
  readonly type: EniType;
  readonly status: EniStatus;
  readonly transition?: Transition;
  readonly vpcId: string;
  readonly vSwitchId: string;
  readonly zoneId: string;
  readonly instanceId?: string;
  /** Set on a member ENI. */
  readonly trunkId?: string;
  /** Device index, on a member the VLAN id. */
  readonly deviceIndex?: number;
  readonly primaryIpv4: string;
  /** The primary one included, which comes first. */
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  /** /28 each. */
  readonly ipv4Prefixes: readonly string[];
  /** /80 each. */
  readonly ipv6Prefixes: readonly string[];
  /** Taken from the ENI but not yet from the fabric: no longer shown, not yet free. Addresses and prefixes. */
  readonly releasing: readonly string[];
  readonly securityGroupIds: readonly string[];
  readonly tags: Tags;
  readonly name: string;
  readonly description: string;
  readonly deleteOnRelease: boolean;
  readonly sourceDestCheck: boolean;
  readonly trafficMode: "Standard" | "HighPerformance";
  readonly queueNumber?: number;
  readonly resourceGroupId: string;
  readonly serviceManaged: boolean;
  readonly createdMs: number;
  /** Id of the assign or unassign call that works on it; another one meanwhile is refused with Operation.Conflict. */
  readonly busy?: string;
}

/** A VLAN id of a trunk that rests before it is given out again; key `<trunk id>/<vlan>`. */
export interface RestingVlan {
  readonly trunkId: string;
  readonly vlan: number;
  readonly untilMs: number;
}

export interface Principal {
  readonly type: "Account" | "SubUser" | "AssumedRoleUser";
  /** Display name, for example a RAM user's name. */
  readonly name: string;
}

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  readonly status: "Active" | "Inactive";
  readonly principal: Principal;
  /** Absent: everything is allowed (account key). */
  readonly policies?: readonly PolicyDocument[];
  /** Set on temporary credentials. */
  readonly securityToken?: string;
  readonly expiresMs?: number;
}

/** A RAM policy document, version 1. */
export interface PolicyDocument {
  readonly Version: string;
  readonly Statement: readonly PolicyStatement[];
}

export interface PolicyStatement {
  readonly Effect: "Allow" | "Deny";
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
}

export interface RamRole {
  readonly name: string;
  readonly policies?: readonly PolicyDocument[];
  /** Lifetime of the credentials that metadata hands out. */
  readonly sessionMs: number;
}

/** A remembered client token; key `<action>/<token>`. */
export interface IdempotentCall {
  readonly key: string;
  readonly parametersHash: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly atMs: number;
}

/** Calls counted in the fixed window that began at `startMs`; key is the action. */
export interface ThrottleWindow {
  readonly action: string;
  readonly startMs: number;
  readonly count: number;
}

export interface UsedNonce {
  readonly nonce: string;
  readonly atMs: number;
}

export interface MetadataToken {
  readonly token: string;
  readonly instanceId: string;
  readonly expiresMs: number;
}
