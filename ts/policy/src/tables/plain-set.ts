import { portToken } from "../compiled-pod.ts";
import type { PortName, PortRange } from "../objects.ts";
import { anyPod } from "../peer-table.ts";
import { formatEntry, type PolicySet } from "../policy-set.ts";
import { numberOf, ruleNumberOf } from "./content-number.ts";

/** An address block that rules in force speak of. */
export interface Block {
  readonly key: string;
  readonly cidr: string;
  readonly except: readonly string[];
}

/** A set without the code of its selectors: what the tables need of it, and what outlives the process. */
export interface PlainSet {
  /** 64 bits of its content, hexadecimal. */
  readonly number: string;
  readonly entries: readonly PlainEntry[];
}

export interface PlainEntry {
  /** The rule in words. */
  readonly text: string;
  readonly rule: number;
  /** Absent: everybody. */
  readonly peer?: { readonly pods: string } | { readonly block: Block };
  /** Absent: every port of every protocol. */
  readonly port?: PortRange | PortName;
}

const plainSets = new WeakMap<PolicySet, PlainSet>();

export function plainSet(set: PolicySet): PlainSet {
  let plain = plainSets.get(set);
  if (plain === undefined) {
    plain = { number: numberOf(set.id), entries: set.entries.map(plainEntry) };
    plainSets.set(set, plain);
  }
  return plain;
}

function plainEntry(entry: PolicySet["entries"][number]): PlainEntry {
  const { peer, port } = entry;
  const text = formatEntry(entry);
  return {
    text,
    rule: ruleNumberOf(text),
    ...(peer === undefined ? {} : { peer: peer.kind === "pods" ? { pods: peer.key } : { block: blockOf(peer) } }),
    ...(port === undefined ? {} : { port }),
  };
}

function blockOf({ key, cidr, except }: Block): Block {
  return { key, cidr, except };
}

/** What an entry must be able to see of a remote. */
export function elementsOf({ peer, port }: PlainEntry): (string | Block)[] {
  const elements: (string | Block)[] = [];
  if (peer !== undefined && "block" in peer) elements.push(peer.block);
  if (port !== undefined && "name" in port) elements.push(`${namingPeer(peer)}${nameToken(port)}`);
  else if (peer !== undefined && "pods" in peer) elements.push(peer.pods);
  return elements;
}

/** Only a pod has named ports: where the rule names no pods, each pod's own name counts. */
export function namingPeer(peer: PlainEntry["peer"]): string {
  return peer !== undefined && "pods" in peer ? peer.pods : anyPod.key;
}

/** The part of a port's token before the number. */
export function nameToken(port: PortName): string {
  return portToken(port, 0).slice(0, -"=0".length);
}
