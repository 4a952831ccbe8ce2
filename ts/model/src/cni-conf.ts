import { z } from "zod";
import { canonicalCidr, parseCidr } from "./address.ts";
import { type ConfigIssue, issuesOf, unknownKeys } from "./config-issue.ts";
import { choice, key, notImplemented } from "./config-key.ts";
import { type ModeKeys, modeKeyShape, modeKeys } from "./mode-keys.ts";
import type { SymmetricRouting } from "./symmetric-routing.ts";

const text = z.string().optional();
const flag = z.boolean().optional();
const opaque = z.unknown().optional();
const mtu = z.int().min(576).max(65_535).optional();
const cidrs = z.array(z.string().refine((value) => parseCidr(value) !== undefined, "must be a CIDR")).optional();
const rate = z.int().min(0).optional();
/** libcni writes null for an empty list. */
const attachments = z
  .array(z.object({ containerID: z.string().min(1), ifname: z.string().min(1) }))
  .nullish()
  .transform((list) => list ?? (list === null ? [] : undefined));
const standard = (type: string, meaning: string) => ({ type, status: "active" as const, meaning });

/**
 * The network configuration of one plugin as the runtime hands it to the executable: the object of `10-terway.conf`, or of the list of
 * `10-terway.conflist` with `cniVersion` and `name` added. Keys of the CNI specification first, then Terway's, then those of documents.
 */
export const cniConfFileSchema = z.object({
  cniVersion: key(text, standard("version", "Version of the CNI specification that the answer must follow.")),
  cniVersions: key(
    z.array(z.string()).optional(),
    standard("list of version", "Further versions that the list may be run with (specification 1.1.0)."),
  ),
  name: key(text, standard("text", "Name of the network.")),
  type: key(text, standard("text", "Name of the executable: `terway`.")),
  capabilities: key(
    z.record(z.string(), z.boolean()).optional(),
    standard("object: name → boolean", "`bandwidth` asks the runtime for `runtimeConfig.bandwidth`."),
  ),
  runtimeConfig: key(
    z
      .looseObject({
        bandwidth: key(z.object({ ingressRate: rate, ingressBurst: rate, egressRate: rate, egressBurst: rate }).optional(), {
          type: "{ingressRate, ingressBurst, egressRate, egressBurst}",
          status: "active",
          meaning: "Limits of the pod's traffic in bit/s; bursts are chosen by the datapath.",
        }),
      })
      .optional(),
    standard("object", "From the runtime, for each capability; `bandwidth` limits the pod's traffic in bit/s and wins over annotations."),
  ),
  prevResult: key(
    z.record(z.string(), z.unknown()).optional(),
    standard("object", "Result of the plugin before in the list, or of ADD when CHECK and DEL are called."),
  ),
  "cni.dev/valid-attachments": key(
    attachments,
    standard("list of {containerID, ifname}", "GC: attachments that are in use; everything else is removed."),
  ),
  "cni.dev/attachments": key(
    attachments,
    standard("list of {containerID, ifname}", "The same under the name that the specification's text uses elsewhere."),
  ),
  args: key(opaque, standard("any", "Read by nobody.")),
  ipam: key(opaque, standard("any", "Read by nobody: addresses come from the daemon.")),
  dns: key(opaque, standard("any", "Read by nobody.")),
  ipMasq: key(opaque, standard("any", "Read by nobody.")),
  disableCheck: key(flag, standard("boolean", "For the runtime: CHECK is not called.")),
  disableGC: key(flag, standard("boolean", "For the runtime: GC is not called.")),
  loadOnlyInlinedPlugins: key(flag, standard("boolean", "For the runtime.")),

  ...modeKeyShape,
  mtu: key(mtu, {
    type: "integer 576 to 65535",
    status: "active",
    meaning: "MTU of pod interfaces (1500 when absent, or that of the node with `auto_mtu`).",
  }),
  auto_mtu: key(flag, { type: "boolean", status: "active", meaning: "Without `mtu`: pods get the MTU of the node's own interface." }),
  host_stack_cidrs: key(cidrs, {
    type: "list of CIDR",
    status: "active",
    meaning:
      "Destinations that a pod reaches through the node's own stack in every mode, such as a node-local DNS cache. On nodes with exclusive ENIs 169.254.20.10/32 when absent.",
  }),
  disable_host_peer: key(flag, {
    type: "boolean",
    status: "active",
    meaning: "Exclusive ENI: no link to the node, and so no Services and no node-local DNS.",
  }),
  vlan_strip_type: key(choice(["filter", "vlan"]), {
    type: "`filter` or `vlan`",
    status: "active",
    meaning: "Trunk members: tags are pushed and popped on the trunk ENI, or the pod gets an 802.1Q link (`filter` when absent).",
  }),
  bandwidth_mode: key(choice(["edt", "tc"]), {
    type: "`edt` or `tc`",
    status: "active",
    meaning: "Who delays what a pod sends: departure times kept by fq on the ENI, or a token bucket on its link (`tc` when absent).",
  }),
  enable_network_priority: key(flag, {
    type: "boolean",
    status: "active",
    meaning: "Pod annotation `k8s.aliyun.com/network-priority` counts, and ENIs get three classes.",
  }),
  symmetric_routing: key(flag, {
    type: "boolean",
    status: "active",
    meaning:
      "Connections that come in through the node's own interface and go on to a pod (NodePort, hostPort) are answered there. What it made is removed when it is switched off.",
  }),
  symmetric_routing_config: key(
    z
      .object({
        interface: text,
        mark: z.int().min(0).optional(),
        mask: z.int().min(0).optional(),
        table_id: z.int().min(0).optional(),
        rule_priority: z.int().min(0).max(32_765).optional(),
        comment: text,
        backend: choice(["iptables", "nftables"]),
      })
      .optional(),
    {
      type: "{interface, mark, mask, table_id, rule_priority, comment, backend: `iptables` or `nftables`}",
      status: "active",
      meaning:
        "Absent or 0: the interface of the node's default route, mark and mask 0x10, table 100, priority 600, comment `terway-symmetric`, back end `iptables`.",
    },
  ),
  debug: key(flag, { type: "boolean", status: "planned", meaning: "More log lines of the executable." }),
  veth_prefix: key(text, { type: "text", status: "ignored", inert: "cali", meaning: "Host interfaces are always named `cali…`." }),
  cilium_enable_hubble: key(text, { type: "text", status: "planned", inert: "false", meaning: "`true`: flow events of the node." }),
  cilium_hubble_metrics: key(text, { type: "text", status: "planned", meaning: "Metrics made of flow events." }),
  cilium_hubble_listen_address: key(text, { type: "address", status: "planned", meaning: "Where flow events are served." }),
  cilium_hubble_metrics_server: key(text, { type: "address", status: "planned", meaning: "Where metrics of flow events are served." }),
  cilium_args: key(text, { type: "text", status: "ignored", meaning: "No Cilium agent runs here." }),
});
type CniConfFile = z.infer<typeof cniConfFileSchema>;

/** The network configuration with defaults filled in. Holds only what is implemented. */
export interface CniConf {
  readonly cniVersion?: string;
  readonly name?: string;
  /** Absent: the node's own with `autoMtu`, else 1500. */
  readonly mtu?: number;
  readonly autoMtu: boolean;
  /** How pods are connected, as far as this file says. */
  readonly modeKeys: ModeKeys;
  /** Absent: the node's choice. */
  readonly hostStackCidrs?: readonly string[];
  readonly disableHostPeer: boolean;
  readonly vlanStripType: "filter" | "vlan";
  /** Absent: as fits the mode. */
  readonly bandwidthMode?: "tc" | "edt";
  readonly enableNetworkPriority: boolean;
  /** Absent: off. */
  readonly symmetricRouting?: SymmetricRouting;
  /** What the runtime asks for this pod, in bit/s; a direction without limit is absent. */
  readonly bandwidth?: { readonly ingressBits?: number; readonly egressBits?: number };
  readonly prevResult?: Readonly<Record<string, unknown>>;
  /** Only for GC; absent when the runtime did not say, which must not be read as "none". */
  readonly validAttachments?: readonly { readonly containerId: string; readonly ifName: string }[];
}

export type CniConfResult =
  | { readonly ok: true; readonly config: CniConf; readonly warnings: readonly ConfigIssue[] }
  | { readonly ok: false; readonly errors: readonly ConfigIssue[]; readonly warnings: readonly ConfigIssue[] };

/** Reads the network configuration of a CNI request. Errors are CNI code 7; warnings are worth one log line for each new configuration. */
export function parseCniConf(value: unknown): CniConfResult {
  const parsed = cniConfFileSchema.safeParse(value);
  const warnings = [...unknownKeys(cniConfFileSchema, value), ...notImplemented(cniConfFileSchema, value)];
  if (!parsed.success) return { ok: false, errors: issuesOf(parsed.error, value, () => false), warnings };
  return { ok: true, config: normalize(parsed.data), warnings };
}

function normalize(file: CniConfFile): CniConf {
  const valid = file["cni.dev/valid-attachments"] ?? file["cni.dev/attachments"];
  return {
    ...(file.cniVersion ? { cniVersion: file.cniVersion } : {}),
    ...(file.name ? { name: file.name } : {}),
    ...(file.mtu === undefined ? {} : { mtu: file.mtu }),
    autoMtu: file.auto_mtu ?? false,
    modeKeys: modeKeys(file),
    ...(file.host_stack_cidrs ? { hostStackCidrs: file.host_stack_cidrs.flatMap((cidr) => canonicalCidr(cidr) ?? []) } : {}),
    disableHostPeer: file.disable_host_peer ?? false,
    vlanStripType: file.vlan_strip_type ?? "filter",
    ...(file.bandwidth_mode ? { bandwidthMode: file.bandwidth_mode } : {}),
    enableNetworkPriority: file.enable_network_priority ?? false,
    ...(file.symmetric_routing === true ? { symmetricRouting: symmetricRoutingOf(file) } : {}),
    ...bandwidthOf(file),
    ...(file.prevResult ? { prevResult: file.prevResult } : {}),
    ...(valid ? { validAttachments: valid.map(({ containerID, ifname }) => ({ containerId: containerID, ifName: ifname })) } : {}),
  };
}

/** 0 is how the runtime says "no limit". */
function bandwidthOf({ runtimeConfig }: CniConfFile): Pick<CniConf, "bandwidth"> {
  const { ingressRate, egressRate } = runtimeConfig?.bandwidth ?? {};
  if (!ingressRate && !egressRate) return {};
  return { bandwidth: { ...(ingressRate ? { ingressBits: ingressRate } : {}), ...(egressRate ? { egressBits: egressRate } : {}) } };
}

function symmetricRoutingOf({ symmetric_routing_config: config = {} }: CniConfFile): SymmetricRouting {
  const { interface: name, mark, mask, table_id: tableId, rule_priority: rulePriority, comment, backend } = config;
  return {
    ...(name ? { interface: name } : {}),
    ...(mark ? { mark } : {}),
    ...(mask ? { mask } : {}),
    ...(tableId ? { tableId } : {}),
    ...(rulePriority ? { rulePriority } : {}),
    ...(comment ? { comment } : {}),
    ...(backend ? { backend } : {}),
  };
}
