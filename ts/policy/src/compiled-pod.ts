import type { PortName } from "./objects.ts";
import type { PolicySet } from "./policy-set.ts";

/**
 * The class of all pods that the policies in force cannot tell apart: those that are members of the same peers. Content-addressed.
 * Members of a peer that is used with named ports also agree on the numbers of these names.
 */
export interface Identity {
  readonly id: string;
  /** Keys of the peers, and `<key>#<protocol>/<name>=<port>` for named ports; sorted. */
  readonly tokens: readonly string[];
}

/** A pod as policy sees it. */
export interface CompiledPod {
  readonly namespace: string;
  readonly name: string;
  readonly addresses: readonly string[];
  /** See `PolicyPod`. */
  readonly created?: string;
  readonly identity: Identity;
  /** Absent: not isolated in this direction, everything passes. */
  readonly ingress?: PolicySet;
  readonly egress?: PolicySet;
}

/** What changed since the last look. */
export interface Changes {
  /** Pods that are new or whose addresses, identity or sets are not what they were. */
  readonly changed: readonly CompiledPod[];
  /** Pods that are gone, or count no more (finished, moved to the node's network). */
  readonly removed: readonly { readonly namespace: string; readonly name: string }[];
}

/** The token of a member's own number for a port that egress rules name. */
export function portToken({ protocol, name }: PortName, number: number): string {
  return `#${protocol}/${name}=${number}`;
}
