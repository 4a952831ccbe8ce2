import { familyOf, parseAddress, parseCidr } from "./ip.ts";
import type { NetworkInterface } from "./records.ts";

/** What of one vSwitch and one family is taken. */
interface Space {
  /** Address → ENI. */
  readonly addresses: Map<bigint, string>;
  /** First address of the prefix → its size and ENI. */
  readonly prefixes: Map<bigint, { readonly size: bigint; readonly eniId: string }>;
  /** Every address below is taken or reserved: where a search for the lowest free one may begin. */
  cursor: bigint;
}

/** Which addresses are taken, by vSwitch. Derived from the ENIs; an address that is being released still counts. */
export class AddressIndex {
  readonly #spaces = new Map<string, Space>();

  replace(before: NetworkInterface | undefined, after: NetworkInterface | undefined): void {
    const old = before === undefined ? [] : held(before);
    const now = after === undefined ? [] : held(after);
    const kept = new Set(now);
    const had = new Set(old);
    if (before !== undefined) for (const text of old) if (!kept.has(text)) this.#release(before.vSwitchId, before.id, text);
    if (after !== undefined) for (const text of now) if (!had.has(text)) this.#take(after.vSwitchId, after.id, text);
  }

  holder(vSwitchId: string, family: "ipv4" | "ipv6", value: bigint): string | undefined {
    const space = this.#space(vSwitchId, family);
    const single = space.addresses.get(value);
    if (single !== undefined) return single;
    for (const [base, { size, eniId }] of space.prefixes) if (value >= base && value < base + size) return eniId;
    return undefined;
  }

  /** Whether nothing in the block is taken. */
  blockFree(vSwitchId: string, family: "ipv4" | "ipv6", base: bigint, size: bigint): boolean {
    const space = this.#space(vSwitchId, family);
    for (const [other, { size: otherSize }] of space.prefixes) if (other < base + size && base < other + otherSize) return false;
    if (size <= 1024n) {
      for (let value = base; value < base + size; value++) if (space.addresses.has(value)) return false;
      return true;
    }
    for (const value of space.addresses.keys()) if (value >= base && value < base + size) return false;
    return true;
  }

  /** Addresses taken, those inside prefixes included. */
  taken(vSwitchId: string, family: "ipv4" | "ipv6"): bigint {
    const space = this.#space(vSwitchId, family);
    let sum = BigInt(space.addresses.size);
    for (const { size } of space.prefixes.values()) sum += size;
    return sum;
  }

  cursor(vSwitchId: string, family: "ipv4" | "ipv6"): bigint {
    return this.#space(vSwitchId, family).cursor;
  }

  /** Remembers that everything below `value` is taken. */
  advanceCursor(vSwitchId: string, family: "ipv4" | "ipv6", value: bigint): void {
    const space = this.#space(vSwitchId, family);
    if (value > space.cursor) space.cursor = value;
  }

  #space(vSwitchId: string, family: "ipv4" | "ipv6"): Space {
    const key = `${vSwitchId}/${family}`;
    let space = this.#spaces.get(key);
    if (space === undefined) {
      space = { addresses: new Map(), prefixes: new Map(), cursor: 0n };
      this.#spaces.set(key, space);
    }
    return space;
  }

  #take(vSwitchId: string, eniId: string, text: string): void {
    const space = this.#space(vSwitchId, familyOf(text));
    const block = parseCidr(text);
    if (block !== undefined) space.prefixes.set(block.base, { size: block.size, eniId });
    else space.addresses.set(parseAddress(text) ?? -1n, eniId);
  }

  #release(vSwitchId: string, eniId: string, text: string): void {
    const space = this.#space(vSwitchId, familyOf(text));
    const base = parseCidr(text)?.base;
    const value = base ?? parseAddress(text) ?? -1n;
    if (base !== undefined) {
      if (space.prefixes.get(base)?.eniId === eniId) space.prefixes.delete(base);
    } else if (space.addresses.get(value) === eniId) space.addresses.delete(value);
    if (value < space.cursor) space.cursor = value;
  }
}

function held(eni: NetworkInterface): string[] {
  return [...eni.ipv4, ...eni.ipv6, ...eni.ipv4Prefixes, ...eni.ipv6Prefixes, ...eni.releasing];
}
