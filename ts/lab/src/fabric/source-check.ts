import { gatewayMac, isIpv6, metadataAddress, openApiAddress } from "./addresses.ts";
import type { VpcPort } from "./routes.ts";

/**
 * The VPC's filter, as nftables text. What it keeps: a frame must be unicast to the gateway's MAC, its MAC and address must belong to the ENI
 * behind the port (anti-spoofing), and the VPC itself never speaks: no unreachables, no time exceeded, no redirects.
 *
 * Single addresses have sets of their own: what a packet costs in a set of intervals grows with the addresses behind its port, and every bench of a path
 * would measure that (`nft_set_pipapo` goes through all elements that match in the first field).
 *
 * The counters say why a packet went away: `nft list counters` in the VPC's namespace.
 */
export function baseRuleset(): string {
  return `table inet vpc {
  set source4 { type ifname . ether_addr . ipv4_addr; }
  set source6 { type ifname . ether_addr . ipv6_addr; }
  set prefixes4 { type ifname . ether_addr . ipv4_addr; flags interval; }
  set prefixes6 { type ifname . ether_addr . ipv6_addr; flags interval; }
  counter not_for_gateway { }
  counter wrong_source { }
  counter not_unicast { }
  counter not_a_service { }
  chain check_source {
    type filter hook prerouting priority raw; policy drop;
    iifname "lo" accept
    ether daddr != ${gatewayMac} counter name not_for_gateway drop
    ip daddr { 224.0.0.0/4, 255.255.255.255 } counter name not_unicast drop
    ip6 daddr { ff00::/8, fe80::/10 } counter name not_unicast drop
    iifname . ether saddr . ip saddr @source4 accept
    iifname . ether saddr . ip6 saddr @source6 accept
    iifname . ether saddr . ip saddr @prefixes4 accept
    iifname . ether saddr . ip6 saddr @prefixes6 accept
    counter name wrong_source drop
  }
  chain services {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    ip daddr { ${metadataAddress}, ${openApiAddress} } accept
    counter name not_a_service drop
  }
  chain silent {
    type filter hook output priority filter; policy accept;
    icmp type { destination-unreachable, time-exceeded, redirect, parameter-problem } drop
    ip protocol igmp drop
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, nd-redirect, nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld-listener-query, mld-listener-report, mld2-listener-report } drop
  }
}
`;
}

const isPrefix = (address: string) => address.includes("/");

const sets: Readonly<Record<string, (address: string) => boolean>> = {
  source4: (address) => !isPrefix(address) && !isIpv6(address),
  source6: (address) => !isPrefix(address) && isIpv6(address),
  prefixes4: (address) => isPrefix(address) && !isIpv6(address),
  prefixes6: (address) => isPrefix(address) && isIpv6(address),
};

/** nftables commands that let the ENI behind `port` use these source addresses, or forbid them again. */
export function sourceElements(verb: "add" | "delete", port: Pick<VpcPort, "name" | "sourceMacs">, addresses: readonly string[]): string {
  const lines: string[] = [];
  for (const [set, holds] of Object.entries(sets)) {
    const chosen = addresses.filter(holds);
    if (chosen.length === 0) continue;
    const elements = chosen.flatMap((address) => port.sourceMacs.map((mac) => `"${port.name}" . ${mac} . ${address}`));
    lines.push(`${verb} element inet vpc ${set} { ${elements.join(", ")} }`);
  }
  return lines.map((line) => `${line}\n`).join("");
}
