import {
  type Attachment,
  type DatapathMode,
  datapathModes,
  familyAddressSchema,
  hostInterfaceName,
  type Lease,
  networkPriorities,
} from "@terway/model";
import { z } from "zod";

/** What the node adds to every lease. */
export interface NodeNetwork {
  /** The node's primary addresses, as the datapath reports them. */
  readonly hostIpv4?: string;
  readonly hostIpv6?: string;
  /** MTU of pods by default. */
  readonly mtu: number;
  /** MTU of the node's own interface; absent while it is unknown. */
  readonly uplinkMtu?: number;
  readonly ruleForm: Attachment["ruleForm"];
  /** Groups of the ENIs that the daemon makes; empty while they are not known. */
  readonly securityGroupIds: readonly string[];
  /** Pods of one node reach each other inside it whatever groups their ENIs carry. */
  readonly localDeliveryAcrossSecurityGroups: boolean;
  /** Addresses of Services, which pods reach through the node in every mode. */
  readonly serviceCidrs: readonly string[];
  /** Destinations through the interface of every pod. */
  readonly extraRoutes: readonly string[];
}

/** A node-local DNS cache, which pods reach through the node when nothing else is configured. Source: Terway's list for exclusive ENIs. */
const nodeLocalDns = ["169.254.20.10/32"];

/** What the node and the call add to a lease. */
export interface AttachmentChoice {
  readonly mode: DatapathMode;
  readonly mtu?: number;
  readonly defaultRoute: boolean;
  /** Beside those of the node. */
  readonly extraRoutes?: readonly string[];
  /** `disable_host_peer`; only mode `exclusive` has such a pair. */
  readonly hostPeer?: boolean;
  /** `host_stack_cidrs`; beside Services. */
  readonly hostStackCidrs?: readonly string[];
  readonly shaping?: Pick<Attachment, "bandwidth" | "bandwidthMode" | "priority">;
  readonly trunk?: Pick<Attachment, "vlanId" | "trunkGatewayIpv4" | "trunkGatewayIpv6">;
  /** Groups of the ENI, as far as they are known. */
  readonly eniGroups?: readonly string[] | undefined;
  /** The pod has several interfaces. */
  readonly multiNetwork?: boolean;
  /** The node forwards by kernel programs. */
  readonly fastPath?: boolean;
}

/** What the pod interface must be. Pure: the same lease and choice give the same attachment. */
export function buildAttachment(lease: Lease, network: NodeNetwork, choice: AttachmentChoice): Attachment {
  const { sandbox } = lease;
  const has = (cidr: string) => (cidr.includes(":") ? lease.ipv6 : lease.ipv4) !== undefined;
  const distinct = (cidrs: readonly string[]) => [...new Set(cidrs)].filter(has);
  return {
    id: lease.id,
    generation: lease.generation,
    mode: choice.mode,
    netns: sandbox.netns,
    ifName: sandbox.ifName,
    hostIfName: hostInterfaceName(sandbox.podNamespace, sandbox.podName, sandbox.ifName),
    mtu: choice.mtu ?? network.mtu,
    ...(lease.ipv4 ? { ipv4: lease.ipv4 } : {}),
    ...(lease.ipv6 ? { ipv6: lease.ipv6 } : {}),
    eniMac: lease.eniMac,
    ...(lease.ipv4 && network.hostIpv4 ? { hostIpv4: network.hostIpv4 } : {}),
    ...(lease.ipv6 && network.hostIpv6 ? { hostIpv6: network.hostIpv6 } : {}),
    defaultRoute: choice.defaultRoute,
    extraRoutes: distinct([...network.extraRoutes, ...(choice.extraRoutes ?? [])]),
    ruleForm: network.ruleForm,
    hostStackCidrs: distinct([...network.serviceCidrs, ...(choice.hostStackCidrs ?? nodeLocalDns)]),
    // Further interfaces of the pod share that of the first one.
    ...(choice.mode === "exclusive" ? { hostPeer: (choice.hostPeer ?? true) && sandbox.ifName === "eth0" } : {}),
    ...choice.trunk,
    ...(hasOwnGroups(network, choice) ? { ownGroups: true } : {}),
    ...(choice.multiNetwork === true ? { multiNetwork: true } : {}),
    ...(choice.fastPath === true && isPair(choice.mode) ? { fastPath: true } : {}),
    ...choice.shaping,
  };
}

/** The node has an end of the pod's link. */
const isPair = (mode: DatapathMode) => mode === "policy_route" || mode === "netkit";

/**
 * The other modes lead everything out through the pod's own ENI as it is. What is not known is taken for the groups of the node, as an ENI of the daemon
 * has them.
 */
function hasOwnGroups(network: NodeNetwork, { mode, eniGroups = [] }: AttachmentChoice): boolean {
  const { securityGroupIds: usual, localDeliveryAcrossSecurityGroups } = network;
  if (localDeliveryAcrossSecurityGroups || !isPair(mode)) return false;
  if (eniGroups.length === 0 || usual.length === 0) return false;
  const [theirs, ours] = [new Set(eniGroups), new Set(usual)];
  return theirs.size !== ours.size || eniGroups.some((id) => !ours.has(id));
}

const attachmentSchema = z.object({
  id: z.string(),
  generation: z.number(),
  mode: z.enum(datapathModes),
  netns: z.string(),
  ifName: z.string(),
  hostIfName: z.string(),
  mtu: z.number(),
  ipv4: familyAddressSchema.exactOptional(),
  ipv6: familyAddressSchema.exactOptional(),
  eniMac: z.string(),
  hostIpv4: z.string().exactOptional(),
  hostIpv6: z.string().exactOptional(),
  defaultRoute: z.boolean(),
  extraRoutes: z.array(z.string()),
  ruleForm: z.enum(["compact", "per_pod"]),
  vlanId: z.number().exactOptional(),
  trunkGatewayIpv4: z.string().exactOptional(),
  trunkGatewayIpv6: z.string().exactOptional(),
  ownGroups: z.boolean().exactOptional(),
  multiNetwork: z.boolean().exactOptional(),
  fastPath: z.boolean().exactOptional(),
  hostStackCidrs: z.array(z.string()).exactOptional(),
  hostPeer: z.boolean().exactOptional(),
  bandwidth: z.object({ ingress: z.number().exactOptional(), egress: z.number().exactOptional() }).exactOptional(),
  bandwidthMode: z.enum(["tc", "edt"]).exactOptional(),
  priority: z.enum(networkPriorities).exactOptional(),
}) satisfies z.ZodType<Attachment>;

/** The attachment that was journaled with the lease; undefined when it was written in a form that this version does not know. */
export function readAttachment(lease: Lease): Attachment | undefined {
  const parsed = attachmentSchema.safeParse(lease.payload);
  return parsed.success ? parsed.data : undefined;
}
