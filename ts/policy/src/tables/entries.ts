import { everybody, type PolicyEntry } from "@terway/model";
import type { Protocol } from "../objects.ts";
import { nameToken, namingPeer, type PlainEntry, type PlainSet } from "./plain-set.ts";

const protocolNumbers: Record<Protocol, number> = { TCP: 6, UDP: 17, SCTP: 132 };
const everyPort = { protocol: 0, from: 0, to: 65_535 };

type Range = Omit<PolicyEntry, "class">;

/** What the set allows to everybody, whoever it is. */
export function entriesForEverybody({ entries }: PlainSet): PolicyEntry[] {
  const ranges: Range[] = [];
  for (const { peer, port, rule } of entries) {
    if (peer !== undefined || (port !== undefined && "name" in port)) continue;
    ranges.push(port === undefined ? { ...everyPort, rule } : { ...numbered(port.protocol, port.from, port.to), rule });
  }
  return inClass(everybody, ranges);
}

/** What the set allows to remotes of whom exactly this is visible, beside what it allows to everybody. */
export function entriesForClass(set: PlainSet, number: string, visible: ReadonlySet<string>): PolicyEntry[] {
  const { byPeer, named } = indexOf(set);
  const entries = [...visible].flatMap((token) => byPeer.get(token) ?? []);
  return inClass(
    number,
    [...entries, ...named].flatMap((entry) => rangesOf(entry, visible)),
  );
}

interface EntryIndex {
  /** Those of a peer with ports by number, by what must be visible. */
  readonly byPeer: ReadonlyMap<string, readonly PlainEntry[]>;
  readonly named: readonly PlainEntry[];
}

const indexes = new WeakMap<PlainSet, EntryIndex>();

/** A set of ten thousand rules has as many classes: none of them may look at all rules. */
function indexOf(set: PlainSet): EntryIndex {
  let index = indexes.get(set);
  if (index === undefined) {
    const [byPeer, named] = [new Map<string, PlainEntry[]>(), [] as PlainEntry[]];
    for (const entry of set.entries) {
      const { peer, port } = entry;
      if (port !== undefined && "name" in port) named.push(entry);
      else if (peer !== undefined) {
        const key = "block" in peer ? peer.block.key : peer.pods;
        const known = byPeer.get(key);
        if (known === undefined) byPeer.set(key, [entry]);
        else known.push(entry);
      }
    }
    index = { byPeer, named };
    indexes.set(set, index);
  }
  return index;
}

function rangesOf({ peer, port, rule }: PlainEntry, visible: ReadonlySet<string>): Range[] {
  if (peer !== undefined && "block" in peer && !visible.has(peer.block.key)) return [];
  if (port !== undefined && "name" in port) {
    const start = `${namingPeer(peer)}${nameToken(port)}=`;
    const numbers = [...visible].filter((token) => token.startsWith(start)).map((token) => Number(token.slice(start.length)));
    return numbers.map((number) => ({ ...numbered(port.protocol, number, number), rule }));
  }
  if (peer === undefined || ("pods" in peer && !visible.has(peer.pods))) return [];
  return [port === undefined ? { ...everyPort, rule } : { ...numbered(port.protocol, port.from, port.to), rule }];
}

function numbered(protocol: Protocol, from: number, to: number): Omit<Range, "rule"> {
  return { protocol: protocolNumbers[protocol], from, to };
}

/** Disjoint ranges in a fixed order: where rules overlap, the packet counts for the one that begins first. */
function inClass(number: string, ranges: readonly Range[]): PolicyEntry[] {
  const whole = ranges.filter(({ protocol }) => protocol === 0).toSorted(byPlace);
  const [all] = whole;
  if (all !== undefined) return [{ class: number, ...all }];
  const disjoint: PolicyEntry[] = [];
  let [protocol, free] = [0, 0];
  for (const range of ranges.toSorted(byPlace)) {
    if (range.protocol !== protocol) [protocol, free] = [range.protocol, 0];
    const from = Math.max(range.from, free);
    if (from > range.to) continue;
    free = range.to + 1;
    const last = disjoint.at(-1);
    if (last !== undefined && last.protocol === protocol && last.rule === range.rule && last.to + 1 === from) {
      disjoint[disjoint.length - 1] = { ...last, to: range.to };
    } else {
      disjoint.push({ class: number, ...range, from });
    }
  }
  return disjoint;
}

function byPlace(left: Range, right: Range): number {
  return left.protocol - right.protocol || left.from - right.from || right.to - left.to || left.rule - right.rule;
}
