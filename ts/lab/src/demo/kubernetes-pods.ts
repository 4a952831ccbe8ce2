import { pathOf } from "@terway/kube";
import type { KubernetesCluster } from "../kubernetes/cluster.ts";
import { createPod, deletePod, type PodObject, podsGone, podsReady } from "../kubernetes/pods.ts";
import type { ClusterNode } from "../lab/cluster-node.ts";
import { type DemoPod, demoPod, podName } from "./pods.ts";

const namespace = "demo";

/** The demo's pods as Pods of a cluster: made by the API server, run by the kubelets. All at once, as a Deployment makes them. */
export async function startKubernetesPods(cluster: KubernetesCluster, perNode: number): Promise<DemoPod[]> {
  const { client } = cluster;
  await client.call({
    method: "POST",
    path: "/api/v1/namespaces",
    body: { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  });
  await cluster.plane.serviceAccount(namespace);
  const wanted = cluster.nodes.flatMap(({ on }) => Array.from({ length: perNode }, (_, index) => ({ on, name: podName(on, index) })));
  const started = performance.now();
  await Promise.all(wanted.map(({ on, name }) => createPod(client, { namespace, name, nodeName: on.name })));
  const ready = await podsReady(client, namespace, wanted.length, 60_000);
  const readyMs = performance.now() - started;
  const byName = new Map(ready.map((pod) => [pod.metadata.name, pod]));
  const pods: DemoPod[] = [];
  for (const { on, name } of wanted) {
    const pod = byName.get(name);
    if (pod === undefined)
      throw new Error(
        `pod ${name} is not among those of ${pathOf({ apiVersion: "v1", plural: "pods", kind: "Pod", namespaced: true }, namespace)}`,
      );
    pods.push(await withSandbox(on, pod, readyMs));
  }
  return pods;
}

export async function removeKubernetesPods(cluster: KubernetesCluster, pods: readonly DemoPod[]): Promise<void> {
  await Promise.all(pods.map(({ name }) => deletePod(cluster.client, namespace, name)));
  await podsGone(cluster.client, namespace, 60_000);
}

/** What the API does not tell: the sandbox that the kubelet made for the pod, and its network namespace. */
async function withSandbox(on: ClusterNode, { metadata, status }: PodObject, startMs: number): Promise<DemoPod> {
  const { cri } = on.containerd;
  const sandbox = (await cri.listSandboxes()).find(
    (one) => one.ready && one.namespace === metadata.namespace && one.name === metadata.name,
  );
  const netns = sandbox === undefined ? undefined : (await cri.sandboxStatus(sandbox.id)).netns;
  if (sandbox === undefined || netns === undefined) throw new Error(`the runtime on ${on.name} does not know pod ${metadata.name}`);
  const { name, uid } = metadata;
  const addresses = status.podIPs.map(({ ip }) => ip);
  return demoPod(on, { namespace, name, uid, sandboxId: sandbox.id, netns, addresses }, startMs);
}
