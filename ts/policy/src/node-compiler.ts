import type { Changes, CompiledPod } from "./compiled-pod.ts";
import { PolicyCompiler } from "./compiler.ts";
import type { Labels } from "./label-selector.ts";
import type { NetworkPolicy, PolicyPod } from "./objects.ts";
import { PodTable, type ShownPod } from "./pod-table.ts";

/** A pod of this node. */
interface OwnPod {
  readonly addresses: readonly string[];
  /** Its object, where it was read before the watch told of it. */
  asked: ShownPod | undefined;
}

/**
 * What a node compiles of a cluster: policies of the namespaces that its own pods are in, its own pods, and those of others that these policies name. All
 * other pods wait in a table, because a policy that comes, or a pod of this node in another namespace, may name them any time. To the rules they are the
 * same as who is no pod.
 *
 * What begins to count does so with the next `take`; what counts no more is left to `prune`, when the kernel's tables have moved on and it changes no
 * verdict.
 */
export class NodeCompiler {
  readonly #compiler = new PolicyCompiler();
  readonly #pods = new PodTable();
  readonly #policies = new Map<string, Map<string, NetworkPolicy>>();
  readonly #own = new Map<string, OwnPod>();
  /** Whose policies the compiler has. */
  readonly #counted = new Set<string>();

  /** Pods of the cluster. */
  get size(): number {
    return this.#pods.size;
  }

  setNamespace(name: string, labels: Labels): void {
    this.#compiler.setNamespace(name, labels);
  }

  deleteNamespace(name: string): void {
    this.#compiler.deleteNamespace(name);
  }

  /** True when it counts on this node; so with all that follow. */
  setPolicy(policy: NetworkPolicy): boolean {
    const { namespace, name } = policy;
    const policies = this.#policies.get(namespace) ?? new Map<string, NetworkPolicy>();
    this.#policies.set(namespace, policies.set(name, policy));
    if (!this.#counted.has(namespace)) return false;
    this.#compiler.setPolicy(policy);
    return true;
  }

  deletePolicy(namespace: string, name: string): boolean {
    const policies = this.#policies.get(namespace);
    policies?.delete(name);
    if (policies?.size === 0) this.#policies.delete(namespace);
    if (!this.#counted.has(namespace)) return false;
    this.#compiler.deletePolicy(namespace, name);
    return true;
  }

  setPod(shown: ShownPod): boolean {
    const { namespace, name, labels } = shown.pod;
    const before = this.#pods.state(namespace, name);
    if (!this.#pods.set(shown)) return false;
    const state = this.#pods.state(namespace, name);
    const own = this.#own.has(keyOf(namespace, name));
    const counts = own || state === "counted" || (state === "idle" && this.#compiler.mentions(namespace, labels));
    // Who holds an address that two pods show is for the address book to say, which must know both.
    const shared = this.#share(namespace, name);
    if (counts || shared) this.#count(namespace, name);
    else if (before === "counted") this.#compiler.deletePod(namespace, name);
    return counts || shared || before === "counted";
  }

  deletePod(namespace: string, name: string): boolean {
    const counted = this.#pods.state(namespace, name) === "counted" || this.#own.has(keyOf(namespace, name));
    this.#pods.delete(namespace, name);
    this.#compiler.deletePod(namespace, name);
    return counted;
  }

  /** `namespace/name` of all pods that are shown. */
  *keys(): Iterable<string> {
    for (const [namespace, name] of this.#pods.names()) yield keyOf(namespace, name);
  }

  /** A pod of this node has these addresses, whatever the API shows. True when the API shows this very pod. */
  own(namespace: string, name: string, uid: string | undefined, addresses: readonly string[]): boolean {
    this.#own.set(keyOf(namespace, name), { addresses, asked: undefined });
    if (!this.#counted.has(namespace)) {
      this.#counted.add(namespace);
      for (const policy of this.#policies.get(namespace)?.values() ?? []) this.#compiler.setPolicy(policy);
    }
    const shown = uid === undefined ? this.knows(namespace, name) : this.#pods.isSame(namespace, name, uid);
    if (shown) this.#count(namespace, name);
    return shown;
  }

  /** The object of a pod of this node, which the API server was asked for. */
  ask(shown: ShownPod): void {
    const { namespace, name } = shown.pod;
    const own = this.#own.get(keyOf(namespace, name));
    if (own === undefined) return;
    own.asked = shown;
    this.#tell(shown.pod);
  }

  /** The node has taken its addresses back. */
  disown(namespace: string, name: string): void {
    if (!this.#own.delete(keyOf(namespace, name))) return;
    const told = this.#pods.get(namespace, name);
    if (told === undefined) this.#compiler.deletePod(namespace, name);
    else this.#tell(told);
  }

  /** The API shows a pod of this name. */
  knows(namespace: string, name: string): boolean {
    return this.#pods.state(namespace, name) !== undefined;
  }

  /** It may change the devices of its network namespace; false while nothing is known of it. */
  isNetAdmin(namespace: string, name: string): boolean {
    if (this.knows(namespace, name)) return this.#pods.isNetAdmin(namespace, name);
    return this.#own.get(keyOf(namespace, name))?.asked?.netAdmin ?? false;
  }

  selecting(namespace: string, name: string): ReturnType<PolicyCompiler["selecting"]> {
    return this.#compiler.selecting(namespace, name);
  }

  /** The pod as of the last `take`. */
  pod(namespace: string, name: string): CompiledPod | undefined {
    return this.#compiler.pod(namespace, name);
  }

  /** Compiles what was touched since the last call. */
  take(): Changes {
    const widened = this.#compiler.takeWidened();
    for (const namespace of widened === "all" ? this.#pods.namespaces() : widened) {
      for (const name of this.#pods.select(namespace, "idle", (labels) => this.#compiler.mentions(namespace, labels))) {
        this.#share(namespace, name);
        this.#count(namespace, name);
      }
    }
    return this.#compiler.take();
  }

  /** Lets go of what counts no more; true when something does not. To be called when the tables hold nothing but what pods have. */
  prune(): boolean {
    const inUse = new Set([...this.#own.keys()].map((key) => key.slice(0, key.indexOf("/"))));
    let pruned = false;
    for (const namespace of this.#counted) {
      if (inUse.has(namespace)) continue;
      this.#counted.delete(namespace);
      for (const name of this.#policies.get(namespace)?.keys() ?? []) this.#compiler.deletePolicy(namespace, name);
    }
    for (const namespace of this.#pods.namespaces()) {
      for (const name of this.#pods.select(namespace, "counted", (labels) => !this.#compiler.mentions(namespace, labels))) {
        if (this.#own.has(keyOf(namespace, name)) || this.#pods.sharing(namespace, name).length > 0) continue;
        this.#pods.count(namespace, name, false);
        this.#compiler.deletePod(namespace, name);
        pruned = true;
      }
    }
    return pruned;
  }

  /** Counts the others that show one of its addresses; true when there is one. */
  #share(namespace: string, name: string): boolean {
    const others = this.#pods.sharing(namespace, name);
    for (const [of, other] of others) this.#count(of, other);
    return others.length > 0;
  }

  #count(namespace: string, name: string): void {
    const pod = this.#pods.get(namespace, name);
    if (pod === undefined) return;
    this.#pods.count(namespace, name, true);
    this.#tell(pod);
  }

  #tell(pod: PolicyPod): void {
    const own = this.#own.get(keyOf(pod.namespace, pod.name));
    // A pod that the node gave addresses to is running here, whatever its object says of it.
    this.#compiler.setPod(own === undefined ? pod : { ...pod, addresses: own.addresses, hostNetwork: false });
  }
}

const keyOf = (namespace: string, name: string) => `${namespace}/${name}`;
