/**
 * The decision of `node-mode.ts` as tables, for people (docs/reference/modes.md) and for the test, which compares every combination of inputs. Each
 * combination matches exactly one row of each part; a column that a row does not name does not matter.
 */
export interface ModeTablePart {
  readonly title: string;
  readonly note: string;
  readonly when: readonly string[];
  readonly gives: readonly string[];
  readonly rows: readonly ModeTableRow[];
}

export interface ModeTableRow {
  readonly when: Readonly<Record<string, readonly string[]>>;
  readonly gives: Readonly<Record<string, string>>;
}

const row = (when: ModeTableRow["when"], gives: ModeTableRow["gives"]): ModeTableRow => ({ when, gives });

const notTrue = ["false", "absent"];
const notEbpf = ["iptables", "absent"];
const pairs = ["absent", "veth", "PolicyRoute"];

const asked: ModeTablePart = {
  title: "What the keys ask for",
  note: "The keys may stand in `eni_conf` and in `10-terway.conf`; key by key `10-terway.conf` wins, and where both differ a ConfigError says so.",
  when: ["eniip_virtual_type", "enable_ebpf", "enable_datapath_v2", "network_policy_provider"],
  gives: ["asked for"],
  rows: [
    row({ eniip_virtual_type: ["datapathv2"] }, { "asked for": "datapathv2" }),
    row({ eniip_virtual_type: [...pairs, "IPVlan"], enable_ebpf: ["true"] }, { "asked for": "datapathv2" }),
    row({ eniip_virtual_type: [...pairs, "IPVlan"], enable_ebpf: notTrue, enable_datapath_v2: ["true"] }, { "asked for": "datapathv2" }),
    row(
      {
        eniip_virtual_type: [...pairs, "IPVlan"],
        enable_ebpf: notTrue,
        enable_datapath_v2: notTrue,
        network_policy_provider: ["ebpf"],
      },
      { "asked for": "datapathv2" },
    ),
    row(
      { eniip_virtual_type: ["IPVlan"], enable_ebpf: notTrue, enable_datapath_v2: notTrue, network_policy_provider: notEbpf },
      { "asked for": "ipvlan" },
    ),
    row(
      { eniip_virtual_type: pairs, enable_ebpf: notTrue, enable_datapath_v2: notTrue, network_policy_provider: notEbpf },
      { "asked for": "veth" },
    ),
  ],
};

/** One row of the second part; `fallback` is empty where the kernel can do what is asked for. */
const becomes = (when: ModeTableRow["when"], shared: string, fastPath: "yes" | "no", fallback = "") =>
  row(when, { "pods of shared ENIs": shared, "fast path": fastPath, VirtualModeChanged: fallback });
const [yes, no] = [["yes"], ["no"]];
const [on, off] = [["true"], notTrue];

const shared: ModeTablePart = {
  title: "What the kernel makes of it",
  note: "“Kernel” columns are the result of the probe: `eBPF` is clsact with BPF classifiers. The mode is that of pods with an address of a shared ENI.",
  when: ["asked for", "enable_netkit", "kernel IPvlan", "kernel eBPF", "kernel netkit"],
  gives: ["pods of shared ENIs", "fast path", "VirtualModeChanged"],
  rows: [
    becomes({ "asked for": ["veth"], enable_netkit: off }, "policy_route", "no"),
    becomes({ "asked for": ["veth"], enable_netkit: on, "kernel netkit": yes }, "netkit", "no"),
    becomes({ "asked for": ["veth"], enable_netkit: on, "kernel netkit": no }, "policy_route", "no", "netkit → veth"),
    becomes({ "asked for": ["ipvlan"], "kernel IPvlan": yes }, "ipvlan", "no"),
    becomes({ "asked for": ["ipvlan"], enable_netkit: off, "kernel IPvlan": no }, "policy_route", "no", "ipvlan → veth"),
    becomes({ "asked for": ["ipvlan"], enable_netkit: on, "kernel IPvlan": no, "kernel netkit": yes }, "netkit", "no", "ipvlan → netkit"),
    becomes(
      { "asked for": ["ipvlan"], enable_netkit: on, "kernel IPvlan": no, "kernel netkit": no },
      ...(["policy_route", "no", "ipvlan → veth, netkit → veth"] as const),
    ),
    becomes({ "asked for": ["datapathv2"], enable_netkit: off, "kernel eBPF": yes }, "policy_route", "yes"),
    becomes({ "asked for": ["datapathv2"], enable_netkit: off, "kernel eBPF": no }, "policy_route", "no", "datapathv2 → veth"),
    becomes({ "asked for": ["datapathv2"], enable_netkit: on, "kernel eBPF": yes, "kernel netkit": yes }, "netkit", "yes"),
    becomes(
      { "asked for": ["datapathv2"], enable_netkit: on, "kernel eBPF": yes, "kernel netkit": no },
      ...(["policy_route", "yes", "netkit → veth"] as const),
    ),
    becomes(
      { "asked for": ["datapathv2"], enable_netkit: on, "kernel eBPF": no, "kernel netkit": yes },
      ...(["netkit", "no", "datapathv2 → netkit"] as const),
    ),
    becomes(
      { "asked for": ["datapathv2"], enable_netkit: on, "kernel eBPF": no, "kernel netkit": no },
      ...(["policy_route", "no", "datapathv2 → veth, netkit → veth"] as const),
    ),
  ],
};

const kind: ModeTablePart = {
  title: "Shared or exclusive ENIs",
  note: `The label is \`k8s.aliyun.com/exclusive-mode-eni-type\`, any case. While pods live on the node its label may change, but the node does not: a ConfigError says so. A pod with a PodENI of an ENI of its own is \`exclusive\` on every node.`,
  when: ["label", "living pods have"],
  gives: ["node", "ConfigError of the label"],
  rows: [
    row({ label: ["absent", "default"], "living pods have": ["none", "shared"] }, { node: "shared", "ConfigError of the label": "" }),
    row({ label: ["other"], "living pods have": ["none", "shared"] }, { node: "shared", "ConfigError of the label": "ignored" }),
    row({ label: ["eniOnly"], "living pods have": ["none", "exclusive"] }, { node: "exclusive", "ConfigError of the label": "" }),
    row({ label: ["eniOnly"], "living pods have": ["shared"] }, { node: "shared", "ConfigError of the label": "pending" }),
    row({ label: ["absent", "default"], "living pods have": ["exclusive"] }, { node: "exclusive", "ConfigError of the label": "pending" }),
    row({ label: ["other"], "living pods have": ["exclusive"] }, { node: "exclusive", "ConfigError of the label": "ignored, pending" }),
  ],
};

const member = (when: ModeTableRow["when"], mode: string, fallback = "", error = "") =>
  row(when, { "trunk members": mode, "VirtualModeChanged for the trunk": fallback, "ConfigError of the trunk": error });
const asShared = "as pods of shared ENIs";

const trunk: ModeTablePart = {
  title: "Members of a trunk ENI",
  note: "`trunk` is `enable_eni_trunking`, or its synonym `trunk_on`, on a node of shared ENIs. Without it nothing is told, but a PodENI that names a trunk is served all the same. “As pods of shared ENIs” is that mode with the tag pushed and popped on the trunk ENI.",
  when: ["trunk", "vlan_strip_type", "kernel BPF classifiers", "kernel 802.1Q"],
  gives: ["trunk members", "VirtualModeChanged for the trunk", "ConfigError of the trunk"],
  rows: [
    member({ vlan_strip_type: ["filter"], "kernel BPF classifiers": yes }, asShared),
    member({ vlan_strip_type: ["vlan"], "kernel 802.1Q": yes }, "vlan"),
    member({ trunk: no, vlan_strip_type: ["filter"], "kernel BPF classifiers": no, "kernel 802.1Q": yes }, "vlan"),
    member({ trunk: yes, vlan_strip_type: ["filter"], "kernel BPF classifiers": no, "kernel 802.1Q": yes }, "vlan", "filter → vlan"),
    member({ trunk: no, vlan_strip_type: ["vlan"], "kernel BPF classifiers": yes, "kernel 802.1Q": no }, asShared),
    member({ trunk: yes, vlan_strip_type: ["vlan"], "kernel BPF classifiers": yes, "kernel 802.1Q": no }, asShared, "vlan → filter"),
    member({ trunk: no, vlan_strip_type: ["filter"], "kernel BPF classifiers": no, "kernel 802.1Q": no }, asShared),
    member({ trunk: yes, vlan_strip_type: ["filter"], "kernel BPF classifiers": no, "kernel 802.1Q": no }, asShared, "", "unsupported"),
    member({ trunk: no, vlan_strip_type: ["vlan"], "kernel BPF classifiers": no, "kernel 802.1Q": no }, "vlan"),
    member({ trunk: yes, vlan_strip_type: ["vlan"], "kernel BPF classifiers": no, "kernel 802.1Q": no }, "vlan", "", "unsupported"),
  ],
};

const shaper = (when: ModeTableRow["when"], mode: string, fallback = "") =>
  row(when, { "bandwidth mode": mode, "VirtualModeChanged for bandwidth": fallback });

const bandwidth: ModeTablePart = {
  title: "Who shapes what a pod sends",
  note: "`edt` needs BPF classifiers and the fair queueing qdisc; without them pods get token buckets. Pods with an ENI of their own always do.",
  when: ["bandwidth_mode", "fast path", "kernel edt"],
  gives: ["bandwidth mode", "VirtualModeChanged for bandwidth"],
  rows: [
    shaper({ bandwidth_mode: ["tc"] }, "tc"),
    shaper({ bandwidth_mode: ["edt"], "kernel edt": yes }, "edt"),
    shaper({ bandwidth_mode: ["edt"], "kernel edt": no }, "tc", "edt → tc"),
    shaper({ bandwidth_mode: ["absent"], "fast path": no }, "tc"),
    shaper({ bandwidth_mode: ["absent"], "fast path": yes, "kernel edt": yes }, "edt"),
    shaper({ bandwidth_mode: ["absent"], "fast path": yes, "kernel edt": no }, "tc"),
  ],
};

const priority: ModeTablePart = {
  title: "Classes of packets",
  note: "With `enable_network_priority` and the priority qdisc ENIs have three classes, chosen by the pod annotation `k8s.aliyun.com/network-priority`.",
  when: ["enable_network_priority", "kernel prio"],
  gives: ["network priority", "VirtualModeChanged for priority"],
  rows: [
    row({ enable_network_priority: off }, { "network priority": "no", "VirtualModeChanged for priority": "" }),
    row({ enable_network_priority: on, "kernel prio": yes }, { "network priority": "yes", "VirtualModeChanged for priority": "" }),
    row(
      { enable_network_priority: on, "kernel prio": no },
      { "network priority": "no", "VirtualModeChanged for priority": "enable_network_priority → one class" },
    ),
  ],
};

export const nodeModeTable = { asked, shared, kind, trunk, bandwidth, priority } as const;

/** The one row of a part that fits; throws when none or several do. */
export function rowOf(part: ModeTablePart, facts: Readonly<Record<string, string>>): ModeTableRow["gives"] {
  const fitting = part.rows.filter(({ when }) => Object.entries(when).every(([column, values]) => values.includes(facts[column] ?? "")));
  const [first] = fitting;
  if (fitting.length !== 1 || first === undefined) {
    throw new Error(`${part.title}: ${fitting.length} rows fit ${JSON.stringify(facts)}, exactly one must`);
  }
  return first.gives;
}
