import type { FabricGroup } from "../cloud/fabric-port.ts";
import { isIpv6 } from "./addresses.ts";
import { chainName, chainRules, memberSets, unknownGroup } from "./group-rules.ts";

interface Member {
  readonly groupIds: readonly string[];
  readonly addresses: Set<string>;
}

const directions = ["ingress", "egress"] as const;

/**
 * The security groups of a VPC. Every change answers the nftables commands that make it so, for one `nft -f`, which takes all of them or none.
 *
 * The cost of a packet does not grow with the number of ENIs: a packet of a known connection meets one rule; the first of a connection is led by
 * one look-up for each direction to the chain of its ENI's groups. ENIs with the same groups share their chains, and a group as peer is a set of addresses.
 */
export class SecurityGroups {
  readonly #groups = new Map<string, FabricGroup>();
  /** By name of the port. */
  readonly #members = new Map<string, Member>();
  /** Groups whose sets exist. */
  readonly #sets = new Set<string>();
  /** Names of the chains that exist, with the groups that they judge by. */
  readonly #chains = new Map<string, readonly string[]>();

  /** The table as it is before there is any group. The hook comes after the check of the source, in the kernel's router. */
  static ruleset(): string {
    return `table inet groups {
  map egress { type ifname : verdict; }
  map ingress { type ifname : verdict; }
  counter denied_egress { }
  counter denied_ingress { }
  chain judge {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    iifname vmap @egress
    oifname vmap @ingress
  }
}
`;
  }

  /** A new group, or a known one with other rules. */
  put(group: FabricGroup): string {
    this.#groups.set(group.id, group);
    const chains = [...this.#chains].filter(([, ids]) => ids.includes(group.id));
    return this.#ensureSets([group.id]) + chains.map(([, ids]) => this.#fill(ids)).join("");
  }

  /** Nobody carries the group and no rule names it. */
  remove(id: string): string {
    this.#groups.delete(id);
    if (!this.#sets.delete(id)) return "";
    return Object.values(memberSets(id))
      .map((set) => `delete set inet groups ${set}\n`)
      .join("");
  }

  /** The ENI behind the port is judged by these groups. */
  plug(port: string, groupIds: readonly string[], addresses: readonly string[]): string {
    const ids = [...new Set(groupIds)].sort();
    this.#members.set(port, { groupIds: ids, addresses: new Set(addresses) });
    return this.#ensureSets(ids) + this.#ensureChains(ids) + elements("add", ids, addresses) + verdicts("add", port, ids);
  }

  unplug(port: string): string {
    const member = this.#members.get(port);
    if (member === undefined) return "";
    this.#members.delete(port);
    const { groupIds, addresses } = member;
    return verdicts("delete", port, groupIds) + elements("delete", groupIds, [...addresses]) + this.#dropUnused(groupIds);
  }

  regroup(port: string, groupIds: readonly string[]): string {
    const member = this.#members.get(port);
    return member === undefined ? "" : this.unplug(port) + this.plug(port, groupIds, [...member.addresses]);
  }

  assign(port: string, addresses: readonly string[]): string {
    const member = this.#members.get(port);
    if (member === undefined) return "";
    const added = addresses.filter((address) => !member.addresses.has(address));
    for (const address of added) member.addresses.add(address);
    return elements("add", member.groupIds, added);
  }

  unassign(port: string, addresses: readonly string[]): string {
    const member = this.#members.get(port);
    if (member === undefined) return "";
    const removed = addresses.filter((address) => member.addresses.delete(address));
    return elements("delete", member.groupIds, removed);
  }

  groupsOf(port: string): string[] {
    return [...(this.#members.get(port)?.groupIds ?? [])];
  }

  #ensureSets(ids: readonly string[]): string {
    // A rule may name a group of which nothing was told yet.
    const named = ids.flatMap((id) => (this.#groups.get(id)?.rules ?? []).flatMap(({ peer }) => ("groupId" in peer ? [peer.groupId] : [])));
    const missing = [...new Set([...ids, ...named])].filter((id) => !this.#sets.has(id));
    for (const id of missing) this.#sets.add(id);
    return missing
      .map(memberSets)
      .map(
        ({ ipv4, ipv6 }) =>
          `add set inet groups ${ipv4} { type ipv4_addr; flags interval; }\nadd set inet groups ${ipv6} { type ipv6_addr; flags interval; }\n`,
      )
      .join("");
  }

  #ensureChains(ids: readonly string[]): string {
    if (this.#chains.has(chainName("ingress", ids))) return "";
    this.#chains.set(chainName("ingress", ids), ids);
    return directions.map((direction) => `add chain inet groups ${chainName(direction, ids)}\n`).join("") + this.#fill(ids);
  }

  /** Both chains of these groups, written anew. */
  #fill(ids: readonly string[]): string {
    const groups = ids.map((id) => this.#groups.get(id) ?? unknownGroup(id));
    return directions
      .flatMap((direction) => {
        const chain = `inet groups ${chainName(direction, ids)}`;
        return [`flush chain ${chain}`, ...chainRules(direction, groups).map((rule) => `add rule ${chain} ${rule}`)];
      })
      .map((line) => `${line}\n`)
      .join("");
  }

  #dropUnused(ids: readonly string[]): string {
    const name = chainName("ingress", ids);
    if ([...this.#members.values()].some((member) => chainName("ingress", member.groupIds) === name)) return "";
    this.#chains.delete(name);
    return directions
      .map((direction) => `flush chain inet groups ${chainName(direction, ids)}\ndelete chain inet groups ${chainName(direction, ids)}\n`)
      .join("");
  }
}

function verdicts(verb: "add" | "delete", port: string, ids: readonly string[]): string {
  return directions
    .map((direction) => {
      const verdict = verb === "add" ? ` : jump ${chainName(direction, ids)}` : "";
      return `${verb} element inet groups ${direction} { "${port}"${verdict} }\n`;
    })
    .join("");
}

function elements(verb: "add" | "delete", ids: readonly string[], addresses: readonly string[]): string {
  const byFamily = { ipv4: addresses.filter((address) => !isIpv6(address)), ipv6: addresses.filter(isIpv6) };
  return ids
    .flatMap((id) =>
      (["ipv4", "ipv6"] as const)
        .filter((family) => byFamily[family].length > 0)
        .map((family) => `${verb} element inet groups ${memberSets(id)[family]} { ${byFamily[family].join(", ")} }\n`),
    )
    .join("");
}
