/** What a VPC answers every ARP request and Neighbour Solicitation with, and what received frames carry. Source: alicloud-api.md 15. */
export const gatewayMac = "ee:ff:ff:ff:ff:ff";

/** The metadata service of every instance. */
export const metadataAddress = "100.100.100.200";

/** Where the lab's OpenAPI endpoints listen inside the VPC, in the range that the cloud keeps for its own services. */
export const openApiAddress = "100.100.0.10";

export function isIpv6(address: string): boolean {
  return address.includes(":");
}

/** `10.0.1.7` → `10.0.1.7/32`, `fd00::7` → `fd00::7/128`; a delegated prefix stays what it is. */
export function hostPrefix(address: string): string {
  if (address.includes("/")) return address;
  return isIpv6(address) ? `${address}/128` : `${address}/32`;
}

/**
 * The link-local address that belongs to a MAC (EUI-64, RFC 4291 appendix A). The VPC side uses it as next hop, so that an ENI needs no IPv6
 * address of its own to have IPv6 routed to it.
 */
export function linkLocalOf(mac: string): string {
  const bytes = mac.split(":").map((part) => Number.parseInt(part, 16));
  if (bytes.length !== 6 || bytes.some((byte) => !(byte >= 0 && byte <= 255))) throw new TypeError(`not a MAC address: ${mac}`);
  const [a, b, c, d, e, f] = bytes as [number, number, number, number, number, number]; // six, checked above
  const groups = [((a ^ 0x02) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f];
  return `fe80::${groups.map((group) => group.toString(16)).join(":")}`;
}
