import { apiError } from "./api-error.ts";
import {
  type Cidr,
  canonicalAddress,
  contains,
  type Family,
  familyOf,
  formatAddress,
  formatCidr,
  isReserved,
  knownCidr,
  parseAddress,
  parseCidr,
} from "./ip.ts";
import type { VSwitchRecord } from "./records.ts";
import { randomBits } from "./seeded-random.ts";
import type { CloudState } from "./state.ts";
import type { Transaction } from "./transaction.ts";

/** Takes addresses out of one vSwitch within one step; what it gives is not taken in the state before the ENI is put. */
export class AddressChoice {
  readonly #tx: Transaction;
  readonly #vSwitch: VSwitchRecord;
  readonly #chosen = new Set<string>();

  constructor(tx: Transaction, vSwitch: VSwitchRecord) {
    this.#tx = tx;
    this.#vSwitch = vSwitch;
  }

  /** Free addresses, or InvalidVSwitchId.IpNotEnough and none. */
  pick(family: Family, count: number): string[] {
    if (count === 0) return [];
    const cidr = this.#cidr(family);
    if (BigInt(count) > freeCount(this.#tx.state, this.#vSwitch, family) - BigInt(this.#chosenOf(family))) throw this.#exhausted();
    return Array.from({ length: count }, () => this.#one(cidr));
  }

  /** The wanted addresses, each of which must be free and inside. */
  take(family: Family, wanted: readonly string[]): string[] {
    return wanted.map((text) => {
      const value = parseAddress(text);
      const address = canonicalAddress(text);
      if (value === undefined || address === undefined || familyOf(text) !== family) throw apiError("InvalidIp.Address", { address: text });
      const cidr = this.#cidr(family);
      if (!contains(cidr, family, value)) throw apiError("InvalidVSwitchId.IpInvalid", { address, id: this.#vSwitch.id });
      if (this.#chosen.has(address)) throw apiError("InvalidIp.IpRepeated", { address });
      if (isReserved(cidr, value) || !this.#isFree(cidr, value)) throw apiError("InvalidIp.IpAssigned", { address });
      this.#chosen.add(address);
      return address;
    });
  }

  /** Aligned free blocks: /28 of IPv4, /80 of IPv6. */
  pickPrefixes(family: Family, count: number): string[] {
    return Array.from({ length: count }, () => {
      const cidr = this.#cidr(family);
      const size = prefixSize(family);
      const first = family === "ipv4" ? 0n : randomBits(this.#tx.random, 16);
      const blocks = cidr.size / size;
      for (let offset = 0n; offset < blocks; offset++) {
        const base = cidr.base + ((first + offset) % blocks) * size;
        if (this.#blockUsable(cidr, base, size)) return this.#choosePrefix(family, base);
      }
      throw apiError("InvalidVSwitchId.IpPrefixNotEnough", { id: this.#vSwitch.id });
    });
  }

  takePrefixes(family: Family, wanted: readonly string[]): string[] {
    return wanted.map((text) => {
      const cidr = this.#cidr(family);
      const block = parseCidr(text);
      if (block === undefined || block.family !== family || block.size !== prefixSize(family))
        throw apiError("InvalidIp.Address", { address: text });
      if (!contains(cidr, family, block.base)) throw apiError("InvalidVSwitchId.IpInvalid", { address: text, id: this.#vSwitch.id });
      if (!this.#blockUsable(cidr, block.base, block.size)) throw apiError("InvalidIp.IpAssigned", { address: text });
      return this.#choosePrefix(family, block.base);
    });
  }

  #choosePrefix(family: Family, base: bigint): string {
    const text = formatCidr({ family, base, prefixLength: prefixLengths[family], size: prefixSize(family) });
    this.#chosen.add(text);
    return text;
  }

  #one(cidr: Cidr): string {
    const { state, random } = this.#tx;
    if (cidr.family === "ipv6") {
      for (;;) {
        const value = cidr.base + (randomBits(random, 64) % cidr.size);
        if (!isReserved(cidr, value) && this.#isFree(cidr, value)) return this.#choose(cidr, value);
      }
    }
    const lowest = state.settings.addressOrder === "lowest";
    const start = lowest ? state.addresses.cursor(this.#vSwitch.id, cidr.family) : cidr.base + (randomBits(random, 32) % cidr.size);
    const from = start > cidr.base ? start - cidr.base : 0n;
    for (let offset = 0n; offset < cidr.size; offset++) {
      const value = cidr.base + ((from + offset) % cidr.size);
      if (isReserved(cidr, value) || !this.#isFree(cidr, value)) continue;
      if (lowest && this.#chosen.size === 0) state.addresses.advanceCursor(this.#vSwitch.id, cidr.family, value);
      return this.#choose(cidr, value);
    }
    throw this.#exhausted();
  }

  #choose(cidr: Cidr, value: bigint): string {
    const address = formatAddress(cidr.family, value);
    this.#chosen.add(address);
    return address;
  }

  #isFree(cidr: Cidr, value: bigint): boolean {
    if (this.#tx.state.addresses.holder(this.#vSwitch.id, cidr.family, value) !== undefined) return false;
    if (this.#chosen.has(formatAddress(cidr.family, value))) return false;
    for (const text of this.#chosen) {
      const block = text.includes("/") ? parseCidr(text) : undefined;
      if (block !== undefined && contains(block, cidr.family, value)) return false;
    }
    return true;
  }

  #blockUsable(cidr: Cidr, base: bigint, size: bigint): boolean {
    const end = base + size - 1n;
    const tail = cidr.family === "ipv4" ? 3n : 9n;
    if (base === cidr.base || end >= cidr.base + cidr.size - tail) return false;
    if (!this.#tx.state.addresses.blockFree(this.#vSwitch.id, cidr.family, base, size)) return false;
    for (const text of this.#chosen) {
      const value = (text.includes("/") ? parseCidr(text)?.base : parseAddress(text)) ?? -1n;
      if (value >= base && value <= end && familyOf(text) === cidr.family) return false;
    }
    return true;
  }

  #chosenOf(family: Family): number {
    let count = 0;
    for (const text of this.#chosen) if (familyOf(text) === family) count++;
    return count;
  }

  #cidr(family: Family): Cidr {
    const text = family === "ipv4" ? this.#vSwitch.cidr : this.#vSwitch.ipv6Cidr;
    if (text === undefined) throw apiError("InvalidVSwitch.Ipv6NotTurnOn", { id: this.#vSwitch.id });
    return knownCidr(text);
  }

  #exhausted() {
    return apiError("InvalidVSwitchId.IpNotEnough", { id: this.#vSwitch.id });
  }
}

export const prefixLengths: Record<Family, number> = { ipv4: 28, ipv6: 80 };

export function prefixSize(family: Family): bigint {
  return family === "ipv4" ? 16n : 1n << 48n;
}

/** Addresses of the vSwitch that could be given out now. */
export function freeCount(state: CloudState, vSwitch: VSwitchRecord, family: Family): bigint {
  const text = family === "ipv4" ? vSwitch.cidr : vSwitch.ipv6Cidr;
  if (text === undefined) return 0n;
  const { size } = knownCidr(text);
  return size - (family === "ipv4" ? 4n : 10n) - state.addresses.taken(vSwitch.id, family);
}
