/** Address arithmetic for both families. Addresses are numbers here and text everywhere else. */

export type Family = "ipv4" | "ipv6";

export interface Cidr {
  readonly family: Family;
  readonly base: bigint;
  readonly prefixLength: number;
  /** Number of addresses, network and broadcast included. */
  readonly size: bigint;
}

const bits: Record<Family, number> = { ipv4: 32, ipv6: 128 };

export function familyOf(address: string): Family {
  return address.includes(":") ? "ipv6" : "ipv4";
}

/** Undefined when the text is no address. */
export function parseAddress(text: string): bigint | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): bigint | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0n;
  for (const part of match.slice(1)) {
    const byte = Number(part);
    if (byte > 255) return undefined;
    value = (value << 8n) | BigInt(byte);
  }
  return value;
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const groups = (half: string) => (half === "" ? [] : half.split(":"));
  const head = groups(halves[0] ?? "");
  const tail = groups(halves[1] ?? "");
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  let value = 0n;
  for (const group of [...head, ...Array<string>(missing).fill("0"), ...tail]) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
    value = (value << 16n) | BigInt(Number.parseInt(group, 16));
  }
  return value;
}

export function formatAddress(family: Family, value: bigint): string {
  if (family === "ipv4") return [24n, 16n, 8n, 0n].map((shift) => Number((value >> shift) & 255n)).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt((7 - index) * 16)) & 0xffffn));
  const run = longestZeroRun(groups);
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (run.length < 2) return text(groups);
  return `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`;
}

/** RFC 5952: the longest run of zero groups is written `::`, the first one of equals. */
function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: index - length + 1, length };
  }
  return best;
}

/** The one spelling by which addresses are compared; undefined when the text is no address. */
export function canonicalAddress(text: string): string | undefined {
  const value = parseAddress(text);
  return value === undefined ? undefined : formatAddress(familyOf(text), value);
}

/** Undefined when the text is no CIDR or has bits set beyond its prefix. */
export function parseCidr(text: string): Cidr | undefined {
  const [address, length, rest] = text.split("/");
  if (address === undefined || length === undefined || rest !== undefined || !/^\d{1,3}$/.test(length)) return undefined;
  const base = parseAddress(address);
  const family = familyOf(address);
  const prefixLength = Number(length);
  if (base === undefined || prefixLength > bits[family]) return undefined;
  const size = 1n << BigInt(bits[family] - prefixLength);
  return base % size === 0n ? { family, base, prefixLength, size } : undefined;
}

/** For CIDRs that were checked when they entered the state. */
export function knownCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new Error(`${text} is no CIDR`);
  return cidr;
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.family, cidr.base)}/${cidr.prefixLength}`;
}

export function contains(cidr: Cidr, family: Family, value: bigint): boolean {
  return cidr.family === family && value >= cidr.base && value < cidr.base + cidr.size;
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.base < b.base + b.size && b.base < a.base + a.size;
}

export function netmask(cidr: Cidr): string {
  return formatAddress("ipv4", (1n << 32n) - cidr.size);
}

/**
 * Gateway of a vSwitch: the third address from the end, `.253` of a /24 and `…:fffd` of a /64.
 * Source: VPC documentation, reserved addresses; for IPv6 the rule that deployed clients fall back to.
 */
export function gatewayOf(cidr: Cidr): string {
  return formatAddress(cidr.family, cidr.base + cidr.size - 3n);
}

/**
 * Whether the cloud keeps the address for itself: of an IPv4 vSwitch the first and the last three, of an IPv6 one the first and the last nine.
 */
export function isReserved(cidr: Cidr, value: bigint): boolean {
  const tail = cidr.family === "ipv4" ? 3n : 9n;
  return value === cidr.base || value >= cidr.base + cidr.size - tail;
}
