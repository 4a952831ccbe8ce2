/**
 * NetworkPolicy as the kernel programs read it: plain data that crosses the border to `crates/datapath`. Sets and classes are 64-bit numbers in
 * hexadecimal without leading zeros, made from their content: equal content has equal numbers before and after a restart.
 */

/** The set that stands for "not isolated". */
export const noSet = "0";
/** The class that stands for everybody: what a set allows to it, it allows to all. */
export const everybody = "0";
/** The class of a known pod, or of a hole in an address block, of which no rule in force on this node speaks. */
export const unmentioned = "1";

/** Something that a set allows to one class of remotes. */
export interface PolicyEntry {
  readonly class: string;
  /** IP protocol number; 0 is every protocol and every port. */
  readonly protocol: number;
  /** Destination ports, both included; 0 to 65535 is every port. */
  readonly from: number;
  readonly to: number;
  /** Names the rule in counters; never 0. */
  readonly rule: number;
}

/** Entries that a set must have, beside those it has. A set that is not there yet is made, also without entries. */
export interface PolicySetPart {
  readonly set: string;
  readonly entries: readonly PolicyEntry[];
}

/**
 * What decides over a pod's packets: its sets; `tracked` lets everything pass and remembers who opened it; `held` lets only the node's own
 * packets pass.
 */
export type PolicyState = "enforced" | "tracked" | "held";

export interface PolicyRecord {
  /** Number of the pod's interface, see `endpointOf`. */
  readonly endpoint: number;
  readonly ingress: string;
  readonly egress: string;
  readonly state: PolicyState;
}

/**
 * One change, carried out in the order of its fields; wherever it stops, the kernel holds a legal state. Within a field the order does not matter.
 * Applying it again changes nothing.
 */
export interface PolicyStep {
  readonly sets: readonly PolicySetPart[];
  /** Address blocks by canonical CIDR. */
  readonly blocks: readonly { readonly prefix: string; readonly class: string }[];
  readonly goneBlocks: readonly string[];
  /** Pods of the cluster by address. */
  readonly peers: readonly { readonly address: string; readonly class: string }[];
  readonly gonePeers: readonly string[];
  readonly pods: readonly PolicyRecord[];
  /** Interfaces that are gone; without a record everything passes. */
  readonly gonePods: readonly number[];
  /** Judge open connections again: the change could have taken a permission away. */
  readonly bump: boolean;
}

/** What the kernel holds, as a later process finds it. */
export interface PolicyListing {
  readonly blocks: PolicyStep["blocks"];
  readonly peers: PolicyStep["peers"];
  readonly pods: PolicyStep["pods"];
}

/** What may stay when the tables are swept. */
export interface PolicyReferences {
  readonly sets: readonly string[];
  readonly classes: readonly string[];
}

/** Packets of one fate, since the maps were made; reasons as `docs/reference` names them. */
export interface PolicyCount {
  readonly reason: string;
  readonly packets: number;
  readonly bytes: number;
}

/** First packets of a pod that a rule allowed, or packets that none did (rule 0). */
export interface PolicyVerdict {
  readonly endpoint: number;
  readonly direction: "ingress" | "egress";
  readonly rule: number;
  readonly packets: number;
  readonly bytes: number;
}

export interface PolicyCounts {
  readonly reasons: readonly PolicyCount[];
  readonly verdicts: readonly PolicyVerdict[];
}

/** A packet that was dropped. */
export interface PolicySample {
  /** Of the kernel's monotonic clock, as `process.hrtime` reads it. */
  readonly timeNs: number;
  readonly endpoint: number;
  /** As in the counters. */
  readonly reason: string;
  readonly direction: "ingress" | "egress";
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly length: number;
}

/** The number of an attachment's interface in the tables: generations are unique on a node, and 0 is no number. */
export function endpointOf({ generation }: { readonly generation: number }): number {
  return (generation % 0xff_ff_ff_ff) + 1;
}
