import type { CompiledPod } from "./compiled-pod.ts";
import type { Labels } from "./label-selector.ts";
import type { NetworkPolicy, PodPeer, PolicyPod, PortName } from "./objects.ts";

/** What the compiler keeps of each object; the tables beside this file find them. */
export interface NamespaceEntry {
  readonly name: string;
  /** Absent while the Namespace object is not known: no namespace selector selects it. */
  labels: Labels | undefined;
  readonly pods: Map<string, PodEntry>;
  readonly policies: Map<string, PolicyEntry>;
  /** Peers that mean pods of this namespace by its name. */
  readonly localPeers: Set<PeerEntry>;
  /** Peers whose namespace selector selects it; those for all namespaces stand elsewhere. */
  readonly selectingPeers: Set<PeerEntry>;
}

export interface PolicyEntry {
  readonly policy: NetworkPolicy;
  /** Orders cache keys; says nothing outside this process. */
  readonly number: number;
  /** Its ingress rules name ports: what they mean depends on the pod. */
  readonly namesPorts: boolean;
}

export interface PodEntry {
  pod: PolicyPod;
  readonly namespace: NamespaceEntry;
  compiled: CompiledPod | undefined;
  /** Keys of what the compiled form holds. */
  held: { readonly identity: string; readonly ingress: string | undefined; readonly egress: string | undefined } | undefined;
}

/** A peer that at least one policy names. */
export interface PeerEntry {
  readonly peer: PodPeer;
  /** Orders cache keys; says nothing outside this process. */
  readonly number: number;
  references: number;
  /** Names of ports that egress rules use with this peer, and how many do; absent while none does. */
  portNames: Map<string, { readonly port: PortName; references: number }> | undefined;
}
