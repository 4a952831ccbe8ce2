import type { CompiledPod } from "../compiled-pod.ts";

/** A pod and what it is known by: `namespace/name`. */
export interface Holder {
  readonly pod: CompiledPod;
  readonly name: string;
}

/** Who has which address. While two pods have one, because the API still shows the older, the younger holds it: it inherits nothing. */
export class AddressBook {
  readonly #pods = new Map<string, Holder>();
  readonly #holders = new Map<string, Holder | Holder[]>();

  /** Answers the addresses whose holder may be another now. */
  set(pod: CompiledPod): string[] {
    const holder = { pod, name: `${pod.namespace}/${pod.name}` };
    const touched = this.#remove(holder.name);
    this.#pods.set(holder.name, holder);
    for (const address of pod.addresses) {
      const present = this.#holders.get(address);
      this.#holders.set(address, present === undefined ? holder : [present, holder].flat());
    }
    return [...touched, ...pod.addresses];
  }

  /** Answers the addresses whose holder may be another now. */
  delete(namespace: string, name: string): readonly string[] {
    return this.#remove(`${namespace}/${name}`);
  }

  holderOf(address: string): Holder | undefined {
    const present = this.#holders.get(address);
    return Array.isArray(present) ? present.reduce((best, other) => (isYounger(other, best) ? other : best)) : present;
  }

  addresses(): Iterable<string> {
    return this.#holders.keys();
  }

  #remove(name: string): readonly string[] {
    const before = this.#pods.get(name);
    if (before === undefined) return [];
    this.#pods.delete(name);
    for (const address of before.pod.addresses) {
      const present = this.#holders.get(address);
      const rest = Array.isArray(present) ? present.filter((holder) => holder !== before) : [];
      const [first, second] = rest;
      if (first === undefined) this.#holders.delete(address);
      else this.#holders.set(address, second === undefined ? first : rest);
    }
    return before.pod.addresses;
  }
}

/** By time of creation; of the same second by name, so that every node says the same. */
function isYounger(left: Holder, right: Holder): boolean {
  const [a, b] = [left.pod.created ?? "", right.pod.created ?? ""];
  return a === b ? left.name > right.name : a > b;
}
