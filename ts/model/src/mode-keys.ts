import { z } from "zod";
import type { ConfigIssue } from "./config-issue.ts";
import { choice, key } from "./config-key.ts";

const flag = z.boolean().optional();

export const virtualTypes = ["veth", "policyroute", "ipvlan", "datapathv2"] as const;

/** Keys that choose how pods are connected. People find some of them in either file, so both files may hold all of them. */
export const modeKeyShape = {
  eniip_virtual_type: key(choice(virtualTypes), {
    type: "`veth`, `PolicyRoute`, `IPVlan` or `datapathv2`, any case",
    status: "active",
    meaning: "How pods are connected, see [modes](modes.md). `PolicyRoute` is `veth`; `IPVlan` with one of the eBPF keys is `datapathv2`.",
  }),
  enable_ebpf: key(flag, {
    type: "boolean",
    status: "active",
    meaning: "eBPF programs forward the packets of pods: `datapathv2`.",
  }),
  enable_datapath_v2: key(flag, {
    type: "boolean",
    status: "active",
    meaning: "The same by its newer name.",
  }),
  network_policy_provider: key(choice(["iptables", "ebpf"]), {
    type: "`iptables` or `ebpf`",
    status: "active",
    meaning: "Who enforces NetworkPolicy; `ebpf` asks for `datapathv2` too.",
  }),
  enable_eni_trunking: key(flag, {
    type: "boolean",
    status: "active",
    meaning: "Pods may be members of a trunk ENI of the node, which their PodENI names. Ignored on nodes with exclusive ENIs.",
  }),
  trunk_on: key(flag, { type: "boolean", status: "synonym", meaning: "`enable_eni_trunking`, which wins." }),
  enable_netkit: key(flag, {
    type: "boolean",
    status: "active",
    meaning:
      "Pods get netkit pairs instead of veth pairs (kernel ≥ 6.7; a key of this project). Without netkit in the kernel they get veth pairs. Has no meaning with IPvlan.",
  }),
} as const;

/** The same as a file has them; absent is absent. */
export interface ModeKeys {
  readonly virtualType?: "veth" | "ipvlan" | "datapathv2";
  readonly ebpf?: boolean;
  readonly datapathV2?: boolean;
  readonly networkPolicyProvider?: "iptables" | "ebpf";
  readonly trunking?: boolean;
  readonly netkit?: boolean;
}

type ModeKeysFile = z.infer<z.ZodObject<typeof modeKeyShape>>;

/** A file's keys with spellings and synonyms resolved. */
export function modeKeys(file: ModeKeysFile): ModeKeys {
  const virtualType = file.eniip_virtual_type === "policyroute" ? "veth" : file.eniip_virtual_type;
  const trunking = file.enable_eni_trunking ?? file.trunk_on;
  return {
    ...(virtualType === undefined ? {} : { virtualType }),
    ...(file.enable_ebpf === undefined ? {} : { ebpf: file.enable_ebpf }),
    ...(file.enable_datapath_v2 === undefined ? {} : { datapathV2: file.enable_datapath_v2 }),
    ...(file.network_policy_provider === undefined ? {} : { networkPolicyProvider: file.network_policy_provider }),
    ...(trunking === undefined ? {} : { trunking }),
    ...(file.enable_netkit === undefined ? {} : { netkit: file.enable_netkit }),
  };
}

/** As people write them. */
export const modeKeyNames: Readonly<Record<keyof ModeKeys, string>> = {
  virtualType: "eniip_virtual_type",
  ebpf: "enable_ebpf",
  datapathV2: "enable_datapath_v2",
  networkPolicyProvider: "network_policy_provider",
  trunking: "enable_eni_trunking",
  netkit: "enable_netkit",
};

/** Key by key: `10-terway.conf` wins, and every disagreement is told. */
export function mergeModeKeys(eniConf: ModeKeys, cniConf: ModeKeys): { readonly keys: ModeKeys; readonly errors: readonly ConfigIssue[] } {
  const errors = Object.entries(modeKeyNames).flatMap(([field, path]): ConfigIssue[] => {
    // Object.entries forgets the type of the names.
    const [theirs, ours] = [eniConf[field as keyof ModeKeys], cniConf[field as keyof ModeKeys]];
    if (theirs === undefined || ours === undefined || theirs === ours) return [];
    const message = `is ${JSON.stringify(theirs)} in eni_conf and ${JSON.stringify(ours)} in 10-terway.conf; 10-terway.conf counts. Make them equal, or remove one.`;
    return [{ path, code: "overridden", message }];
  });
  return { keys: { ...eniConf, ...cniConf }, errors };
}
