import { type Changes, type CompiledPod, type Identity, portToken } from "./compiled-pod.ts";
import type { NamespaceEntry, PeerEntry, PodEntry, PolicyEntry } from "./entries.ts";
import { Interned } from "./interned.ts";
import type { Labels } from "./label-selector.ts";
import { NamespaceTable } from "./namespace-table.ts";
import type { Direction, NetworkPolicy, PolicyPod } from "./objects.ts";
import { PeerTable } from "./peer-table.ts";
import { compileSet, contentAddress, type PolicySet } from "./policy-set.ts";

/**
 * NetworkPolicy, compiled incrementally. Pure bookkeeping over what it is told, in any order: after the same objects it holds the same identities
 * and sets, whatever the order in which they came. Objects are told by `set…` and `delete…`; `take` does the work for everything that was touched.
 */
export class PolicyCompiler {
  readonly #namespaces = new NamespaceTable();
  readonly #peers = new PeerTable(this.#namespaces, (entry) => this.#touched.add(entry));
  readonly #identities = new Interned<Identity>();
  readonly #sets = new Interned<PolicySet | undefined>();
  readonly #touched = new Set<PodEntry>();
  #removed: PodEntry[] = [];
  #lastPolicy = 0;

  setNamespace(name: string, labels: Labels): void {
    const namespace = this.#namespaces.at(name);
    this.#namespaces.setLabels(namespace, labels);
    this.#peers.reselect(namespace);
  }

  deleteNamespace(name: string): void {
    const namespace = this.#namespaces.find(name);
    if (namespace?.labels === undefined) return;
    this.#namespaces.setLabels(namespace, undefined);
    this.#peers.reselect(namespace);
    this.#namespaces.tidy(namespace);
  }

  setPod(pod: PolicyPod): void {
    if (pod.hostNetwork || pod.finished) {
      this.deletePod(pod.namespace, pod.name);
      return;
    }
    this.#touched.add(this.#namespaces.setPod(pod));
  }

  deletePod(namespaceName: string, name: string): void {
    const entry = this.#namespaces.find(namespaceName)?.pods.get(name);
    if (entry === undefined) return;
    this.#namespaces.deletePod(entry);
    this.#touched.delete(entry);
    this.#release(entry.held);
    if (entry.compiled !== undefined) this.#removed.push(entry);
    this.#namespaces.tidy(entry.namespace);
  }

  setPolicy(policy: NetworkPolicy): void {
    const namespace = this.#namespaces.at(policy.namespace);
    const previous = namespace.policies.get(policy.name);
    const namesPorts = (policy.ingress ?? []).some(({ ports }) => ports?.some((port) => "name" in port));
    // The new one's peers first: what both name is not taken apart in between.
    this.#lastPolicy += 1;
    namespace.policies.set(policy.name, { policy, number: this.#lastPolicy, namesPorts });
    this.#peers.refer(policy);
    this.#touchSelected(namespace, policy);
    if (previous !== undefined) this.#drop(namespace, previous.policy);
  }

  deletePolicy(namespaceName: string, name: string): void {
    const namespace = this.#namespaces.find(namespaceName);
    const previous = namespace?.policies.get(name);
    if (namespace === undefined || previous === undefined) return;
    namespace.policies.delete(name);
    this.#drop(namespace, previous.policy);
    this.#namespaces.tidy(namespace);
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
    return this.#namespaces.find(namespace)?.pods.get(name)?.compiled;
  }

  /** Whether some policy names pods with these labels: to the rules all others are the same as who is no pod. */
  mentions(namespaceName: string, labels: Labels): boolean {
    for (const _ of this.#peers.naming(this.#namespaces.find(namespaceName), labels)) return true;
    return false;
  }

  /** Namespaces whose pods may be mentioned since the last call though they were not before; "all": of any namespace. */
  takeWidened(): Iterable<string> | "all" {
    return this.#peers.takeWidened();
  }

  /** The policies that select a pod, and its ports, whether taken or not; undefined when there is no such pod. */
  selecting(
    namespaceName: string,
    name: string,
  ): { readonly policies: readonly NetworkPolicy[]; readonly ports: PolicyPod["ports"] } | undefined {
    const namespace = this.#namespaces.find(namespaceName);
    const pod = namespace?.pods.get(name)?.pod;
    if (namespace === undefined || pod === undefined) return undefined;
    const policies = [...namespace.policies.values()].map(({ policy }) => policy);
    return { policies: policies.filter(({ podSelector }) => podSelector.matches(pod.labels)), ports: pod.ports };
  }

  /** All pods as of the last `take`. */
  *pods(): Iterable<CompiledPod> {
    for (const { pods } of this.#namespaces.values()) for (const { compiled } of pods.values()) if (compiled !== undefined) yield compiled;
  }

  #drop(namespace: NamespaceEntry, policy: NetworkPolicy): void {
    this.#peers.unrefer(policy);
    this.#touchSelected(namespace, policy);
  }

  #touchSelected(namespace: NamespaceEntry, { podSelector }: NetworkPolicy): void {
    for (const entry of namespace.pods.values()) if (podSelector.matches(entry.pod.labels)) this.#touched.add(entry);
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
    const members = [...this.#peers.naming(namespace, pod.labels)];
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

function sameTexts(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((text, index) => text === right[index]);
}
