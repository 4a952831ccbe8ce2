import { LabelledIndex, SelectorIndex } from "./label-index.ts";
import type { LabelMatcher, Labels } from "./label-selector.ts";
import { type Direction, directions, type NetworkPolicy, type PodPeer, type PolicyPod, type PortName } from "./objects.ts";
import { compileSet, contentAddress, type PolicySet } from "./policy-set.ts";

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

/** A peer that at least one policy names. */
interface PeerEntry {
  readonly peer: PodPeer;
  /** Orders cache keys; says nothing outside this process. */
  readonly number: number;
  references: number;
  /** Names of ports that egress rules use with this peer, and how many do; absent while none does. */
  portNames: Map<string, { readonly port: PortName; references: number }> | undefined;
}

interface NamespaceEntry {
  readonly name: string;
  /** Absent while the Namespace object is not known: no namespace selector selects it. */
  labels: Labels | undefined;
  readonly pods: Map<string, PodEntry>;
  readonly policies: Map<string, PolicyEntry>;
  readonly localPeers: Set<PeerEntry>;
  /** Peers whose namespace selector selects it; those for all namespaces stand elsewhere. */
  readonly selectingPeers: Set<PeerEntry>;
}

interface PolicyEntry {
  readonly policy: NetworkPolicy;
  readonly number: number;
  /** Its ingress rules name ports: what they mean depends on the pod. */
  readonly namesPorts: boolean;
}

interface PodEntry {
  pod: PolicyPod;
  readonly namespace: NamespaceEntry;
  compiled: CompiledPod | undefined;
  /** Keys of what the compiled form holds. */
  held: { readonly identity: string; readonly ingress: string | undefined; readonly egress: string | undefined } | undefined;
}

/**
 * NetworkPolicy, compiled incrementally. Pure bookkeeping over what it is told, in any order: after the same objects it holds the same identities
 * and sets, whatever the order in which they came. Objects are told by `set…` and `delete…`; `take` does the work for everything that was touched.
 */
export class PolicyCompiler {
  readonly #namespaces = new Map<string, NamespaceEntry>();
  readonly #peers = new Map<string, PeerEntry>();
  readonly #podIndex = new LabelledIndex<PodEntry>((entry) => entry.pod.labels);
  readonly #namespaceIndex = new LabelledIndex<NamespaceEntry>((entry) => entry.labels ?? {});
  readonly #namespacePeers = new SelectorIndex<PeerEntry>((entry) => namespacesOf(entry.peer));
  /** Peers of pods in all namespaces, by the labels they want of the pod. */
  readonly #everywherePeers = new SelectorIndex<PeerEntry>((entry) => entry.peer.pods);
  readonly #identities = new Interned<Identity>();
  readonly #sets = new Interned<PolicySet | undefined>();
  readonly #touched = new Set<PodEntry>();
  #removed: PodEntry[] = [];
  #lastNumber = 0;
  /** Namespaces whose pods some peer may name that named them not; null: any. */
  #widened: Set<string> | null = new Set();

  setNamespace(name: string, labels: Labels): void {
    const namespace = this.#namespace(name);
    if (namespace.labels !== undefined) this.#namespaceIndex.delete(namespace);
    namespace.labels = labels;
    this.#namespaceIndex.add(namespace);
    this.#reselect(namespace);
  }

  deleteNamespace(name: string): void {
    const namespace = this.#namespaces.get(name);
    if (namespace?.labels === undefined) return;
    this.#namespaceIndex.delete(namespace);
    namespace.labels = undefined;
    this.#reselect(namespace);
    this.#forget(namespace);
  }

  setPod(pod: PolicyPod): void {
    if (pod.hostNetwork || pod.finished) {
      this.deletePod(pod.namespace, pod.name);
      return;
    }
    const namespace = this.#namespace(pod.namespace);
    let entry = namespace.pods.get(pod.name);
    if (entry === undefined) {
      entry = { pod, namespace, compiled: undefined, held: undefined };
      namespace.pods.set(pod.name, entry);
    } else {
      this.#podIndex.delete(entry);
      entry.pod = pod;
    }
    this.#podIndex.add(entry);
    this.#touched.add(entry);
  }

  deletePod(namespaceName: string, name: string): void {
    const namespace = this.#namespaces.get(namespaceName);
    const entry = namespace?.pods.get(name);
    if (namespace === undefined || entry === undefined) return;
    namespace.pods.delete(name);
    this.#podIndex.delete(entry);
    this.#touched.delete(entry);
    this.#release(entry.held);
    if (entry.compiled !== undefined) this.#removed.push(entry);
    this.#forget(namespace);
  }

  setPolicy(policy: NetworkPolicy): void {
    const namespace = this.#namespace(policy.namespace);
    const previous = namespace.policies.get(policy.name);
    const namesPorts = (policy.ingress ?? []).some(({ ports }) => ports?.some((port) => "name" in port));
    // The new one's peers first: what both name is not taken apart in between.
    namespace.policies.set(policy.name, { policy, number: this.#nextNumber(), namesPorts });
    this.#forPeers(policy, (peer, names) => this.#refer(peer, names));
    this.#touchSelected(namespace, policy);
    if (previous !== undefined) this.#drop(namespace, previous.policy);
  }

  deletePolicy(namespaceName: string, name: string): void {
    const namespace = this.#namespaces.get(namespaceName);
    const previous = namespace?.policies.get(name);
    if (namespace === undefined || previous === undefined) return;
    namespace.policies.delete(name);
    this.#drop(namespace, previous.policy);
    this.#forget(namespace);
  }

  /** Compiles what was touched since the last call. */
  take(): Changes {
    const changed: CompiledPod[] = [];
    for (const entry of this.#touched) {
      const before = entry.compiled;
      const compiled = this.#compile(entry);
      const same =
        before !== undefined &&
        before.identity.id === compiled.identity.id &&
        before.ingress?.id === compiled.ingress?.id &&
        before.egress?.id === compiled.egress?.id &&
        before.created === compiled.created &&
        sameTexts(before.addresses, compiled.addresses);
      if (!same) changed.push(compiled);
    }
    this.#touched.clear();
    const gone = this.#removed.filter(({ pod, namespace }) => !namespace.pods.has(pod.name));
    this.#removed = [];
    return { changed, removed: gone.map(({ pod: { namespace, name } }) => ({ namespace, name })) };
  }

  /** The pod as of the last `take`. */
  pod(namespace: string, name: string): CompiledPod | undefined {
    return this.#namespaces.get(namespace)?.pods.get(name)?.compiled;
  }

  /** Whether some policy names pods with these labels: to the rules all others are the same as who is no pod. */
  mentions(namespaceName: string, labels: Labels): boolean {
    const namespace = this.#namespaces.get(namespaceName);
    if (namespace !== undefined) {
      for (const { peer } of namespace.localPeers) if (peer.pods.matches(labels)) return true;
      for (const { peer } of namespace.selectingPeers) if (peer.pods.matches(labels)) return true;
    }
    for (const { peer } of this.#everywherePeers.matching(labels)) if (namespace?.labels !== undefined || peer === anyPod) return true;
    return false;
  }

  /** Namespaces whose pods may be mentioned since the last call though they were not before; "all": of any namespace. */
  takeWidened(): Iterable<string> | "all" {
    const widened = this.#widened ?? "all";
    this.#widened = new Set();
    return widened;
  }

  /** The policies that select a pod, and its ports, whether taken or not; undefined when there is no such pod. */
  selecting(
    namespaceName: string,
    name: string,
  ): { readonly policies: readonly NetworkPolicy[]; readonly ports: PolicyPod["ports"] } | undefined {
    const namespace = this.#namespaces.get(namespaceName);
    const pod = namespace?.pods.get(name)?.pod;
    if (namespace === undefined || pod === undefined) return undefined;
    const policies = [...namespace.policies.values()].map(({ policy }) => policy);
    return { policies: policies.filter(({ podSelector }) => podSelector.matches(pod.labels)), ports: pod.ports };
  }

  /** All pods as of the last `take`. */
  *pods(): Iterable<CompiledPod> {
    for (const { pods } of this.#namespaces.values()) for (const { compiled } of pods.values()) if (compiled !== undefined) yield compiled;
  }

  #namespace(name: string): NamespaceEntry {
    let namespace = this.#namespaces.get(name);
    if (namespace === undefined) {
      const empty = { pods: new Map(), policies: new Map(), localPeers: new Set<PeerEntry>(), selectingPeers: new Set<PeerEntry>() };
      namespace = { name, labels: undefined, ...empty };
      this.#namespaces.set(name, namespace);
    }
    return namespace;
  }

  #forget(namespace: NamespaceEntry): void {
    const { labels, pods, policies, localPeers } = namespace;
    if (labels === undefined && pods.size + policies.size + localPeers.size === 0) this.#namespaces.delete(namespace.name);
  }

  #nextNumber(): number {
    this.#lastNumber += 1;
    return this.#lastNumber;
  }

  /** The namespace's labels changed: other peers may select it now. */
  #reselect(namespace: NamespaceEntry): void {
    namespace.selectingPeers.clear();
    if (namespace.labels !== undefined) {
      for (const entry of this.#namespacePeers.matching(namespace.labels)) namespace.selectingPeers.add(entry);
    }
    this.#widened?.add(namespace.name);
    for (const entry of namespace.pods.values()) this.#touched.add(entry);
  }

  #forPeers(policy: NetworkPolicy, visit: (peer: PodPeer, names: readonly PortName[]) => void): void {
    for (const direction of directions) {
      for (const { peers, ports } of policy[direction] ?? []) {
        const names = direction === "egress" ? (ports ?? []).filter((port) => "name" in port) : [];
        // A port's name means something only of a pod: where a rule names no pods, of any pod.
        if (names.length > 0 && (peers === undefined || peers.some(({ kind }) => kind === "block"))) visit(anyPod, names);
        for (const peer of peers ?? []) if (peer.kind === "pods") visit(peer, names);
      }
    }
  }

  #refer(peer: PodPeer, names: readonly PortName[]): void {
    let entry = this.#peers.get(peer.key);
    if (entry === undefined) {
      entry = { peer, number: this.#nextNumber(), references: 0, portNames: undefined };
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

  #drop(namespace: NamespaceEntry, policy: NetworkPolicy): void {
    this.#forPeers(policy, (peer, names) => this.#unrefer(peer, names));
    this.#touchSelected(namespace, policy);
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
      this.#namespace(scope.namespace).localPeers.add(entry);
      this.#widened?.add(scope.namespace);
    } else if (scope.namespaces.everything) {
      this.#everywherePeers.add(entry);
      this.#widened = null;
    } else {
      this.#namespacePeers.add(entry);
      for (const namespace of this.#namespaceIndex.selected(scope.namespaces)) {
        namespace.selectingPeers.add(entry);
        this.#widened?.add(namespace.name);
      }
    }
  }

  #leave(entry: PeerEntry): void {
    const { scope } = entry.peer;
    if ("namespace" in scope) this.#namespaces.get(scope.namespace)?.localPeers.delete(entry);
    else if (scope.namespaces.everything) this.#everywherePeers.delete(entry);
    else {
      this.#namespacePeers.delete(entry);
      for (const namespace of this.#namespaceIndex.selected(scope.namespaces)) namespace.selectingPeers.delete(entry);
    }
  }

  #touchSelected(namespace: NamespaceEntry, { podSelector }: NetworkPolicy): void {
    for (const entry of namespace.pods.values()) if (podSelector.matches(entry.pod.labels)) this.#touched.add(entry);
  }

  #touchMembers({ scope, pods }: PodPeer): void {
    if ("namespaces" in scope && scope.namespaces.everything) {
      for (const entry of this.#podIndex.selected(pods)) this.#touched.add(entry);
      return;
    }
    const namespaces = "namespace" in scope ? [this.#namespace(scope.namespace)] : this.#namespaceIndex.selected(scope.namespaces);
    for (const namespace of namespaces) {
      for (const entry of namespace.pods.values()) if (pods.matches(entry.pod.labels)) this.#touched.add(entry);
    }
  }

  #compile(entry: PodEntry): CompiledPod {
    const { pod, namespace } = entry;
    const identity = this.#identityOf(entry);
    const policies: PolicyEntry[] = [];
    for (const candidate of namespace.policies.values()) if (candidate.policy.podSelector.matches(pod.labels)) policies.push(candidate);
    const ingress = this.#setOf("ingress", policies, pod);
    const egress = this.#setOf("egress", policies, pod);
    // What it held goes last: what it still needs must not be made anew.
    const before = entry.held;
    entry.held = { identity: identity.cacheKey, ingress: ingress?.cacheKey, egress: egress?.cacheKey };
    this.#release(before);
    entry.compiled = {
      namespace: pod.namespace,
      name: pod.name,
      addresses: pod.addresses,
      ...(pod.created === undefined ? {} : { created: pod.created }),
      identity: identity.value,
      ...(ingress?.value === undefined ? {} : { ingress: ingress.value }),
      ...(egress?.value === undefined ? {} : { egress: egress.value }),
    };
    return entry.compiled;
  }

  #release(held: PodEntry["held"]): void {
    if (held === undefined) return;
    this.#identities.release(held.identity);
    if (held.ingress !== undefined) this.#sets.release(held.ingress);
    if (held.egress !== undefined) this.#sets.release(held.egress);
  }

  #identityOf({ pod, namespace }: PodEntry): { cacheKey: string; value: Identity } {
    const members: PeerEntry[] = [];
    for (const entry of namespace.localPeers) if (entry.peer.pods.matches(pod.labels)) members.push(entry);
    for (const entry of namespace.selectingPeers) if (entry.peer.pods.matches(pod.labels)) members.push(entry);
    for (const entry of this.#everywherePeers.matching(pod.labels)) {
      if (namespace.labels !== undefined || entry.peer === anyPod) members.push(entry);
    }
    members.sort((left, right) => left.number - right.number);
    let cacheKey = "";
    for (const { number, portNames } of members) {
      cacheKey += ` ${number}`;
      if (portNames !== undefined) for (const suffix of ownNumbers(pod, portNames)) cacheKey += suffix;
    }
    const value = this.#identities.acquire(cacheKey, () => {
      const tokens = members.flatMap(({ peer, portNames }) => [
        peer.key,
        ...(portNames === undefined ? [] : ownNumbers(pod, portNames).map((suffix) => peer.key + suffix)),
      ]);
      tokens.sort();
      return { id: contentAddress(tokens.join("\n")), tokens };
    });
    return { cacheKey, value };
  }

  #setOf(
    direction: Direction,
    policies: readonly PolicyEntry[],
    pod: PolicyPod,
  ): { cacheKey: string; value: PolicySet | undefined } | undefined {
    const speaking = policies.filter(({ policy }) => policy[direction] !== undefined);
    if (speaking.length === 0) return undefined;
    const named = direction === "ingress" && speaking.some(({ namesPorts }) => namesPorts);
    const ports = named ? pod.ports.map(({ name, protocol, port }) => `${protocol}/${name}=${port}`).toSorted() : [];
    const numbers = speaking.map(({ number }) => number).toSorted((a, b) => a - b);
    const cacheKey = `${direction} ${numbers.join(" ")} ${ports.join(" ")}`;
    const value = this.#sets.acquire(cacheKey, () =>
      compileSet(
        direction,
        speaking.map(({ policy }) => policy),
        pod.ports,
      ),
    );
    return { cacheKey, value };
  }
}

function ownNumbers(pod: PolicyPod, portNames: NonNullable<PeerEntry["portNames"]>): string[] {
  const suffixes: string[] = [];
  for (const { port } of portNames.values()) {
    for (const { protocol, name, port: number } of pod.ports) {
      if (protocol === port.protocol && name === port.name) suffixes.push(portToken(port, number));
    }
  }
  return suffixes.toSorted();
}

/** The token of a member's own number for a port that egress rules name. */
export function portToken({ protocol, name }: PortName, number: number): string {
  return `#${protocol}/${name}=${number}`;
}

const everything: LabelMatcher = { key: "", everything: true, matches: () => true };
/** Who an egress rule without peers means when it names a port: only a pod can have one. */
export const anyPod: PodPeer = { kind: "pods", scope: { namespaces: everything }, pods: everything, key: "any pod" };

function namespacesOf({ scope }: PodPeer): LabelMatcher {
  return "namespaces" in scope ? scope.namespaces : everything;
}

function sameTexts(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, index) => text === right[index]);
}

/** Values that are made once for each key and kept while somebody holds them. */
class Interned<T> {
  readonly #entries = new Map<string, { readonly value: T; references: number }>();

  acquire(key: string, make: () => T): T {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { value: make(), references: 0 };
      this.#entries.set(key, entry);
    }
    entry.references += 1;
    return entry.value;
  }

  release(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.references -= 1;
    if (entry.references === 0) this.#entries.delete(key);
  }
}
