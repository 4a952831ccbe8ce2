import { ApiError, apply, type KubeClient, mergePatch, pathOf, type Resource, read } from "@terway/kube";
import { until } from "@terway/lab";
import { customResourceDefinitions, networkInterfaceSchema, type PodEni, podEniSchema } from "@terway/model";
import { create, createConfigMap, nodes, pods } from "../kube/objects.ts";
import { zone } from "./region.ts";

const group = "network.alibabacloud.com/v1beta1";
export const podEnis: Resource = { apiVersion: group, plural: "podenis", kind: "PodENI", namespaced: true };
export const networkInterfaces: Resource = { apiVersion: group, plural: "networkinterfaces", kind: "NetworkInterface", namespaced: false };
export const podNetworkings: Resource = { apiVersion: group, plural: "podnetworkings", kind: "PodNetworking", namespaced: false };
const definitions: Resource = {
  apiVersion: "apiextensions.k8s.io/v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

/** Definitions, three nodes, and an `eni-config` that names vSwitch and group for pods. */
export async function prepareCluster(client: KubeClient): Promise<void> {
  for (const { metadata, spec } of customResourceDefinitions())
    await apply(client, { resource: definitions, name: metadata.name }, { metadata, spec }, { fieldManager: "test" });
  await until("the definitions are served", 20_000, async () =>
    client.call({ method: "GET", path: pathOf(podEnis) }).then(
      () => true,
      () => false,
    ),
  );
  for (const number of [1, 2, 3]) await createNode(client, number);
  const conf = {
    ...{ vswitches: { [zone]: ["vsw-pods"] }, security_groups: ["sg-pods"], vswitch_selection_policy: "ordered" },
    enable_eni_trunking: true,
  };
  await createConfigMap(client, "kube-system", "eni-config", { eni_conf: JSON.stringify(conf) });
}

/** Node `node-N` on instance `i-N`. */
export function createNode(client: KubeClient, number: number, labels: Readonly<Record<string, string>> = {}) {
  return create(client, nodes, undefined, {
    metadata: {
      name: `node-${number}`,
      labels: { "topology.kubernetes.io/zone": zone, "node.kubernetes.io/instance-type": "ecs.g7.xlarge", ...labels },
    },
    spec: { providerID: `cn-hangzhou.i-${number}` },
  });
}

/** A pod of the node that nobody runs; its annotations are those of `k8s.aliyun.com/`. */
export function createAnnotatedPod(
  client: KubeClient,
  name: string,
  nodeName: string,
  annotations: Readonly<Record<string, string>>,
  labels = {},
) {
  const named = Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`k8s.aliyun.com/${key}`, value]));
  const spec = { nodeName, containers: [{ name: "c", image: "registry.terway.test/none:1" }] };
  return create(client, pods, "apps", { metadata: { name, annotations: { "k8s.aliyun.com/pod-eni": "true", ...named }, labels }, spec });
}

/** As somebody who deletes a pod: its kubelet has the last word. */
export function beginEnd(client: KubeClient, name: string) {
  return client.call({ method: "DELETE", path: pathOf(pods, "apps", name), body: { gracePeriodSeconds: 30 } });
}

/** Replaces the taints of a node. */
export function taint(client: KubeClient, name: string, ...keys: readonly string[]) {
  const taints = keys.map((key) => ({ key: `node.kubernetes.io/${key}`, effect: "NoExecute" }));
  return mergePatch(client, { resource: nodes, name }, { spec: { taints } }, "test");
}

/** As the kubelet does when nothing of it runs any more. */
export function endPod(client: KubeClient, name: string) {
  return client.call({ method: "DELETE", path: pathOf(pods, "apps", name), body: { gracePeriodSeconds: 0 } });
}

export async function readPodEni(client: KubeClient, name: string): Promise<PodEni | undefined> {
  const found = await read(client, { resource: podEnis, namespace: "apps", name });
  return found === undefined ? undefined : podEniSchema.parse(found);
}

export async function readInterface(client: KubeClient, name: string) {
  const found = await read(client, { resource: networkInterfaces, name });
  return found === undefined ? undefined : networkInterfaceSchema.parse(found);
}

export async function listInterfaces(client: KubeClient): Promise<unknown[]> {
  const list = (await client.call({ method: "GET", path: pathOf(networkInterfaces) })) as { items: unknown[] };
  return list.items;
}

/** Until the PodENI is in this phase; answers it. */
export async function podEniIn(client: KubeClient, name: string, phase: string, limitMs = 20_000): Promise<PodEni> {
  let seen: PodEni | undefined;
  try {
    await until(`PodENI ${name} is in phase ${phase}`, limitMs, async () => {
      seen = await readPodEni(client, name);
      return seen?.status?.phase === phase;
    });
  } catch (error) {
    throw new Error(`PodENI ${name}: ${JSON.stringify(seen)}`, { cause: error });
  }
  if (seen === undefined) throw new ApiError(name, 404);
  return seen;
}

export async function podEniGone(client: KubeClient, name: string): Promise<void> {
  await until(`PodENI ${name} is gone`, 20_000, async () => (await readPodEni(client, name)) === undefined);
}
