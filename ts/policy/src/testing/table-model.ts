import { noSet, type PolicyEntry, type PolicyRecord, type PolicyReferences, type PolicyStep } from "@terway/model";

/**
 * The kernel's tables and its lookup of a first packet, as the programs do it and with no thought of its own: hash maps with exact keys, one map with
 * longest prefix match, ports as prefixes. It shares no code with what it judges.
 */
export class TableModel {
  /** Lengths of port prefixes in use. */
  readonly #sets = new Map<string, Set<number>>();
  readonly #policy = new Map<string, number>();
  readonly #blocks = new Map<string, string>();
  readonly #peers = new Map<string, string>();
  readonly #pods = new Map<number, PolicyRecord>();
  epoch = 0;

  /** Carries a step out; stands still after each single change. */
  *apply(step: PolicyStep): Iterable<void> {
    for (const { set, entries } of step.sets) {
      const lengths = this.#sets.get(set) ?? new Set();
      this.#sets.set(set, lengths);
      yield;
      for (const entry of entries) {
        for (const { length, port } of prefixesOf(entry)) {
          if (entry.protocol !== 0) lengths.add(length);
          this.#policy.set(`${set} ${entry.class} ${entry.protocol} ${entry.protocol === 0 ? 0 : length} ${port}`, entry.rule);
          yield;
        }
      }
    }
    for (const { prefix, class: number } of step.blocks) {
      this.#blocks.set(prefix, number);
      yield;
    }
    for (const prefix of step.goneBlocks) {
      this.#blocks.delete(prefix);
      yield;
    }
    for (const { address, class: number } of step.peers) {
      this.#peers.set(address, number);
      yield;
    }
    for (const address of step.gonePeers) {
      this.#peers.delete(address);
      yield;
    }
    for (const record of step.pods) {
      this.#pods.set(record.endpoint, record);
      yield;
    }
    for (const endpoint of step.gonePods) {
      this.#pods.delete(endpoint);
      yield;
    }
    if (step.bump) this.epoch += 1;
    yield;
  }

  sweep({ sets, classes }: PolicyReferences): void {
    for (const set of this.#sets.keys()) if (!sets.includes(set)) this.#sets.delete(set);
    for (const key of this.#policy.keys()) {
      const [set = "", number = ""] = key.split(" ");
      if (!sets.includes(set) || (number !== "0" && !classes.includes(number))) this.#policy.delete(key);
    }
  }

  /** Does a first packet pass? */
  judges(endpoint: number, direction: "ingress" | "egress", remote: string, protocol: number, port: number): boolean {
    const pod = this.#pods.get(endpoint);
    if (pod === undefined || pod.state === "tracked") return true;
    if (pod.state === "held") return false;
    const set = pod[direction];
    if (set === noSet) return true;
    const lengths = this.#sets.get(set);
    if (lengths === undefined) return false;
    const found = this.#peers.get(remote) ?? this.#longest(remote);
    return [found, "0"].some((number) => {
      if (number === undefined) return false;
      if (this.#policy.has(`${set} ${number} 0 0 0`)) return true;
      return [...lengths].some((length) => this.#policy.has(`${set} ${number} ${protocol} ${length} ${network(port, length)}`));
    });
  }

  /** All of it, in an order of its own. */
  picture() {
    const sorted = <K, V>(map: Map<K, V>) => [...map].map((entry) => JSON.stringify(entry)).toSorted();
    return {
      sets: [...this.#sets.keys()].toSorted(),
      policy: sorted(this.#policy),
      blocks: sorted(this.#blocks),
      peers: sorted(this.#peers),
      pods: sorted(this.#pods),
    };
  }

  listing() {
    return {
      blocks: [...this.#blocks].map(([prefix, number]) => ({ prefix, class: number })),
      peers: [...this.#peers].map(([address, number]) => ({ address, class: number })),
      pods: [...this.#pods.values()],
    };
  }

  #longest(address: string): string | undefined {
    let best: { length: number; number: string } | undefined;
    for (const [prefix, number] of this.#blocks) {
      const [start = "", digits = ""] = prefix.split("/");
      const length = Number(digits);
      if (start.includes(":") !== address.includes(":")) continue;
      if (binary(start).slice(0, length) !== binary(address).slice(0, length)) continue;
      if (best === undefined || length > best.length) best = { length, number };
    }
    return best?.number;
  }
}

function network(port: number, length: number): number {
  return length === 0 ? 0 : (port >> (16 - length)) << (16 - length);
}

function prefixesOf({ from, to }: PolicyEntry): { length: number; port: number }[] {
  const prefixes: { length: number; port: number }[] = [];
  for (let port = from; port <= to; ) {
    let length = 0;
    while (network(port, length) !== port || port + 2 ** (16 - length) - 1 > to) length += 1;
    prefixes.push({ length, port });
    port += 2 ** (16 - length);
  }
  return prefixes;
}

function binary(address: string): string {
  if (!address.includes(":"))
    return address
      .split(".")
      .map((part) => Number(part).toString(2).padStart(8, "0"))
      .join("");
  const [head = "", tail] = address.split("::");
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const all = [...front, ...new Array<string>(8 - front.length - back.length).fill("0"), ...back];
  return all.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, "0")).join("");
}
