/** The cloud as this project sees it: plain objects, one port, one closed set of failures. `ts/cloud` implements it over OpenAPI. */

/** What an instance type allows. Source: ECS DescribeInstanceTypes. */
export interface InstanceLimits {
  readonly instanceType: string;
  /** ENIs that can be attached, the primary one included (`EniQuantity`). */
  readonly adapters: number;
  /** ENIs of every kind, trunk members included (`EniTotalQuantity`). */
  readonly totalAdapters: number;
  /** Private IPv4 addresses per ENI, the ENI's own primary address included. */
  readonly ipv4PerAdapter: number;
  readonly ipv6PerAdapter: number;
  readonly trunkSupported: boolean;
  readonly erdmaAdapters: number;
}

export interface VSwitch {
  readonly id: string;
  readonly zoneId: string;
  readonly vpcId: string;
  /** IPv4 CIDR, for example `10.0.1.0/24`. */
  readonly cidr: string;
  /** IPv6 CIDR (/64), absent when the vSwitch has none. */
  readonly ipv6Cidr?: string;
  readonly availableIpv4: number;
}

export type EniStatus = "Creating" | "Available" | "Attaching" | "InUse" | "Detaching" | "Deleting";
export type EniType = "Primary" | "Secondary" | "Trunk" | "Member";

export interface Eni {
  readonly id: string;
  /** Lower case, colon separated. */
  readonly mac: string;
  readonly status: EniStatus;
  readonly type: EniType;
  readonly zoneId: string;
  readonly vSwitchId: string;
  readonly securityGroupIds: readonly string[];
  readonly instanceId?: string;
  readonly primaryIpv4: string;
  /** All private IPv4 addresses, the primary one included. */
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  /** Of a member: the trunk that carries it, and its 802.1Q tag there, as soon as the cloud shows them. */
  readonly trunkId?: string;
  readonly vlanId?: number;
  /** When it was created, as far as the cloud says. Source: `CreationTime`, whole seconds. */
  readonly createdAtMs?: number;
}

export interface CreateEniSpec {
  readonly vSwitchId: string;
  readonly securityGroupIds: readonly string[];
  readonly type: "Secondary" | "Trunk";
  /** Addresses beside the primary one that the create call shall assign at once. */
  readonly secondaryIpv4Count: number;
  readonly ipv6Count: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly resourceGroupId?: string;
  /** This very primary address; absent: any of the vSwitch. */
  readonly primaryIpv4?: string;
  /** Whether it goes with the instance that it is attached to; default true. */
  readonly deleteOnRelease?: boolean;
  /** `HighPerformance` is eRDMA; default Standard. */
  readonly trafficMode?: "Standard" | "HighPerformance";
  /** Journaled before the call; the same token gives the same ENI (reference: OpenAPI ClientToken). */
  readonly clientToken: string;
}

export interface EniFilter {
  readonly instanceId?: string;
  readonly eniIds?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
  readonly clientToken?: string;
}

/**
 * Every method rejects with {@link CloudError} only. Listing methods read all pages. `signal` bounds the whole call, retries included.
 * Attach, detach and delete return when the call was accepted; the caller observes the end by {@link Cloud.describeEnis}.
 */
export interface Cloud {
  describeInstanceType(instanceType: string, signal?: AbortSignal): Promise<InstanceLimits>;
  describeVSwitches(ids: readonly string[], signal?: AbortSignal): Promise<VSwitch[]>;
  describeEnis(filter: EniFilter, signal?: AbortSignal): Promise<Eni[]>;
  createEni(spec: CreateEniSpec, signal?: AbortSignal): Promise<Eni>;
  attachEni(eniId: string, instanceId: string, signal?: AbortSignal): Promise<void>;
  detachEni(eniId: string, instanceId: string, signal?: AbortSignal): Promise<void>;
  deleteEni(eniId: string, signal?: AbortSignal): Promise<void>;
  /** At most 10 addresses a call; answers the new addresses. */
  assignIpv4(eniId: string, count: number, clientToken: string, signal?: AbortSignal): Promise<string[]>;
  assignIpv6(eniId: string, count: number, clientToken: string, signal?: AbortSignal): Promise<string[]>;
  unassignIpv4(eniId: string, addresses: readonly string[], signal?: AbortSignal): Promise<void>;
  unassignIpv6(eniId: string, addresses: readonly string[], signal?: AbortSignal): Promise<void>;
}

/** The same, with what ENIs of single pods need. */
export interface MemberCloud extends Cloud {
  /** Makes the ENI a member of the trunk, which is attached to the instance. The cloud chooses the VLAN id; {@link Cloud.describeEnis} shows it. */
  attachMember(eniId: string, instanceId: string, trunkId: string, signal?: AbortSignal): Promise<void>;
  detachMember(eniId: string, instanceId: string, trunkId: string, signal?: AbortSignal): Promise<void>;
}

/** How much of the cloud may be used: `l1` releases nothing, `l0` calls nothing. */
export type DegradationLevel = "none" | "l1" | "l0";
/** What a level means, for people. */
export const degradationRule = { l1: "nothing is released", l0: "the cloud is not called" } as const;

/** What a node's condition `type` says of a level. Pure. */
export function degradationCondition<T extends string>(type: T, level: DegradationLevel, reason: string) {
  return level === "none"
    ? { type, status: "False" as const, reason: "NotDegraded", message: reason || "the cloud is used without restriction" }
    : { type, status: "True" as const, reason: level.toUpperCase(), message: `${degradationRule[level]}: ${reason}` };
}

/** What the instance says of itself. Source: the metadata service at 100.100.100.200. */
export interface InstanceIdentity {
  readonly instanceId: string;
  readonly instanceType: string;
  readonly regionId: string;
  readonly zoneId: string;
  readonly vpcId: string;
  readonly vSwitchId: string;
  readonly primaryMac: string;
}

/** One ENI as the metadata service shows it. */
export interface MetadataEni {
  readonly eniId: string;
  readonly mac: string;
  readonly vSwitchId: string;
  readonly primaryIpv4: string;
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  readonly gatewayIpv4: string;
  readonly gatewayIpv6?: string;
  readonly vSwitchCidr: string;
  readonly vSwitchIpv6Cidr?: string;
}

export interface Metadata {
  identity(signal?: AbortSignal): Promise<InstanceIdentity>;
  enis(signal?: AbortSignal): Promise<MetadataEni[]>;
  /** Short-lived credentials of the instance's RAM role; undefined when the instance has none. */
  roleCredentials(signal?: AbortSignal): Promise<RoleCredentials | undefined>;
}

export interface RoleCredentials {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string;
  readonly expiresAtMs: number;
}

/**
 * The closed set of what can go wrong with the cloud, from the point of view of who must decide what to do next.
 *
 * | class | meaning | who may try again |
 * |---|---|---|
 * | exhausted | the vSwitch has no address left | another vSwitch now; this one after a rest |
 * | quota | a limit of the ENI, the instance or the account | after something was released |
 * | throttled | too many calls | the same call, after the gate's delay |
 * | denied | RAM, signature, account state | nobody, until a person changes something; probed slowly |
 * | conflict | the object is in another state than the call needs | after reading the object again |
 * | gone | the named object does not exist | never with this name |
 * | invalid | the request itself is wrong, or names something unknown (security group, vSwitch) | never unchanged |
 * | transient | 5xx, connection refused: surely without effect or safe to repeat | the same call |
 * | unknown | no answer: the effect is unknown | after reading the object again (or with the same client token) |
 * | degraded | our own gate let nothing through | when the gate opens |
 */
export type CloudErrorClass =
  | "exhausted"
  | "quota"
  | "throttled"
  | "denied"
  | "conflict"
  | "gone"
  | "invalid"
  | "transient"
  | "unknown"
  | "degraded";

export interface CloudErrorFields {
  readonly class: CloudErrorClass;
  /** The real code as the cloud wrote it, for example `InvalidVSwitchId.IpNotEnough`; own codes where no answer came. */
  readonly code: string;
  /** The operation, for example `AssignPrivateIpAddresses`. */
  readonly action: string;
  readonly requestId?: string;
  readonly httpStatus?: number;
  /** The object concerned, for example `vsw-bp1…`. */
  readonly resource?: string;
  readonly retryAfterMs?: number;
}

export class CloudError extends Error implements CloudErrorFields {
  override readonly name = "CloudError";
  readonly class: CloudErrorClass;
  readonly code: string;
  readonly action: string;
  readonly requestId?: string;
  readonly httpStatus?: number;
  readonly resource?: string;
  readonly retryAfterMs?: number;

  constructor(message: string, fields: CloudErrorFields, options?: ErrorOptions) {
    super(message, options);
    this.class = fields.class;
    this.code = fields.code;
    this.action = fields.action;
    if (fields.requestId !== undefined) this.requestId = fields.requestId;
    if (fields.httpStatus !== undefined) this.httpStatus = fields.httpStatus;
    if (fields.resource !== undefined) this.resource = fields.resource;
    if (fields.retryAfterMs !== undefined) this.retryAfterMs = fields.retryAfterMs;
  }
}
