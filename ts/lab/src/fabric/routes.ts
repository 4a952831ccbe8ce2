import { hostPrefix, isIpv6, linkLocalOf } from "./addresses.ts";

/** The VPC's side of one ENI. */
export interface VpcPort {
  /** Name of the interface in the VPC's namespace. */
  readonly name: string;
  /** Where frames to the ENI go. */
  readonly mac: string;
  /** What frames from the ENI may carry. */
  readonly sourceMacs: readonly string[];
  readonly primaryIpv4: string;
}

/** Lines for `ip -batch`: the one permanent neighbour per family through which everything of this ENI is reached. */
export function neighbourLines(port: VpcPort): string[] {
  return [port.primaryIpv4, linkLocalOf(port.mac)].map(
    (address) => `neigh replace ${address} lladdr ${port.mac} dev ${port.name} nud permanent`,
  );
}

/** Lines for `ip -batch`: deliver these addresses to the ENI, or stop it. One route per address, because a VPC knows no subnets on an ENI. */
export function routeLines(verb: "replace" | "del", port: VpcPort, addresses: readonly string[]): string[] {
  return addresses.map((address) => {
    const nextHop = isIpv6(address) ? linkLocalOf(port.mac) : port.primaryIpv4;
    return `route ${verb} ${hostPrefix(address)} via ${nextHop} dev ${port.name} onlink`;
  });
}

/** Lines for `ip -batch` that every VPC starts with: what is assigned to nobody vanishes without an answer. */
export const blackholeLines: readonly string[] = ["route replace blackhole default", "route replace blackhole ::/0"];
