import type { NamespaceEntry, PeerEntry, PodEntry } from "./entries.ts";
import { LabelledIndex } from "./label-index.ts";
import type { LabelMatcher, Labels } from "./label-selector.ts";
import type { PolicyPod } from "./objects.ts";

/** The namespaces of which something is known, with what is in them; they and their pods are found by name and by label. */
export class NamespaceTable {
  readonly #entries = new Map<string, NamespaceEntry>();
  readonly #labelled = new LabelledIndex<NamespaceEntry>((entry) => entry.labels ?? {});
  readonly #pods = new LabelledIndex<PodEntry>((entry) => entry.pod.labels);

  find(name: string): NamespaceEntry | undefined {
    return this.#entries.get(name);
  }

  /** The namespace of that name, made where nothing of it was known. */
  at(name: string): NamespaceEntry {
    let namespace = this.#entries.get(name);
    if (namespace === undefined) {
      const empty = { pods: new Map(), policies: new Map(), localPeers: new Set<PeerEntry>(), selectingPeers: new Set<PeerEntry>() };
      namespace = { name, labels: undefined, ...empty };
      this.#entries.set(name, namespace);
    }
    return namespace;
  }

  values(): Iterable<NamespaceEntry> {
    return this.#entries.values();
  }

  /** Those whose object is known and that the matcher selects. */
  selected(matcher: LabelMatcher): Iterable<NamespaceEntry> {
    return this.#labelled.selected(matcher);
  }

  /** Pods of any namespace. */
  selectedPods(matcher: LabelMatcher): Iterable<PodEntry> {
    return this.#pods.selected(matcher);
  }

  /** Absent labels: the object is not known any more. */
  setLabels(namespace: NamespaceEntry, labels: Labels | undefined): void {
    if (namespace.labels !== undefined) this.#labelled.delete(namespace);
    namespace.labels = labels;
    if (labels !== undefined) this.#labelled.add(namespace);
  }

  setPod(pod: PolicyPod): PodEntry {
    const namespace = this.at(pod.namespace);
    let entry = namespace.pods.get(pod.name);
    if (entry === undefined) {
      entry = { pod, namespace, compiled: undefined, held: undefined };
      namespace.pods.set(pod.name, entry);
    } else {
      this.#pods.delete(entry);
      entry.pod = pod;
    }
    this.#pods.add(entry);
    return entry;
  }

  deletePod(entry: PodEntry): void {
    entry.namespace.pods.delete(entry.pod.name);
    this.#pods.delete(entry);
  }

  /** Drops a namespace of which nothing is known any more. */
  tidy(namespace: NamespaceEntry): void {
    const { labels, pods, policies, localPeers } = namespace;
    if (labels === undefined && pods.size + policies.size + localPeers.size === 0) this.#entries.delete(namespace.name);
  }
}
