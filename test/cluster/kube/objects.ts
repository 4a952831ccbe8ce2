import { type KubeClient, pathOf, type Resource } from "@terway/kube";

export const configMaps: Resource = { apiVersion: "v1", plural: "configmaps", kind: "ConfigMap", namespaced: true };
export const pods: Resource = { apiVersion: "v1", plural: "pods", kind: "Pod", namespaced: true };
export const nodes: Resource = { apiVersion: "v1", plural: "nodes", kind: "Node", namespaced: false };
const namespaces: Resource = { apiVersion: "v1", plural: "namespaces", kind: "Namespace", namespaced: false };
const serviceAccounts: Resource = { apiVersion: "v1", plural: "serviceaccounts", kind: "ServiceAccount", namespaced: true };

export function create(client: KubeClient, resource: Resource, namespace: string | undefined, body: object): Promise<unknown> {
  const { apiVersion, kind } = resource;
  return client.call({ method: "POST", path: pathOf(resource, namespace), body: { apiVersion, kind, ...body } });
}

export function remove(client: KubeClient, resource: Resource, namespace: string | undefined, name: string): Promise<unknown> {
  return client.call({ method: "DELETE", path: pathOf(resource, namespace, name) });
}

/** A namespace in which pods can be created: no controller makes its service account here. */
export async function createNamespace(client: KubeClient, name: string): Promise<string> {
  await create(client, namespaces, undefined, { metadata: { name } });
  await create(client, serviceAccounts, name, { metadata: { name: "default" } });
  return name;
}

export function createConfigMap(client: KubeClient, namespace: string, name: string, data: Readonly<Record<string, string>> = {}) {
  return create(client, configMaps, namespace, { metadata: { name }, data });
}

/** A pod that nobody runs. */
export function createPod(client: KubeClient, namespace: string, name: string, nodeName: string): Promise<unknown> {
  const spec = { nodeName, containers: [{ name: "c", image: "registry.terway.test/none:1" }] };
  return create(client, pods, namespace, { metadata: { name }, spec });
}
