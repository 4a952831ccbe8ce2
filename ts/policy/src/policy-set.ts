import { createHash } from "node:crypto";
import type { BlockPeer, Direction, NetworkPolicy, PodPeer, PolicyPod, PortName, PortRange } from "./objects.ts";

/** What may pass: somebody, to some ports. */
export interface SetEntry {
  /** Absent: everybody. */
  readonly peer?: PodPeer | BlockPeer;
  /** Absent: every port of every protocol. A name stands only in egress, where every peer may mean another number. */
  readonly port?: PortRange | PortName;
}

/** All that may pass in one direction of a pod; the union of what its policies allow. Without entries nothing passes. */
export interface PolicySet {
  /** Content address: equal sets have equal ids, wherever and in whatever order they were compiled. */
  readonly id: string;
  readonly direction: Direction;
  readonly entries: readonly SetEntry[];
}

/** The set of a pod that these policies select; undefined when none of them says anything of the direction: everything passes. */
export function compileSet(direction: Direction, policies: Iterable<NetworkPolicy>, ports: PolicyPod["ports"]): PolicySet | undefined {
  const entries = new Map<string, SetEntry>();
  let isolated = false;
  for (const policy of policies) {
    const rules = policy[direction];
    if (rules === undefined) continue;
    isolated = true;
    for (const rule of rules) {
      const numbered = rule.ports === undefined ? [undefined] : rule.ports.flatMap((port) => numbersOf(direction, port, ports));
      for (const peer of rule.peers ?? [undefined]) {
        for (const port of numbered) {
          const entry = { ...(peer === undefined ? {} : { peer }), ...(port === undefined ? {} : { port }) };
          entries.set(formatEntry(entry), entry);
        }
      }
    }
  }
  if (!isolated) return undefined;
  const texts = [...entries.keys()].toSorted();
  const ordered = texts.flatMap((text) => entries.get(text) ?? []);
  return { id: contentAddress(`${direction}\n${texts.join("\n")}`), direction, entries: ordered };
}

/** A name in an ingress rule means the port of the selected pod; a pod that has it several times means all of them, one that lacks it none. */
function numbersOf(direction: Direction, port: PortRange | PortName, ports: PolicyPod["ports"]): (PortRange | PortName)[] {
  if (!("name" in port) || direction === "egress") return [port];
  return ports
    .filter(({ name, protocol }) => name === port.name && protocol === port.protocol)
    .map(({ protocol, port: number }) => ({ protocol, from: number, to: number }));
}

export function formatEntry({ peer, port }: SetEntry): string {
  return `${peer === undefined ? "*" : peer.key} ${port === undefined ? "*" : formatPort(port)}`;
}

export function formatPort(port: PortRange | PortName): string {
  return `${port.protocol}/${"name" in port ? port.name : `${port.from}-${port.to}`}`;
}

/** 128 bits of SHA-256 in hexadecimal: enough that two contents never meet. */
export function contentAddress(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
