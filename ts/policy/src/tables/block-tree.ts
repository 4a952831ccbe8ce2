import { type AddressFamily, type Cidr, type IpAddress, parseAddress, parseCidr } from "@terway/model";
import type { Block } from "./plain-set.ts";

/** A CIDR or a hole of one, with the blocks that contain those of its addresses that are in no longer prefix. */
export interface BlockPrefix {
  /** Canonical CIDR. */
  readonly prefix: string;
  /** Keys of the blocks, sorted. */
  readonly blocks: readonly string[];
}

const none: readonly string[] = [];

/** All blocks in force cut into prefixes, so that the longest prefix of an address tells every block that contains it. */
export class BlockTree {
  readonly prefixes: readonly BlockPrefix[];
  /** By family and length, longest first, then by number of the network. */
  readonly #levels: Record<AddressFamily, { readonly shift: bigint; readonly networks: Map<bigint, BlockPrefix> }[]> = {
    ipv4: [],
    ipv6: [],
  };

  constructor(blocks: Iterable<Block>) {
    const edges = new Map<string, { readonly cidr: Cidr; readonly entered: string[]; readonly left: string[] }>();
    const edge = (prefix: string) => {
      let known = edges.get(prefix);
      if (known === undefined) {
        const cidr = parseCidr(prefix);
        if (cidr === undefined) return undefined;
        known = { cidr, entered: [], left: [] };
        edges.set(prefix, known);
      }
      return known;
    };
    for (const { key, cidr, except } of blocks) {
      edge(cidr)?.entered.push(key);
      for (const hole of except) edge(hole)?.left.push(key);
    }
    this.prefixes = membershipsOf(edges);
    for (const found of this.prefixes) this.#enter(found);
  }

  /** Keys of the blocks that contain the address. */
  containing(address: string): readonly string[] {
    const parsed = parseAddress(address);
    return parsed === undefined ? none : (this.#longest(parsed)?.blocks ?? none);
  }

  #enter(found: BlockPrefix): void {
    const cidr = parseCidr(found.prefix);
    if (cidr === undefined) return;
    const shift = BigInt((cidr.family === "ipv4" ? 32 : 128) - cidr.prefixLength);
    const levels = this.#levels[cidr.family];
    let level = levels.find((candidate) => candidate.shift === shift);
    if (level === undefined) {
      level = { shift, networks: new Map() };
      levels.push(level);
      levels.sort((left, right) => Number(left.shift - right.shift));
    }
    level.networks.set(cidr.first >> shift, found);
  }

  #longest({ family, value }: IpAddress): BlockPrefix | undefined {
    for (const { shift, networks } of this.#levels[family]) {
      const found = networks.get(value >> shift);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

/** From the outside inwards: a prefix is in the blocks of the one around it, in those that begin with it, and not in those that have it as a hole. */
function membershipsOf(
  edges: ReadonlyMap<string, { readonly cidr: Cidr; readonly entered: readonly string[]; readonly left: readonly string[] }>,
): BlockPrefix[] {
  const ordered = [...edges].toSorted(([, { cidr: a }], [, { cidr: b }]) => {
    if (a.family !== b.family) return a.family === "ipv4" ? -1 : 1;
    if (a.first !== b.first) return a.first < b.first ? -1 : 1;
    return a.prefixLength - b.prefixLength;
  });
  const around: { readonly cidr: Cidr; readonly blocks: readonly string[] }[] = [];
  return ordered.map(([prefix, { cidr, entered, left }]) => {
    let outer = around.at(-1);
    while (outer !== undefined && !(outer.cidr.family === cidr.family && cidr.last <= outer.cidr.last)) {
      around.pop();
      outer = around.at(-1);
    }
    const holes = new Set(left);
    const blocks = [...(outer?.blocks ?? none), ...entered].filter((key) => !holes.has(key)).toSorted();
    around.push({ cidr, blocks });
    return { prefix, blocks };
  });
}
