import { NodeCompiler } from "@terway/policy";
import type { Cluster, Followed, Watched } from "../cluster/cluster.ts";
import { PodKeeper } from "./pod-keeper.ts";
import { networkPolicies, type PolicyObject, policyNamespaces, policyPods } from "./policy-objects.ts";

/** How long an ADD waits for its pod's object beyond what the watch has told. */
const askMs = 2_000;

/**
 * Feeds the compiler with pods, namespaces and policies of the whole cluster. What this node gives to a pod of its own counts before the API shows it:
 * a pod's address is known to its neighbours on the node before its first packet.
 */
export class PolicySources {
  readonly compiler = new NodeCompiler();
  readonly #cluster: Cluster;
  readonly #policies: Watched<PolicyObject>;
  readonly #followed: readonly Followed[];
  readonly synced: Promise<void>;
  #isSynced = false;

  /** `onChange`: something that concerns this node is different. */
  constructor(cluster: Cluster, onChange: () => void) {
    this.#cluster = cluster;
    const { compiler } = this;
    const namespaces = cluster.watch(policyNamespaces);
    const pods = cluster.follow(policyPods, {}, new PodKeeper(compiler, onChange));
    this.#policies = cluster.watch(networkPolicies);
    this.#followed = [namespaces, pods, this.#policies];
    namespaces.objects.listen((event) => {
      if (event.type === "deleted") compiler.deleteNamespace(event.before.metadata.name);
      else compiler.setNamespace(event.object.metadata.name, event.object.metadata.labels);
      onChange();
    });
    this.#policies.objects.listen((event) => {
      const counts =
        event.type === "deleted"
          ? compiler.deletePolicy(event.before.policy.namespace, event.before.policy.name)
          : compiler.setPolicy(event.object.policy);
      if (counts) onChange();
    });
    this.synced = Promise.all(this.#followed.map((one) => one.synced)).then(() => {
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
    if (this.compiler.own(namespace, name, uid, addresses)) return true;
    const found = await this.#cluster.read(policyPods, namespace, name, AbortSignal.timeout(askMs)).catch(() => undefined);
    // A pod of the same name that lived before, or lives after this sandbox, is another one.
    if (found === undefined || (uid !== undefined && found.uid !== "" && found.uid !== uid)) return false;
    this.compiler.ask(found);
    return true;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#followed.map((one) => one.stop()));
  }
}
