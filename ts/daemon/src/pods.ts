import type { Objects } from "@terway/kube";
import { type Clock, cniCode, type PodEni, type PodObject } from "@terway/model";
import type { Cluster, Watched } from "./cluster/cluster.ts";
import { podEnis, pods } from "./cluster/kinds.ts";
import { CniError } from "./failure.ts";
import type { Logger } from "./log.ts";

/** The pod that a sandbox belongs to. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

/** How long an ADD waits for its pod to be told before it asks; the kubelet knows it by a watch of its own, which may be ahead of ours. */
const watchLeadMs = 250;
/** For the answer to that question. */
const askMs = 2_000;

const podEniAnnotation = "k8s.aliyun.com/pod-eni";
const relatedNodeLabel = "k8s.aliyun.com/node";
const ignoreLabel = "k8s.aliyun.com/ignore-by-terway";

export interface PodsParts {
  readonly cluster: Cluster;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The pods of this node beyond what the runtime says of them. */
export class Pods {
  readonly #parts: PodsParts;
  readonly #pods: Watched<PodObject>;
  #podEnis: Watched<PodEni> | undefined;

  constructor(parts: PodsParts) {
    this.#parts = parts;
    const { cluster, nodeName } = parts;
    this.#pods = cluster.watch(pods, { fields: { "spec.nodeName": nodeName } });
    // Where no pod has ENIs of its own nobody need know whether there is such a kind.
    this.#pods.objects.listen((event) => {
      if (event.type !== "deleted" && hasOwnEnis(event.object)) this.#watchPodEnis();
    });
  }

  /** All of this node, in whatever state. */
  get objects(): Objects<PodObject> {
    return this.#pods.objects;
  }

  get synced(): Promise<void> {
    return this.#pods.synced;
  }

  /**
   * The pod's object: known without a question when the watch has told it, which it mostly has. Undefined when none is needed: nobody to ask, no pod of
   * Kubernetes, or a static pod that no API server has been told of yet. Throws a CniError when the pod does not exist, or that cannot be found out.
   */
  async pod(identity: PodIdentity): Promise<PodObject | undefined> {
    const { cluster } = this.#parts;
    await cluster.fresh();
    const known = this.known(identity);
    if (known !== undefined || !cluster.complete || !isOfKubernetes(identity) || isStatic(identity)) return known;
    return (await this.#told(identity)) ?? this.#ask(identity);
  }

  /** As {@link pod}, of what is known at this moment. */
  known(identity: PodIdentity): PodObject | undefined {
    const found = this.#pods.objects.get(`${identity.namespace}/${identity.name}`);
    return found !== undefined && isSame(found, identity) ? found : undefined;
  }

  /** The ENIs that were given to this pod alone; undefined when it takes an address of the node's own pool. `pod` is its object, if there is one. */
  async podEni({ namespace, name }: PodIdentity, pod: PodObject | undefined): Promise<PodEni | undefined> {
    const { cluster } = this.#parts;
    // Where objects are not complete, a PodENI may stand without its pod.
    if (pod === undefined ? cluster.complete : !hasOwnEnis(pod)) return undefined;
    const podEnisHere = this.#watchPodEnis();
    await cluster.fresh();
    const known = podEnisHere.objects.get(`${namespace}/${name}`);
    if (known !== undefined) return known;
    return cluster.read(podEnis, namespace, name, AbortSignal.timeout(askMs)).catch((error: unknown) => {
      throw new CniError(cniCode.tryAgainLater, `the PodENI of ${namespace}/${name} cannot be read: ${messageOf(error)}`);
    });
  }

  /**
   * Resolves when the pod's PodENI has changed, or after `limitMs`, with true: it is worth another look. False at once where nobody tells of changes.
   */
  async podEniChanged({ namespace, name }: PodIdentity, limitMs: number): Promise<boolean> {
    if (!this.#parts.cluster.complete) return false;
    const { objects } = this.#watchPodEnis();
    return new Promise((resolve) => {
      const finish = () => {
        cancel();
        ignore();
        resolve(true);
      };
      const cancel = this.#parts.clock.after(limitMs, finish);
      const ignore = objects.listen((event) => {
        const { metadata } = event.type === "deleted" ? event.before : event.object;
        if (metadata.namespace === namespace && metadata.name === name) finish();
      });
    });
  }

  /**
   * Whether the cluster surely has no such pod any more, or one that has ended; asked, not remembered. False when that cannot be found out.
   */
  async isGone(identity: PodIdentity): Promise<boolean> {
    const { cluster } = this.#parts;
    if (!cluster.complete || !isOfKubernetes(identity)) return false;
    if (this.known(identity) !== undefined && !hasEnded(this.known(identity))) return false;
    try {
      const found = await cluster.read(pods, identity.namespace, identity.name, AbortSignal.timeout(askMs));
      return found === undefined || !isSame(found, identity) || hasEnded(found);
    } catch {
      return false;
    }
  }

  /** Waits shortly for the watch. */
  #told(identity: PodIdentity): Promise<PodObject | undefined> {
    return new Promise((resolve) => {
      const finish = (pod: PodObject | undefined) => {
        cancel();
        ignore();
        resolve(pod);
      };
      const cancel = this.#parts.clock.after(watchLeadMs, () => finish(undefined));
      const ignore = this.#pods.objects.listen((event) => {
        if (event.type !== "deleted" && isSame(event.object, identity) && isNamed(event.object, identity)) finish(event.object);
      });
    });
  }

  async #ask(identity: PodIdentity): Promise<PodObject> {
    const { namespace, name, uid } = identity;
    const found = await this.#parts.cluster.read(pods, namespace, name, AbortSignal.timeout(askMs)).catch((error: unknown) => {
      const message = `pod ${namespace}/${name} is not known here, and the API server cannot be asked: ${messageOf(error)}`;
      throw new CniError(cniCode.tryAgainLater, message);
    });
    if (found !== undefined && isSame(found, identity)) return found;
    const other = found === undefined ? "it was deleted" : `there is another one of that name, ${found.metadata.uid}`;
    throw new CniError(cniCode.tryAgainLater, `pod ${namespace}/${name}${uid === undefined ? "" : ` (${uid})`} does not exist: ${other}`);
  }

  #watchPodEnis(): Watched<PodEni> {
    const { cluster, nodeName } = this.#parts;
    this.#podEnis ??= cluster.watch(podEnis, { labels: { [relatedNodeLabel]: nodeName } });
    return this.#podEnis;
  }
}

/** The control plane shall give this pod ENIs of its own. */
export const hasOwnEnis = (pod: PodObject) => pod.metadata.annotations[podEniAnnotation] === "true" && !isIgnored(pod);

/** As events name it. */
export const subjectOf = ({ metadata: { namespace, name, uid } }: PodObject) =>
  ({ kind: "Pod", namespace, name, ...(uid === "" ? {} : { uid }) }) as const;

/** Gets an address when the runtime asks for one, and nothing else: neither wishes, nor annotations, nor events. */
export const isIgnored = (pod: PodObject | undefined) => pod?.metadata.labels[ignoreLabel] === "true";

/** Succeeded, failed, evicted: nothing of it runs any more, and nothing will again. A pod that is terminating still runs. */
export const hasEnded = (pod: PodObject | undefined) => pod?.status?.phase === "Succeeded" || pod?.status?.phase === "Failed";

const isNamed = ({ metadata }: PodObject, { namespace, name }: PodIdentity) => metadata.namespace === namespace && metadata.name === name;

/**
 * A pod of the same name that lived before, or lives after this sandbox, is another one. The kubelet knows a static pod by the hash of its file, and the
 * API server its mirror by a uid of its own; the annotation has both.
 */
function isSame({ metadata }: PodObject, { uid }: PodIdentity): boolean {
  return uid === undefined || metadata.uid === "" || metadata.uid === uid || metadata.annotations["kubernetes.io/config.mirror"] === uid;
}

/** The uid of a pod from a file or URL is a hash, that of a pod from the API server has dashes. */
const isStatic = ({ uid }: PodIdentity) => uid !== undefined && /^[0-9a-f]{32}$/.test(uid);

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** No namespace of Kubernetes can clash with a pod of this one and a container id for a name. */
const bareNamespace = "cni";
export const isOfKubernetes = ({ namespace }: Pick<PodIdentity, "namespace">) => namespace !== bareNamespace;

/** `K=V;K=V` as the specification writes it. Unknown keys are for others. Throws code 4 naming what cannot be read. */
export function parseCniArgs(text: string): ReadonlyMap<string, string> {
  const args = new Map<string, string>();
  for (const pair of text.split(";")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    if (equals <= 0) throw new CniError(cniCode.invalidEnvironment, `CNI_ARGS: ${JSON.stringify(pair)} is no KEY=VALUE pair`);
    args.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  return args;
}

/** Who the pod is, by the kubelet's arguments; without them (cnitool, podman) the container id stands for the pod. */
export function identifyPod(containerId: string, cniArgs: string | undefined): PodIdentity {
  const args = parseCniArgs(cniArgs ?? "");
  const name = args.get("K8S_POD_NAME");
  const namespace = args.get("K8S_POD_NAMESPACE");
  const uid = args.get("K8S_POD_UID");
  if (!name || !namespace) {
    if (name || namespace) {
      throw new CniError(cniCode.invalidEnvironment, `CNI_ARGS: ${name ? "K8S_POD_NAMESPACE" : "K8S_POD_NAME"} is missing or empty`);
    }
    return { namespace: bareNamespace, name: containerId };
  }
  return { namespace, name, ...(uid ? { uid } : {}) };
}
