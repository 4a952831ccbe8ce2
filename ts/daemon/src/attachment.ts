import { type Attachment, datapathModes, hostInterfaceName, type Lease, networkPriorities } from "@terway/model";
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
  /** Addresses of Services, which pods that have an ENI to themselves reach through the node. */
  readonly serviceCidrs: readonly string[];
}

/** A node-local DNS cache, which pods that have an ENI to themselves reach through the node when nothing else is configured. Source: Terway. */
const nodeLocalDns = ["169.254.20.10/32"];

/** What the pod interface must be. Pure: the same lease and configuration give the same attachment. */
export function buildAttachment(
  lease: Lease,
  network: NodeNetwork,
  choice: {
    readonly mtu?: number;
    readonly defaultRoute: boolean;
    readonly extraRoutes: readonly string[];
    /** Only for a lease that holds a whole ENI: a pair to the node (true when absent), and what is reached through it beside Services. */
    readonly hostPeer?: boolean;
    readonly hostStackCidrs?: readonly string[];
  },
): Attachment {
  const { sandbox } = lease;
  return {
    id: lease.id,
    generation: lease.generation,
    mode: lease.exclusive ? "exclusive" : "policy_route",
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
    extraRoutes: choice.extraRoutes,
    ruleForm: network.ruleForm,
    ...(lease.exclusive && {
      // Further interfaces of the pod share that of the first one.
      hostPeer: (choice.hostPeer ?? true) && sandbox.ifName === "eth0",
      hostStackCidrs: [...new Set([...network.serviceCidrs, ...(choice.hostStackCidrs ?? nodeLocalDns)])],
    }),
  };
}

const familySchema = z.object({ address: z.string(), prefixLength: z.number(), gateway: z.string() });
const attachmentSchema = z.object({
  id: z.string(),
  generation: z.number(),
  mode: z.enum(datapathModes),
  netns: z.string(),
  ifName: z.string(),
  hostIfName: z.string(),
  mtu: z.number(),
  ipv4: familySchema.optional(),
  ipv6: familySchema.optional(),
  eniMac: z.string(),
  hostIpv4: z.string().optional(),
  hostIpv6: z.string().optional(),
  defaultRoute: z.boolean(),
  extraRoutes: z.array(z.string()),
  ruleForm: z.enum(["compact", "per_pod"]),
  vlanId: z.number().optional(),
  trunkGatewayIpv4: z.string().optional(),
  trunkGatewayIpv6: z.string().optional(),
  multiNetwork: z.boolean().optional(),
  hostStackCidrs: z.array(z.string()).optional(),
  hostPeer: z.boolean().optional(),
  bandwidth: z.object({ ingress: z.number().optional(), egress: z.number().optional() }).optional(),
  bandwidthMode: z.enum(["tc", "edt"]).optional(),
  priority: z.enum(networkPriorities).optional(),
});

/** The attachment that was journaled with the lease; undefined when it was written in a form that this version does not know. */
export function readAttachment(lease: Lease): Attachment | undefined {
  const parsed = attachmentSchema.safeParse(lease.payload);
  // zod writes optional keys as `T | undefined`; from JSON they are absent, never undefined.
  return parsed.success ? (parsed.data as Attachment) : undefined;
}
