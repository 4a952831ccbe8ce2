import { PolicyCompiler } from "@terway/policy";
import type { Cluster, Watched } from "../cluster/cluster.ts";
import { networkPolicies, type PolicyObject, type PolicyPodObject, policyNamespaces, policyPods } from "./policy-objects.ts";

/** How long an ADD waits for its pod's object beyond what the watch has told. */
const askMs = 2_000;

/**
 * Feeds the compiler with pods, namespaces and policies of the whole cluster. What this node gives to a pod of its own counts before the API shows it:
 * a pod's address is known to its neighbours on the node before its first packet.
 */
export class PolicySources {
  readonly compiler = new PolicyCompiler();
  readonly #cluster: Cluster;
  readonly #pods: Watched<PolicyPodObject>;
  readonly #policies: Watched<PolicyObject>;
  readonly #watched: readonly { stop(): Promise<void> }[];
  /** Addresses of this node's pods by `namespace/name`. */
  readonly #own = new Map<string, readonly string[]>();
  /** Objects of this node's pods that were asked for before the watch told of them. */
  readonly #asked = new Map<string, PolicyPodObject>();
  readonly synced: Promise<void>;
  #isSynced = false;

  constructor(cluster: Cluster, onChange: () => void) {
    this.#cluster = cluster;
    const namespaces = cluster.watch(policyNamespaces);
    this.#pods = cluster.watch(policyPods);
    this.#policies = cluster.watch(networkPolicies);
    this.#watched = [namespaces, this.#pods, this.#policies];
    namespaces.objects.listen((event) => {
      if (event.type === "deleted") this.compiler.deleteNamespace(event.before.metadata.name);
      else this.compiler.setNamespace(event.object.metadata.name, event.object.metadata.labels);
      onChange();
    });
    this.#pods.objects.listen((event) => {
      if (event.type === "deleted") this.compiler.deletePod(event.before.pod.namespace, event.before.pod.name);
      else this.#set(event.object);
      onChange();
    });
    this.#policies.objects.listen((event) => {
      if (event.type === "deleted") this.compiler.deletePolicy(event.before.policy.namespace, event.before.policy.name);
      else this.compiler.setPolicy(event.object.policy);
      onChange();
    });
    this.synced = Promise.all([namespaces.synced, this.#pods.synced, this.#policies.synced]).then(() => {
      this.#isSynced = true;
    });
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  get policies(): number {
    return this.#policies.objects.size;
  }

  /** What is there now is taken in, where that costs nothing to know. */
  fresh(): Promise<void> {
    return this.#cluster.fresh();
  }

  /** A pod of this node has these addresses, whatever its object shows. True when the object is known; otherwise nobody can say what selects it. */
  async own(namespace: string, name: string, uid: string | undefined, addresses: readonly string[]): Promise<boolean> {
    const key = `${namespace}/${name}`;
    this.#own.set(key, addresses);
    const told = this.#pods.objects.get(key);
    const known = told !== undefined && isSame(told, uid) ? told : await this.#ask(namespace, name, uid);
    if (known !== undefined) this.#set(known);
    if (known !== undefined && known !== told) this.#asked.set(key, known);
    return known !== undefined;
  }

  /** As {@link own}, of what is known at this moment. */
  knows(namespace: string, name: string): boolean {
    return this.#pods.objects.get(`${namespace}/${name}`) !== undefined;
  }

  /** It may change the devices of its network namespace; false while its object is not known. */
  isNetAdmin(namespace: string, name: string): boolean {
    return this.#pods.objects.get(`${namespace}/${name}`)?.netAdmin ?? this.#asked.get(`${namespace}/${name}`)?.netAdmin ?? false;
  }

  /** The node has taken its addresses back. */
  disown(namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    this.#asked.delete(key);
    if (!this.#own.delete(key)) return;
    const told = this.#pods.objects.get(key);
    if (told === undefined) this.compiler.deletePod(namespace, name);
    else this.#set(told);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#watched.map((watched) => watched.stop()));
  }

  #set({ pod }: PolicyPodObject): void {
    const own = this.#own.get(`${pod.namespace}/${pod.name}`);
    // A pod that the node gave addresses to is running here, whatever its object says of it.
    this.compiler.setPod(own === undefined ? pod : { ...pod, addresses: own, hostNetwork: false });
  }

  async #ask(namespace: string, name: string, uid: string | undefined): Promise<PolicyPodObject | undefined> {
    const found = await this.#cluster.read(policyPods, namespace, name, AbortSignal.timeout(askMs)).catch(() => undefined);
    return found !== undefined && isSame(found, uid) ? found : undefined;
  }
}

/** A pod of the same name that lived before, or lives after this sandbox, is another one. */
function isSame({ metadata }: PolicyPodObject, uid: string | undefined): boolean {
  return uid === undefined || !metadata.uid || metadata.uid === uid;
}
