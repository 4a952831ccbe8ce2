import { cidrContains } from "@terway/model";
import { type Identity, portToken } from "./compiled-pod.ts";
import type { Protocol } from "./objects.ts";
import { anyPod } from "./peer-table.ts";
import type { PolicySet, SetEntry } from "./policy-set.ts";

/** Who is at the other end. */
export interface Remote {
  readonly address: string;
  /** Absent: no pod that is known. */
  readonly identity?: Identity;
}

/** What a set says of one first packet; the meaning that every enforcement of a set must have. Without a set everything passes. */
export function allows(set: PolicySet | undefined, remote: Remote, protocol: Protocol, port: number): boolean {
  return set === undefined || set.entries.some((entry) => matches(entry, remote, protocol, port));
}

function matches({ peer, port: wanted }: SetEntry, { address, identity }: Remote, protocol: Protocol, port: number): boolean {
  if (wanted !== undefined && wanted.protocol !== protocol) return false;
  if (wanted !== undefined && "name" in wanted) {
    // Only a pod has named ports. A peer by addresses gives it no number of its own, so every pod's own name counts.
    const key = peer?.kind === "pods" ? peer.key : anyPod.key;
    if (!identity?.tokens.includes(key + portToken(wanted, port))) return false;
  } else if (wanted !== undefined && (port < wanted.from || port > wanted.to)) {
    return false;
  }
  if (peer === undefined) return true;
  if (peer.kind === "pods") return identity?.tokens.includes(peer.key) ?? false;
  return cidrContains(peer.cidr, address) && !peer.except.some((inner) => cidrContains(inner, address));
}
