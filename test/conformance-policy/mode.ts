/** What the nodes of a table are told of how to connect pods. */
export interface Mode {
  /** As it is asked for. */
  readonly name: string;
  /** Further keys of `eni_conf`. */
  readonly eniConf: Readonly<Record<string, unknown>>;
  /** Of `10-terway.conf`. */
  readonly cniConf: Readonly<Record<string, unknown>>;
  /** Whose ENIs pods have: shared ones, each one of its own, or each a member of the node's trunk. */
  readonly enis: "shared" | "exclusive" | "members";
}

type Part = Partial<Omit<Mode, "name">>;

const trunk = { enis: "members", eniConf: { enable_eni_trunking: true } } as const;
const parts: Readonly<Record<string, Part>> = {
  veth: {},
  // Without the Services' addresses nothing goes past the stack.
  datapathv2: { eniConf: { eniip_virtual_type: "datapathv2", service_cidr: "172.16.0.0/16,fd00:96::/112" } },
  IPVlan: { eniConf: { eniip_virtual_type: "IPVlan" } },
  netkit: { eniConf: { enable_netkit: true } },
  exclusive: { enis: "exclusive" },
  filter: { ...trunk, cniConf: { vlan_strip_type: "filter" } },
  vlan: { ...trunk, cniConf: { vlan_strip_type: "vlan" } },
};

export const modeWords: readonly string[] = Object.keys(parts);

/** One word, or several that go together, for example `datapathv2+filter`; undefined when one is unknown. */
export function modeOf(name: string): Mode | undefined {
  let mode: Mode = { name, eniConf: {}, cniConf: {}, enis: "shared" };
  for (const word of name.split("+")) {
    const part = Object.hasOwn(parts, word) ? parts[word] : undefined;
    if (part === undefined) return undefined;
    mode = { ...mode, ...part, eniConf: { ...mode.eniConf, ...part.eniConf }, cniConf: { ...mode.cniConf, ...part.cniConf } };
  }
  return mode;
}
