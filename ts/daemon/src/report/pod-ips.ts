import { ApiError, type KubeClient, mergePatch, WorkQueue } from "@terway/kube";
import type { Clock, Lease, Random } from "@terway/model";
import { pods as podKind } from "../cluster/kinds.ts";
import type { Logger } from "../log.ts";
import { isIgnored, isOfKubernetes, type Pods } from "../pods.ts";

export const podIpsAnnotation = "k8s.aliyun.com/pod-ips";
const fieldManager = "terwayd";
/** Patches under way at the same time. */
const workers = 4;

export interface PodIpsParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly pods: Pods;
  readonly leases: () => readonly Lease[];
  /** `enable_patch_pod_ips`, read at every use. */
  readonly enabled: () => boolean;
}

/**
 * Writes a pod's addresses to its annotation as soon as they are its own, which is well before the kubelet reports them: whoever enforces policy on other
 * nodes need not wait. Beside the ADD, which never waits for it; again after a restart and whenever the annotation is not what it should be.
 */
export class PodIps {
  readonly #parts: PodIpsParts;
  readonly #queue: WorkQueue;
  readonly #ignore: () => void;

  constructor(parts: PodIpsParts) {
    this.#parts = parts;
    const { clock, random, log } = parts;
    this.#queue = new WorkQueue({
      ...{ clock, random, workers, firstMs: 200, mostMs: 30_000 },
      work: (key) => this.#write(key),
      onFailure: (key, error, retryMs) => log.debug({ pod: key, err: error, retryMs }, "addresses not written to the pod yet"),
    });
    this.#ignore = parts.pods.objects.listen((event) => {
      if (event.type !== "deleted") this.#queue.add(`${event.object.metadata.namespace}/${event.object.metadata.name}`);
    });
  }

  allocated({ sandbox }: Lease): void {
    const { podNamespace: namespace, podName: name } = sandbox;
    if (isOfKubernetes({ namespace })) this.#queue.add(`${namespace}/${name}`);
  }

  async stop(): Promise<void> {
    this.#ignore();
    await this.#queue.stop();
  }

  async #write(key: string): Promise<undefined> {
    const { client, pods, enabled, log } = this.#parts;
    if (!enabled()) return undefined;
    const lease = this.#leaseOf(key);
    if (lease === undefined) return undefined;
    const { podNamespace: namespace, podName: name, podUid } = lease.sandbox;
    const pod = pods.known({ namespace, name, ...(podUid === undefined ? {} : { uid: podUid }) });
    // Not told yet: the watch brings us back.
    if (pod === undefined || isIgnored(pod)) return undefined;
    const wanted = [lease.ipv4?.address, lease.ipv6?.address].filter((address) => address !== undefined).join(",");
    if (pod.metadata.annotations[podIpsAnnotation] === wanted) return undefined;
    const metadata = { uid: pod.metadata.uid, annotations: { [podIpsAnnotation]: wanted } };
    try {
      await mergePatch(client, { resource: podKind.resource, namespace, name }, { metadata }, fieldManager);
    } catch (error) {
      // Gone, another one of its name, or not ours to write: another attempt would end the same way.
      if (!(error instanceof ApiError) || ![403, 404, 409, 422].includes(error.status)) throw error;
      if (error.status === 403) log.warn({ pod: key }, `addresses cannot be written to the pod: ${error.message}`);
    }
    return undefined;
  }

  /** The newest one: an older sandbox of the pod may not be gone yet. */
  #leaseOf(key: string): Lease | undefined {
    const held = this.#parts.leases().filter(({ state, sandbox }) => {
      return state !== "releasing" && sandbox.ifName === "eth0" && `${sandbox.podNamespace}/${sandbox.podName}` === key;
    });
    return held.sort((a, b) => b.generation - a.generation)[0];
  }
}
