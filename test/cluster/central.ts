import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { apply, type KubeClient, pathOf, type Resource, read } from "@terway/kube";
import {
  type ClusterNode,
  isAlive,
  type KubernetesCluster,
  listPods,
  openApiAddress,
  type ProcessRecord,
  repositoryRoot,
  terwaydConfig,
  until,
  writeOnNode,
} from "@terway/lab";
import { customResourceDefinitions, type NodeResource, nodeResourceSchema, nodeRuntimeSchema } from "@terway/model";
import { disagreements } from "./agreement.ts";

/** Terway under centralized IPAM in a cluster of the lab, as processes. */

const definitions: Resource = {
  apiVersion: "apiextensions.k8s.io/v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};
const group = "network.alibabacloud.com/v1beta1";
export const nodeResource: Resource = { apiVersion: group, plural: "nodes", kind: "Node", namespaced: false };
const nodeRuntime: Resource = { apiVersion: group, plural: "noderuntimes", kind: "NodeRuntime", namespaced: false };

/** The kinds of our group; resolves when the API server serves them. */
export async function installDefinitions(client: KubeClient): Promise<void> {
  for (const definition of customResourceDefinitions())
    await apply(client, { resource: definitions, name: definition.metadata.name }, definition, { fieldManager: "test", force: true });
  const served = () =>
    client.call({ method: "GET", path: pathOf(nodeResource) }).then(
      () => true,
      () => false,
    );
  await until("the API server serves our kinds", 20_000, served);
}

const files = { config: "/etc/config/ctrl-config.yaml", secret: "/etc/credential/ctrl-secret.yaml", kubeconfig: "/etc/config/kubeconfig" };

/** Starts one of several replicas on a machine of the cluster, with the lab's credentials; who leads is for a Lease to say. */
export async function startReplica(
  { lab: { world }, plane }: KubernetesCluster,
  { node }: ClusterNode,
  more: object = {},
): Promise<ProcessRecord> {
  const kubeconfig = await plane.kubeconfig("controlplane", { user: "controlplane", groups: ["system:masters"] }, "vpc");
  await writeOnNode(node, files.kubeconfig, await readFile(kubeconfig, "utf8"));
  const config = {
    ...{ clusterID: "c-lab", vpcID: world.vpcId, regionID: world.regionId, leaderElection: true, disableWebhook: true },
    ...{ healthzBindAddress: "127.0.0.1:18080", centralizedIPAM: true, controllers: ["multi-ip-node"] },
    ...more,
  };
  await writeOnNode(node, files.config, JSON.stringify(config));
  await writeOnNode(node, files.secret, JSON.stringify({ accessKey: world.accessKeyId, accessSecret: world.accessKeySecret }));
  const openApi = `http://${openApiAddress}`;
  const flags = ["--config", files.config, "--credential", files.secret, "--kubeconfig", files.kubeconfig];
  return node.start("controlplane", [join(repositoryRoot, "dist/terway-controlplane"), ...flags], {
    TERWAY_ECS_ENDPOINT: openApi,
    TERWAY_VPC_ENDPOINT: openApi,
    NODE_NAME: node.name,
  });
}

/** Starts terway-controlplane as the only one; resolves when its controllers run. */
export async function startCentral(cluster: KubernetesCluster, on: ClusterNode): Promise<ProcessRecord> {
  const { node } = on;
  const started = await startReplica(cluster, on, { leaderElection: false });
  const log = () => readFile(node.log("controlplane"), "utf8").catch(() => "");
  await until(
    "the control plane's controllers run",
    30_000,
    async () => {
      if (!(await isAlive(started))) throw new Error(`terway-controlplane ended: ${await log()}`);
      return (await log()).includes("controllers run");
    },
    node.log("controlplane"),
  );
  return started;
}

/** terwayd on every node, with or without centralized IPAM; resolves when the nodes are Ready. */
export async function startDaemons(cluster: KubernetesCluster, ipam: "crd" | "default"): Promise<void> {
  for (const { on } of cluster.nodes) {
    await on.stopDaemon();
    await configure(cluster, on, ipam);
    await cluster.introduce(on);
    await on.startDaemon();
  }
  await Promise.all(cluster.nodes.map(({ on }) => on.warm(60_000)));
  await cluster.ready();
}

/** The node's `eni_conf` with or without centralized IPAM; with it there is no credential on the node. */
export async function configure({ lab: { world } }: KubernetesCluster, on: ClusterNode, ipam: "crd" | "default"): Promise<void> {
  const usual = terwaydConfig(world, on.machine, { min: 2, max: 6 });
  const keys = ipam === "crd" ? { accessKeyId: "", accessKeySecret: "" } : {};
  await on.install({ ...usual, ...keys, extra: { ipam_type: ipam } });
}

export async function nodeObject(client: KubeClient, name: string): Promise<NodeResource | undefined> {
  const object = await read(client, { resource: nodeResource, name });
  return object === undefined ? undefined : nodeResourceSchema.parse(object);
}

/** Pod → addresses, as the node's object binds them. */
export async function bindings(client: KubeClient, name: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const found: Record<string, string[]> = {};
  for (const nic of Object.values((await nodeObject(client, name))?.status?.networkInterfaces ?? {})) {
    for (const { ip, podID } of [...Object.values(nic.ipv4 ?? {}), ...Object.values(nic.ipv6 ?? {})])
      if (podID) found[podID] = [...(found[podID] ?? []), ip].toSorted();
  }
  return found;
}

/** What the node's CNI says of each pod, by `namespace/name`. */
export async function runtimeStates(client: KubeClient, name: string): Promise<Readonly<Record<string, string>>> {
  const object = await read(client, { resource: nodeRuntime, name });
  const pods = object === undefined ? {} : (nodeRuntimeSchema.parse(object).status?.pods ?? {});
  return Object.fromEntries(Object.values(pods).map(({ podID = "", status }) => [podID, Object.keys(status ?? {}).join()]));
}

/** Where the Node objects say something else than API, journal, kernel and cloud, which are compared with each other. */
export async function centralDisagreements(cluster: KubernetesCluster, namespaces: readonly string[]): Promise<string[]> {
  const { client, nodes } = cluster;
  const found = await disagreements(cluster, namespaces);
  const pods = (await Promise.all(namespaces.map((namespace) => listPods(client, namespace)))).flat();
  for (const { on } of nodes) {
    const bound = await bindings(client, on.name);
    const own = pods.filter(({ spec }) => spec.nodeName === on.name);
    const wanted = Object.fromEntries(
      own.map(({ metadata, status }) => [`${metadata.namespace}/${metadata.name}`, status.podIPs.map(({ ip }) => ip).toSorted()]),
    );
    if (JSON.stringify(sorted(bound)) !== JSON.stringify(sorted(wanted)))
      found.push(`Node ${on.name} binds ${JSON.stringify(bound)}, and the API has ${JSON.stringify(wanted)}`);
  }
  return found;
}

const sorted = (object: Readonly<Record<string, unknown>>) => Object.entries(object).toSorted(([a], [b]) => a.localeCompare(b));
