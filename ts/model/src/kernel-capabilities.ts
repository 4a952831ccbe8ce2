/** What a kernel may lack, in the order in which it is tried; mirrored by `crates/datapath/src/capability.rs`. */
export const kernelFeatures = [
  "veth",
  /** IPvlan slaves in L2 mode. */
  "ipvlan",
  /** 802.1Q links. */
  "vlan",
  /** netkit pairs in L3 mode. */
  "netkit",
  /** netkit pairs that keep mark and priority (`IFLA_NETKIT_SCRUB`). */
  "netkitScrub",
  "clsact",
  /** Loading BPF classifiers at all: refused without CAP_BPF or under kernel lockdown. */
  "bpf",
  /** BPF classifiers on `clsact`. */
  "clsBpf",
  "tbf",
  /** `ifb` and the action that redirects to it: what a pod's own device receives can wait in a queue. */
  "ifb",
  /** Keeps departure times: bandwidth mode `edt` needs it, and `clsBpf`. */
  "fq",
  "prio",
  "mq",
  "ipv6",
  /** IPv6 routes with a source prefix (`CONFIG_IPV6_SUBTREES`). */
  "ipv6SourceRoutes",
  /** Rules that ignore answers with short prefixes. */
  "ruleSuppressPrefixLength",
  /** Rules that jump to other rules. */
  "ruleGoto",
  "nftables",
] as const;
export type KernelFeature = (typeof kernelFeatures)[number];

/** Whether a feature is there; the reason is the kernel's own. */
export interface KernelFeatureState {
  readonly available: boolean;
  readonly reason?: string;
}

/** What the running kernel can do, found out by making and removing, never from its version. A module that loads on demand counts as there. */
export type KernelCapabilities = { readonly release: string } & Readonly<Record<KernelFeature, KernelFeatureState>>;
