import type { DatapathMode } from "./attachment.ts";
import type { ConfigIssue } from "./config-issue.ts";
import type { KernelCapabilities, KernelFeature } from "./kernel-capabilities.ts";
import { type ModeKeys, mergeModeKeys } from "./mode-keys.ts";

/** Label of a node: `eniOnly` gives each pod a whole ENI; `default` and absent are shared ENIs. Any case. */
export const exclusiveModeLabel = "k8s.aliyun.com/exclusive-mode-eni-type";

/** The oldest kernel that the datapath is made for. */
export const oldestKernel = { major: 5, minor: 10 } as const;

/** How the pods of a node are connected. */
export interface RunningModes {
  /** What the node's own pool gives a pod: one address of a shared ENI, or a whole ENI. */
  readonly node: "shared" | "exclusive";
  /** Pods with an address of a shared ENI. */
  readonly shared: DatapathMode;
  /** Pods that are members of a trunk ENI. */
  readonly trunkMember: DatapathMode;
  /** eBPF programs forward the packets of `policy_route` and `netkit`. */
  readonly fastPath: boolean;
}

export interface NodeModes extends RunningModes {
  /** Pods that have an ENI to themselves; nothing else is possible for them. */
  readonly exclusive: "exclusive";
  /** The node may have a trunk ENI. */
  readonly trunk: boolean;
  readonly bandwidthMode: "tc" | "edt";
  /** ENIs have classes, and pods choose theirs by annotation. */
  readonly networkPriority: boolean;
}

/** Something that was asked for and that the kernel cannot do. Told by the event `VirtualModeChanged`. */
export interface ModeFallback {
  readonly wanted: string;
  readonly used: string;
  readonly reason: string;
}

export interface NodeModeInput {
  readonly eniConf: ModeKeys;
  readonly cniConf: ModeKeys;
  /** `vlan_strip_type` of `10-terway.conf`. */
  readonly vlanStripType: "filter" | "vlan";
  /** `bandwidth_mode` of `10-terway.conf`; absent: as fits the mode. */
  readonly bandwidthMode?: "tc" | "edt";
  /** `enable_network_priority` of `10-terway.conf`. */
  readonly networkPriority?: boolean;
  /** Value of {@link exclusiveModeLabel} on the node. */
  readonly label?: string;
  readonly kernel: KernelCapabilities;
  /** What pods that live on the node run; absent when there are none. They are never flipped, and new pods follow them. */
  readonly live?: RunningModes;
}

export type NodeModeDecision =
  | {
      readonly ok: true;
      readonly modes: NodeModes;
      readonly fallbacks: readonly ModeFallback[];
      /** Told by the event `ConfigError`; none of them stops the node. */
      readonly errors: readonly ConfigIssue[];
    }
  | { readonly ok: false; readonly reason: string };

/** Which mode a node and each kind of its pods get. Pure; `node-mode-table.ts` says the same as a table. */
export function decideNodeMode(input: NodeModeInput): NodeModeDecision {
  const refused = refuseKernel(input.kernel.release);
  if (refused !== undefined) return { ok: false, reason: refused };
  const merged = mergeModeKeys(input.eniConf, input.cniConf);
  const fresh = freshModes(input, merged.keys);
  const { live } = input;
  const running = live ?? fresh.modes;
  const bandwidth = bandwidthModeOf(input, running.fastPath);
  const noClasses = input.networkPriority === true ? lacks(input.kernel, ["prio"]) : undefined;
  const classes = noClasses === undefined ? [] : [{ wanted: "enable_network_priority", used: "one class", reason: noClasses }];
  return {
    ok: true,
    modes: {
      node: running.node,
      shared: running.shared,
      trunkMember: running.trunkMember,
      exclusive: "exclusive",
      fastPath: running.fastPath,
      trunk: merged.keys.trunking === true && running.node === "shared",
      bandwidthMode: bandwidth.mode,
      networkPriority: input.networkPriority === true && noClasses === undefined,
    },
    // What is not begun cannot fall back.
    fallbacks: [...(live === undefined ? fresh.fallbacks : []), ...bandwidth.fallbacks, ...classes],
    errors: [...merged.errors, ...fresh.errors, ...(live === undefined ? [] : pending(live, fresh.modes))],
  };
}

interface Fresh {
  readonly modes: RunningModes;
  readonly fallbacks: readonly ModeFallback[];
  readonly errors: readonly ConfigIssue[];
}

/** What a node without pods begins with. */
function freshModes({ kernel, label, vlanStripType }: NodeModeInput, keys: ModeKeys): Fresh {
  const node = label?.toLowerCase() === "enionly" ? "exclusive" : "shared";
  const errors: ConfigIssue[] = [];
  if (label !== undefined && !["", "default", "enionly"].includes(label.toLowerCase())) {
    errors.push({
      path: exclusiveModeLabel,
      code: "ignored",
      message: `must be "eniOnly" or "default", but is ${JSON.stringify(label)}; it is read as "default".`,
    });
  }
  if (keys.virtualType === "datapathv2" && (keys.ebpf === false || keys.datapathV2 === false)) {
    const path = keys.ebpf === false ? "enable_ebpf" : "enable_datapath_v2";
    errors.push({ path, code: "overridden", message: "is false, but `eniip_virtual_type` is `datapathv2`, which counts." });
  }
  const fallbacks: ModeFallback[] = [];
  const wanted = wantedType(keys);
  const lacksOf = { ipvlan: lacks(kernel, ["ipvlan"]), datapathv2: lacks(kernel, ["clsact", "bpf", "clsBpf"]), veth: undefined };
  const lacking = lacksOf[wanted];
  const pair: DatapathMode = keys.netkit === true && kernel.netkit.available ? "netkit" : "policy_route";
  const shared: DatapathMode = wanted === "ipvlan" && lacking === undefined ? "ipvlan" : pair;
  const pairName = pair === "netkit" ? "netkit" : "veth";
  if (lacking !== undefined) fallbacks.push({ wanted, used: pairName, reason: lacking });
  const noNetkit = lacks(kernel, ["netkit"]);
  if (keys.netkit === true && shared !== "ipvlan" && noNetkit !== undefined) {
    fallbacks.push({ wanted: "netkit", used: "veth", reason: noNetkit });
  }

  const strips: Readonly<Record<"filter" | "vlan", { readonly mode: DatapathMode; readonly lacking: string | undefined }>> = {
    filter: { mode: shared, lacking: lacks(kernel, ["clsact", "clsBpf"]) },
    vlan: { mode: "vlan", lacking: lacks(kernel, ["vlan"]) },
  };
  const other = vlanStripType === "filter" ? "vlan" : "filter";
  const { lacking: reason } = strips[vlanStripType];
  const strip = reason !== undefined && strips[other].lacking === undefined ? other : vlanStripType;
  if (reason !== undefined && keys.trunking === true && node === "shared") {
    if (strip === other) fallbacks.push({ wanted: `vlan_strip_type ${vlanStripType}`, used: other, reason });
    else errors.push({ path: "enable_eni_trunking", code: "unsupported", message: `no pod can be a member of a trunk: ${reason}.` });
  }
  const fastPath = wanted === "datapathv2" && lacking === undefined;
  return { modes: { node, shared, trunkMember: strips[strip].mode, fastPath }, fallbacks, errors };
}

/** What the keys ask for. IPvlan and eBPF together have been `datapathv2` since upstream gave up IPvlan under eBPF. */
function wantedType(keys: ModeKeys): "veth" | "ipvlan" | "datapathv2" {
  const ebpf = keys.virtualType === "datapathv2" || keys.ebpf === true || keys.datapathV2 === true || keys.networkPolicyProvider === "ebpf";
  if (ebpf) return "datapathv2";
  return keys.virtualType === "ipvlan" ? "ipvlan" : "veth";
}

function bandwidthModeOf(input: NodeModeInput, fastPath: boolean): { mode: "tc" | "edt"; fallbacks: readonly ModeFallback[] } {
  const asked = input.bandwidthMode;
  const reason = lacks(input.kernel, ["clsact", "clsBpf", "fq"]);
  if ((asked ?? (fastPath ? "edt" : "tc")) === "tc") return { mode: "tc", fallbacks: [] };
  if (reason === undefined) return { mode: "edt", fallbacks: [] };
  return { mode: "tc", fallbacks: asked === undefined ? [] : [{ wanted: "bandwidth_mode edt", used: "tc", reason }] };
}

/** What the configuration asks for and the node does not do, because pods live on it. */
function pending(live: RunningModes, fresh: RunningModes): ConfigIssue[] {
  const found: ConfigIssue[] = [];
  const keep = (path: string, asked: string, runs: string) => {
    const message = `asks for ${asked}, but pods of this node run ${runs}, and a node is never changed under its pods; drain it, then restart terwayd.`;
    found.push({ path, code: "pending", message });
  };
  const enis = { shared: "shared ENIs", exclusive: "an ENI for each pod" };
  if (live.node !== fresh.node) keep(exclusiveModeLabel, enis[fresh.node], enis[live.node]);
  const named = ({ shared, fastPath }: RunningModes) => `${shared}${fastPath ? " with datapathv2" : ""}`;
  if (named(live) !== named(fresh)) keep("eniip_virtual_type", named(fresh), named(live));
  else if (live.trunkMember !== fresh.trunkMember) keep("vlan_strip_type", fresh.trunkMember, live.trunkMember);
  return found;
}

function lacks(kernel: KernelCapabilities, features: readonly KernelFeature[]): string | undefined {
  const missing = features.flatMap((feature) => {
    const { available, reason } = kernel[feature];
    return available ? [] : [reason === undefined ? feature : `${feature} (${reason})`];
  });
  return missing.length === 0 ? undefined : `kernel ${kernel.release} lacks ${missing.join(", ")}`;
}

/** Why the datapath does not start on this kernel. A release that cannot be read is taken for too old, as upstream does. */
export function refuseKernel(release: string): string | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const found = Number(major) * 1000 + Number(minor);
  if (found >= oldestKernel.major * 1000 + oldestKernel.minor) return undefined;
  return `kernel ${JSON.stringify(release)} is not supported: ${oldestKernel.major}.${oldestKernel.minor} or newer is needed. Update the node's image; 3.10 and 4.18, which old documents name, belong to releases long gone.`;
}
