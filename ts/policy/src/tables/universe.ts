import type { Block, PlainSet } from "./plain-set.ts";
import { elementsOf } from "./plain-set.ts";

/**
 * All that the sets in force can see of a remote: peers, ports by name of a peer's pods, address blocks. What is not in it makes no difference,
 * so that a node knows few classes however many the cluster has.
 */
export class Universe {
  /** Peers and ports by name. */
  readonly #tokens = new Set<string>();
  readonly #blocks = new Map<string, Block>();

  constructor(sets: Iterable<PlainSet> = []) {
    for (const set of sets) this.add(set);
  }

  /** Answers whether anything became visible. */
  add({ entries }: PlainSet): boolean {
    const { size } = this;
    for (const element of entries.flatMap(elementsOf)) {
      if (typeof element === "string") this.#tokens.add(element);
      else this.#blocks.set(element.key, element);
    }
    return this.size > size;
  }

  get size(): number {
    return this.#tokens.size + this.#blocks.size;
  }

  blocks(): Iterable<Block> {
    return this.#blocks.values();
  }

  /** What can be seen of a pod with these tokens. */
  visible(tokens: readonly string[]): string[] {
    return tokens.filter((token) => {
      // A token with "#" is a port by name with the pod's own number; the number is visible when the name is.
      const element = token.includes("#") ? token.slice(0, token.lastIndexOf("=")) : token;
      return this.#tokens.has(element);
    });
  }
}
