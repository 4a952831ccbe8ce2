import type { FabricGroup, FabricRule } from "../cloud/fabric-port.ts";
import { contains, familyOf, knownCidr, parseAddress } from "../cloud/ip.ts";
import { hostPrefix } from "./addresses.ts";

/** An ENI as security groups see it. */
export interface Party {
  readonly groupIds: readonly string[];
  /** Addresses and delegated prefixes of both families. */
  readonly addresses: readonly string[];
}

/** The first packet of a connection. */
export interface FirstPacket {
  readonly protocol: "tcp" | "udp" | "icmp";
  readonly source: string;
  readonly destination: string;
  /** Of the destination; absent for ICMP. */
  readonly port?: number;
}

export type Verdict = "delivered" | "denied by egress" | "denied by ingress";

/**
 * What security groups say of a packet between two ENIs of a VPC, from the documentation's text and without nftables: tests compare the fabric with it. Groups that are not
 * known are normal ones without rules.
 */
export function verdict(
  groups: ReadonlyMap<string, FabricGroup>,
  parties: readonly Party[],
  from: Party,
  to: Party,
  packet: FirstPacket,
): Verdict {
  if (!allows("egress", groups, parties, from, packet)) return "denied by egress";
  return allows("ingress", groups, parties, to, packet) ? "delivered" : "denied by ingress";
}

function allows(
  direction: FabricRule["direction"],
  groups: ReadonlyMap<string, FabricGroup>,
  parties: readonly Party[],
  party: Party,
  packet: FirstPacket,
): boolean {
  const [peer, own] = direction === "ingress" ? [packet.source, packet.destination] : [packet.destination, packet.source];
  const isMember = (address: string, groupId: string) =>
    parties.some((one) => one.groupIds.includes(groupId) && one.addresses.some((prefix) => inside(address, prefix)));
  const carried = party.groupIds.map((id) => groups.get(id) ?? { id, type: "normal" as const, innerAccess: true, rules: [] });
  if (carried.some((group) => group.innerAccess && isMember(peer, group.id))) return true;
  const matching = carried
    .flatMap((group) => group.rules)
    .filter(
      (rule) =>
        rule.direction === direction &&
        protocolMatches(rule.protocol, packet) &&
        (rule.own === undefined || inside(own, rule.own)) &&
        ("cidr" in rule.peer ? inside(peer, rule.peer.cidr) : isMember(peer, rule.peer.groupId)) &&
        (rule.ports === undefined || (packet.port !== undefined && packet.port >= rule.ports[0] && packet.port <= rule.ports[1])),
    );
  const priority = Math.min(...matching.map((rule) => rule.priority));
  const deciding = matching.filter((rule) => rule.priority === priority);
  if (deciding.length > 0) return deciding.every((rule) => rule.accept);
  return direction === "egress" && carried.every((group) => group.type === "normal");
}

function protocolMatches(wanted: FabricRule["protocol"], { protocol, source }: FirstPacket): boolean {
  const name = protocol === "icmp" && familyOf(source) === "ipv6" ? "icmpv6" : protocol;
  return wanted === "all" || wanted === name;
}

function inside(address: string, prefix: string): boolean {
  const value = parseAddress(address);
  return value !== undefined && contains(knownCidr(hostPrefix(prefix)), familyOf(address), value);
}
