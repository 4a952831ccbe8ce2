import type { NamespaceEntry, PeerEntry, PodEntry } from "./entries.ts";
import { SelectorIndex } from "./label-index.ts";
import type { LabelMatcher, Labels } from "./label-selector.ts";
import type { NamespaceTable } from "./namespace-table.ts";
import { directions, type NetworkPolicy, type PodPeer, type PortName } from "./objects.ts";

const everything: LabelMatcher = { key: "", everything: true, matches: () => true };
/** Who an egress rule without peers means when it names a port: only a pod can have one. */
export const anyPod: PodPeer = { kind: "pods", scope: { namespaces: everything }, pods: everything, key: "any pod" };

/** The peers that policies name, counted, and which of them a pod is a member of. Tells `touch` of each pod whose membership may have changed. */
export class PeerTable {
  readonly #namespaces: NamespaceTable;
  readonly #touch: (pod: PodEntry) => void;
  readonly #peers = new Map<string, PeerEntry>();
  readonly #byNamespaceLabels = new SelectorIndex<PeerEntry>((entry) => namespacesOf(entry.peer));
  /** Peers of pods in all namespaces, by the labels they want of the pod. */
  readonly #everywhere = new SelectorIndex<PeerEntry>((entry) => entry.peer.pods);
  #lastNumber = 0;
  /** Namespaces whose pods some peer may name that named them not; null: any. */
  #widened: Set<string> | null = new Set();

  constructor(namespaces: NamespaceTable, touch: (pod: PodEntry) => void) {
    this.#namespaces = namespaces;
    this.#touch = touch;
  }

  /** Counts the peers of a policy that is in force from now on. */
  refer(policy: NetworkPolicy): void {
    for (const [peer, names] of peersOf(policy)) this.#refer(peer, names);
  }

  /** Takes back what `refer` counted. */
  unrefer(policy: NetworkPolicy): void {
    for (const [peer, names] of peersOf(policy)) this.#unrefer(peer, names);
  }

  /** The namespace's labels changed: other peers may select it now. */
  reselect(namespace: NamespaceEntry): void {
    namespace.selectingPeers.clear();
    if (namespace.labels !== undefined) {
      for (const entry of this.#byNamespaceLabels.matching(namespace.labels)) namespace.selectingPeers.add(entry);
    }
    this.#widened?.add(namespace.name);
    for (const entry of namespace.pods.values()) this.#touch(entry);
  }

  /** The peers that a pod with these labels is a member of; the namespace is absent where nothing is known of it. */
  *naming(namespace: NamespaceEntry | undefined, labels: Labels): Iterable<PeerEntry> {
    if (namespace !== undefined) {
      for (const entry of namespace.localPeers) if (entry.peer.pods.matches(labels)) yield entry;
      for (const entry of namespace.selectingPeers) if (entry.peer.pods.matches(labels)) yield entry;
    }
    for (const entry of this.#everywhere.matching(labels)) {
      if (namespace?.labels !== undefined || entry.peer === anyPod) yield entry;
    }
  }

  /** Namespaces whose pods may be named since the last call though they were not before; "all": of any namespace. */
  takeWidened(): Iterable<string> | "all" {
    const widened = this.#widened ?? "all";
    this.#widened = new Set();
    return widened;
  }

  #refer(peer: PodPeer, names: readonly PortName[]): void {
    let entry = this.#peers.get(peer.key);
    if (entry === undefined) {
      this.#lastNumber += 1;
      entry = { peer, number: this.#lastNumber, references: 0, portNames: undefined };
      this.#peers.set(peer.key, entry);
      this.#enter(entry);
      this.#touchMembers(peer);
    }
    entry.references += 1;
    for (const port of names) {
      const key = `${port.protocol}/${port.name}`;
      entry.portNames ??= new Map();
      const used = entry.portNames.get(key);
      if (used !== undefined) used.references += 1;
      else {
        entry.portNames.set(key, { port, references: 1 });
        this.#touchMembers(peer);
      }
    }
  }

  #unrefer(peer: PodPeer, names: readonly PortName[]): void {
    const entry = this.#peers.get(peer.key);
    if (entry === undefined) return;
    for (const { protocol, name } of names) {
      const key = `${protocol}/${name}`;
      const used = entry.portNames?.get(key);
      if (used === undefined) continue;
      used.references -= 1;
      if (used.references > 0) continue;
      entry.portNames?.delete(key);
      this.#touchMembers(peer);
    }
    entry.references -= 1;
    if (entry.references > 0) return;
    this.#touchMembers(peer);
    this.#leave(entry);
    this.#peers.delete(peer.key);
  }

  #enter(entry: PeerEntry): void {
    const { scope } = entry.peer;
    if ("namespace" in scope) {
      this.#namespaces.at(scope.namespace).localPeers.add(entry);
      this.#widened?.add(scope.namespace);
    } else if (scope.namespaces.everything) {
      this.#everywhere.add(entry);
      this.#widened = null;
    } else {
      this.#byNamespaceLabels.add(entry);
      for (const namespace of this.#namespaces.selected(scope.namespaces)) {
        namespace.selectingPeers.add(entry);
        this.#widened?.add(namespace.name);
      }
    }
  }

  #leave(entry: PeerEntry): void {
    const { scope } = entry.peer;
    if ("namespace" in scope) this.#namespaces.find(scope.namespace)?.localPeers.delete(entry);
    else if (scope.namespaces.everything) this.#everywhere.delete(entry);
    else {
      this.#byNamespaceLabels.delete(entry);
      for (const namespace of this.#namespaces.selected(scope.namespaces)) namespace.selectingPeers.delete(entry);
    }
  }

  #touchMembers({ scope, pods }: PodPeer): void {
    if ("namespaces" in scope && scope.namespaces.everything) {
      for (const entry of this.#namespaces.selectedPods(pods)) this.#touch(entry);
      return;
    }
    const namespaces = "namespace" in scope ? [this.#namespaces.at(scope.namespace)] : this.#namespaces.selected(scope.namespaces);
    for (const namespace of namespaces) {
      for (const entry of namespace.pods.values()) if (pods.matches(entry.pod.labels)) this.#touch(entry);
    }
  }
}

/** The pods that a policy's rules name, each with the ports that egress rules name there. */
function* peersOf(policy: NetworkPolicy): Iterable<readonly [PodPeer, readonly PortName[]]> {
  for (const direction of directions) {
    for (const { peers, ports } of policy[direction] ?? []) {
      const names = direction === "egress" ? (ports ?? []).filter((port) => "name" in port) : [];
      // A port's name means something only of a pod: where a rule names no pods, of any pod.
      if (names.length > 0 && (peers === undefined || peers.some(({ kind }) => kind === "block"))) yield [anyPod, names];
      for (const peer of peers ?? []) if (peer.kind === "pods") yield [peer, names];
    }
  }
}

function namespacesOf({ scope }: PodPeer): LabelMatcher {
  return "namespaces" in scope ? scope.namespaces : everything;
}
