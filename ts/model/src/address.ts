/**
 * IP addresses and CIDRs as text in, text out. Strict: no leading zeros, no zone ids, no surrounding space. IPv6 comes out in the canonical
 * form of RFC 5952, so two texts of one address are equal strings; everything that stores or compares addresses goes through here once.
 */
export type AddressFamily = "ipv4" | "ipv6";

/** A parsed address; `value` is the number in network byte order (32 or 128 bits). */
export interface IpAddress {
  readonly family: AddressFamily;
  readonly value: bigint;
}

/** A parsed CIDR. Host bits of the text are cleared: `10.0.1.9/24` is `10.0.1.0/24`. */
export interface Cidr {
  readonly family: AddressFamily;
  readonly prefixLength: number;
  readonly first: bigint;
  readonly last: bigint;
}

const bits = { ipv4: 32, ipv6: 128 } as const;
const decimalOctet = /^(?:0|[1-9]\d{0,2})$/;
const hexGroup = /^[0-9a-f]{1,4}$/i;
const prefixDigits = /^(?:0|[1-9]\d{0,2})$/;

function parseIpv4Number(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!decimalOctet.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

function parseGroups(text: string, tailMayBeIpv4: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (hexGroup.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const embedded = tailMayBeIpv4 && index === parts.length - 1 ? parseIpv4Number(part) : undefined;
    if (embedded === undefined) return undefined;
    groups.push(Math.floor(embedded / 65536), embedded % 65536);
  }
  return groups;
}

function parseIpv6Number(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const compressed = halves.length === 2;
  const head = parseGroups(halves[0] ?? "", !compressed);
  const tail = parseGroups(halves[1] ?? "", true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // "::" stands for at least one group (RFC 4291, 2.2); RFC 5952 forbids writing it for one, but it may be read.
  if (compressed ? missing < 1 : missing !== 0) return undefined;
  let value = 0n;
  for (const group of [...head, ...new Array<number>(missing).fill(0), ...tail]) value = (value << 16n) | BigInt(group);
  return value;
}

/** The address, or undefined when the text is none. */
export function parseAddress(text: string): IpAddress | undefined {
  if (text.includes(":")) {
    const value = parseIpv6Number(text);
    return value === undefined ? undefined : { family: "ipv6", value };
  }
  const value = parseIpv4Number(text);
  return value === undefined ? undefined : { family: "ipv4", value: BigInt(value) };
}

function formatIpv4(value: number): string {
  return `${Math.floor(value / 0x1000000)}.${Math.floor(value / 0x10000) % 256}.${Math.floor(value / 256) % 256}.${value % 256}`;
}

function formatIpv6(value: bigint): string {
  // IPv4-mapped addresses keep the dotted tail (RFC 5952, section 5), as Go and Rust print them.
  if (value >> 32n === 0xffffn) return `::ffff:${formatIpv4(Number(value & 0xffffffffn))}`;
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((value >> shift) & 0xffffn));
  let bestStart = -1;
  let bestLength = 1; // a single zero group is not compressed (RFC 5952, 4.2.2)
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > bestLength) {
      bestStart = start;
      bestLength = end - start;
    }
    if (end > start) start = end;
  }
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  return bestStart < 0 ? hex(groups) : `${hex(groups.slice(0, bestStart))}::${hex(groups.slice(bestStart + bestLength))}`;
}

/** Canonical text of an address. */
export function formatAddress(address: IpAddress): string {
  return address.family === "ipv4" ? formatIpv4(Number(address.value)) : formatIpv6(address.value);
}

/** Canonical text of any spelling of an address; undefined when the text is none. */
export function canonicalAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address && formatAddress(address);
}

export function familyOf(text: string): AddressFamily | undefined {
  return parseAddress(text)?.family;
}

/** Order for lists that people read: IPv4 before IPv6, then by number. Text that is no address comes last, in text order. */
export function compareAddresses(left: string, right: string): number {
  const a = parseAddress(left);
  const b = parseAddress(right);
  if (a === undefined || b === undefined) {
    if (a !== undefined) return -1;
    if (b !== undefined) return 1;
    return left < right ? -1 : left > right ? 1 : 0;
  }
  if (a.family !== b.family) return a.family === "ipv4" ? -1 : 1;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

/** The CIDR, or undefined when the text is none. A bare address is none. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !prefixDigits.test(digits)) return undefined;
  const prefixLength = Number(digits);
  const width = bits[address.family];
  if (prefixLength > width) return undefined;
  const hostMask = (1n << BigInt(width - prefixLength)) - 1n;
  const first = address.value & ~hostMask;
  return { family: address.family, prefixLength, first, last: first | hostMask };
}

/** Canonical text with host bits cleared, for example `10.0.1.0/24`; undefined when the text is no CIDR. */
export function canonicalCidr(text: string): string | undefined {
  const cidr = parseCidr(text);
  return cidr && `${formatAddress({ family: cidr.family, value: cidr.first })}/${cidr.prefixLength}`;
}

/** False too when one of them cannot be read, or when the families differ. */
export function cidrContains(cidr: string | Cidr, address: string | IpAddress): boolean {
  const net = typeof cidr === "string" ? parseCidr(cidr) : cidr;
  const ip = typeof address === "string" ? parseAddress(address) : address;
  return net !== undefined && ip !== undefined && net.family === ip.family && net.first <= ip.value && ip.value <= net.last;
}

/** `24` of `10.0.1.0/24`; undefined when the text is no CIDR. */
export function prefixLengthOf(cidr: string): number | undefined {
  return parseCidr(cidr)?.prefixLength;
}

/**
 * The VPC gateway of a vSwitch: the third address from the end (`.253` in a /24, `…:fffd` in a /64), for both families. Undefined when the
 * text is no CIDR or the block is too small to have one.
 */
export function gatewayOf(cidr: string): string | undefined {
  const net = parseCidr(cidr);
  if (net === undefined || net.last - net.first < 3n) return undefined;
  return formatAddress({ family: net.family, value: net.last - 2n });
}
