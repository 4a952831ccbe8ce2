import { createPod, type KubernetesCluster, type KubernetesNode, type PodObject, patient, podsReady } from "@terway/lab";
import { expect } from "vitest";
import { createNamespace } from "./objects.ts";

/** A cluster that several tests use one after the other; what each left there must stay right through those that follow. */
export class Scene {
  /** Of all tests so far. */
  readonly namespaces: string[] = [];
  readonly #cluster: () => KubernetesCluster;

  constructor(cluster: () => KubernetesCluster) {
    this.#cluster = cluster;
  }

  get cluster(): KubernetesCluster {
    return this.#cluster();
  }

  async newNamespace(prefix: string): Promise<string> {
    const namespace = await createNamespace(this.cluster, prefix);
    this.namespaces.push(namespace);
    return namespace;
  }

  nodeOf(pod: PodObject): KubernetesNode {
    const found = this.cluster.nodes.find(({ on }) => on.name === pod.spec.nodeName);
    if (found === undefined) throw new Error(`${pod.metadata.name} is on no node`);
    return found;
  }

  /** A pod on each of the first two nodes, Ready; the first one's namespace and the second one's IPv4 address are the ends of a path across nodes. */
  async pair(namespace: string): Promise<readonly [PodObject, PodObject]> {
    const { client, nodes } = this.cluster;
    const two = nodes.slice(0, 2);
    for (const { on } of two) await createPod(client, { namespace, name: `on-${on.name}`, nodeName: on.name, labels: { app: namespace } });
    const [first, second] = await podsReady(client, namespace, two.length, 60_000);
    if (first === undefined || second === undefined) throw new Error("the cluster has no two nodes");
    return [first, second];
  }
}

export function ipv4(pod: PodObject): string {
  const found = pod.status.podIPs.map(({ ip }) => ip).find((ip) => !ip.includes(":"));
  if (found === undefined) throw new Error(`${pod.metadata.name} has no IPv4 address`);
  return found;
}

export const eventually = (check: () => Promise<unknown>, timeout = 90_000) =>
  expect.poll(check, { timeout: patient(timeout), interval: 500 });
