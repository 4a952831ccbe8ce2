import { type KubeClient, mergePatch, pathOf, type Resource } from "@terway/kube";
import { agentPodSpec, type KubernetesCluster, type KubernetesNode, type PodObject } from "@terway/lab";
import { z } from "zod";
import { create, nodes } from "./kube/objects.ts";

const namespaces: Resource = { apiVersion: "v1", plural: "namespaces", kind: "Namespace", namespaced: false };
const services: Resource = { apiVersion: "v1", plural: "services", kind: "Service", namespaced: true };
const statefulSets: Resource = { apiVersion: "apps/v1", plural: "statefulsets", kind: "StatefulSet", namespaced: true };
const events: Resource = { apiVersion: "v1", plural: "events", kind: "Event", namespaced: true };

const made = new Map<string, number>();

/** A namespace in which pods can be created. From the second time on its name has a number, because a test may get a second try. */
export async function createNamespace({ client, plane }: KubernetesCluster, prefix: string): Promise<string> {
  const before = made.get(prefix) ?? 0;
  made.set(prefix, before + 1);
  const name = before === 0 ? prefix : `${prefix}-${before}`;
  await create(client, namespaces, undefined, { metadata: { name } });
  await plane.serviceAccount(name);
  return name;
}

const portSchema = z.object({ protocol: z.string(), nodePort: z.number().optional() });
const serviceSchema = z.object({ spec: z.object({ clusterIPs: z.array(z.string()), ports: z.array(portSchema) }) });

/** A Service of both families for pods labelled `app: NAME`; answers its addresses. */
export async function createService(client: KubeClient, namespace: string, name: string): Promise<readonly string[]> {
  const spec = { selector: { app: name }, ports: [{ port: 7 }] };
  return (await createServiceOf(client, namespace, name, spec)).clusterIPs;
}

/** A Service of both families with this spec; answers its addresses and, by protocol, the nodes' ports. */
export async function createServiceOf(client: KubeClient, namespace: string, name: string, spec: object) {
  const body = { metadata: { name }, spec: { ipFamilyPolicy: "RequireDualStack", ...spec } };
  const { clusterIPs, ports } = serviceSchema.parse(await create(client, services, namespace, body)).spec;
  return { clusterIPs, nodePorts: new Map(ports.map(({ protocol, nodePort }) => [protocol.toLowerCase(), nodePort])) };
}

export function createStatefulSet(client: KubeClient, namespace: string, name: string, replicas: number): Promise<unknown> {
  const template = { metadata: { labels: { app: name } }, spec: agentPodSpec() };
  const spec = { replicas, serviceName: name, podManagementPolicy: "Parallel", selector: { matchLabels: { app: name } }, template };
  return create(client, statefulSets, namespace, { metadata: { name }, spec });
}

export function deleteStatefulSet(client: KubeClient, namespace: string, name: string): Promise<unknown> {
  return client.call({ method: "DELETE", path: pathOf(statefulSets, namespace, name), query: { propagationPolicy: "Background" } });
}

/** Whether the scheduler leaves the node alone. */
export function cordon(client: KubeClient, name: string, unschedulable: boolean): Promise<unknown> {
  return mergePatch(client, { resource: nodes, name }, { spec: { unschedulable } }, "test");
}

const bootSchema = z.object({ status: z.object({ nodeInfo: z.object({ bootID: z.string() }) }) });

/** As the node's kubelet has told it. */
export async function bootIdOf(client: KubeClient, name: string): Promise<string> {
  return bootSchema.parse(await client.call({ method: "GET", path: pathOf(nodes, undefined, name) })).status.nodeInfo.bootID;
}

const eventListSchema = z.object({
  items: z.array(
    z.object({
      reason: z.string(),
      message: z.string(),
      involvedObject: z.object({ kind: z.string(), name: z.string() }),
      firstTimestamp: z.string().nullish(),
      lastTimestamp: z.string().nullish(),
      eventTime: z.string().nullish(),
    }),
  ),
});
export type EventObject = z.infer<typeof eventListSchema>["items"][number];

export async function listEvents(client: KubeClient, namespace: string, reason: string): Promise<EventObject[]> {
  const query = { fieldSelector: `reason=${reason}` };
  return eventListSchema.parse(await client.call({ method: "GET", path: pathOf(events, namespace), query })).items;
}

export function addressesOf(pods: readonly PodObject[]): string[] {
  return pods.flatMap(({ status }) => status.podIPs.map(({ ip }) => ip));
}

/** The pod's network namespace, as a path on this machine: the runtime knows it, the API does not. */
export async function podNetns({ on }: KubernetesNode, { metadata }: PodObject): Promise<string> {
  const { cri, node } = { cri: on.containerd.cri, node: on.node };
  const sandbox = (await cri.listSandboxes()).find(
    (one) => one.ready && one.namespace === metadata.namespace && one.name === metadata.name,
  );
  const netns = sandbox === undefined ? undefined : (await cri.sandboxStatus(sandbox.id)).netns;
  if (netns === undefined) throw new Error(`the runtime on ${on.name} does not know ${metadata.namespace}/${metadata.name}`);
  return node.path(netns);
}
