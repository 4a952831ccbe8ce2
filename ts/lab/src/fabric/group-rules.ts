import { createHash } from "node:crypto";
import type { FabricGroup, FabricRule } from "../cloud/fabric-port.ts";
import { isIpv6 } from "./addresses.ts";

type Direction = FabricRule["direction"];

/** What the fabric takes a group for of which it was told nothing: a normal one without rules. */
export function unknownGroup(id: string): FabricGroup {
  return { id, type: "normal", innerAccess: true, rules: [] };
}

/** Names of the sets with the addresses of a group's members, by family. */
export function memberSets(groupId: string): { ipv4: string; ipv6: string } {
  const id = groupId.replace(/[^A-Za-z0-9_-]/g, "_");
  return { ipv4: `members4_${id}`, ipv6: `members6_${id}` };
}

/** Name of the chain that judges the ENIs which carry just these groups. */
export function chainName(direction: Direction, groupIds: readonly string[]): string {
  const digest = createHash("sha256")
    .update([...groupIds].sort().join(" "))
    .digest("hex")
    .slice(0, 12);
  return `${direction}_${digest}`;
}

/**
 * The rules of a chain as nftables text, in the order in which the cloud looks at them: members of a group with inner access first, whatever the rules say; then
 * the rules of all groups by priority, on a tie those that drop; then what the type does by default. `return` accepts: the other direction is still to be asked.
 */
export function chainRules(direction: Direction, groups: readonly FabricGroup[]): string[] {
  const peerAddress = direction === "ingress" ? "saddr" : "daddr";
  const drop = `counter name denied_${direction} drop`;
  const inner = groups
    .filter((group) => group.innerAccess)
    .flatMap(({ id }) => [`ip ${peerAddress} @${memberSets(id).ipv4} return`, `ip6 ${peerAddress} @${memberSets(id).ipv6} return`]);
  const rules = groups
    .flatMap((group) => group.rules)
    .filter((rule) => rule.direction === direction)
    .sort((a, b) => a.priority - b.priority || Number(a.accept) - Number(b.accept))
    .flatMap((rule) => matches(rule).map((match) => `${match} ${rule.accept ? "return" : drop}`));
  // A normal group lets everything out; an ENI carries groups of one type only.
  const last = direction === "egress" && groups.every((group) => group.type === "normal") ? [] : [drop];
  return [...inner, ...rules, ...last];
}

/** One match for each family that the rule is about. */
function matches(rule: FabricRule): string[] {
  const { direction, peer, own, protocol } = rule;
  const [peerAddress, ownAddress] = direction === "ingress" ? ["saddr", "daddr"] : ["daddr", "saddr"];
  const cidr = "cidr" in peer ? peer.cidr : own;
  const families = (["ip", "ip6"] as const).filter((family) => {
    if (cidr !== undefined && isIpv6(cidr) !== (family === "ip6")) return false;
    return (protocol !== "icmp" || family === "ip") && (protocol !== "icmpv6" || family === "ip6");
  });
  return families.map((family) => {
    const peers = "cidr" in peer ? peer.cidr : `@${memberSets(peer.groupId)[family === "ip" ? "ipv4" : "ipv6"]}`;
    return [
      `${family} ${peerAddress} ${peers}`,
      ...(own === undefined ? [] : [`${family} ${ownAddress} ${own}`]),
      ...(protocol === "all" ? [] : [`meta l4proto ${protocol === "icmpv6" ? "ipv6-icmp" : protocol}`]),
      ...(rule.sourcePorts === undefined ? [] : [`th sport ${rule.sourcePorts.join("-")}`]),
      ...(rule.ports === undefined ? [] : [`th dport ${rule.ports.join("-")}`]),
    ].join(" ");
  });
}
