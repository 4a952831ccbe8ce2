import { pathOf, type Resource } from "@terway/kube";
import {
  agentPodSpec,
  containerRuntime,
  createPod,
  deletePod,
  type KubernetesNode,
  listPods,
  metadataAddress,
  openApiAddress,
  type PodObject,
  podsGone,
  podsReady,
  probe,
  repositoryRoot,
  run,
  signal,
  terwaydConfig,
  until,
} from "@terway/lab";
import { beforeAll, expect, test } from "vitest";
import { attachTrunk, type Eni } from "../../node/trunk-eni.ts";
import { useCluster } from "../cluster-fixture.ts";
import { create } from "../kube/objects.ts";
import { createNamespace, deleteStatefulSet, listEvents, podNetns } from "../objects.ts";
import { chart, withValues } from "./helm.ts";

/** The whole of it on a cluster: chart, webhooks, controllers, the cloud, the daemon with its tag filters, packets. Nodes a and c are of one zone. */
const cluster = useCluster({ nodes: 3 });
const archive = "dist/image/terway-amd64.oci.tar";
const podNetworkings: Resource = {
  apiVersion: "network.alibabacloud.com/v1beta1",
  plural: "podnetworkings",
  kind: "PodNetworking",
  namespaced: false,
};
const statefulSets: Resource = { apiVersion: "apps/v1", plural: "statefulsets", kind: "StatefulSet", namespaced: true };
const trunks = new Map<string, Eni>();

const kubectl = async (...args: string[]) => (await run([cluster().wrapper("kubectl"), ...args], { timeoutMs: 120_000 })).stdout;
const helm = async (...args: string[]) =>
  (await run([cluster().wrapper("helm"), ...args, "-n", "kube-system"], { timeoutMs: 300_000 })).stdout;

function values(): object {
  const { lab, nodes } = cluster();
  const configs = nodes.map(({ on }) => terwaydConfig(lab.world, on.machine, { min: 2, max: 5 }));
  const [first] = configs;
  if (first === undefined) throw new Error("no nodes");
  const openApi = { TERWAY_ECS_ENDPOINT: openApiAddress, TERWAY_VPC_ENDPOINT: openApiAddress };
  const env = (hosts: object) => Object.entries(hosts).map(([name, host]) => ({ name, value: `http://${host}` }));
  return {
    credentials: { accessKeyId: first.accessKeyId, accessKeySecret: first.accessKeySecret },
    eniConf: {
      ...{ ip_stack: "dual", service_cidr: first.serviceCidr, security_groups: [first.securityGroupId], enable_eni_trunking: true },
      vswitches: Object.fromEntries(configs.map((config) => [config.zoneId, config.vSwitchIds])),
      min_pool_size: 2,
    },
    controlPlane: {
      enabled: true,
      config: { clusterID: "lab", vpcID: lab.world.vpcId, regionID: lab.world.regionId, ipStack: "dual" },
      extraEnv: env(openApi),
    },
    coolDownSeconds: 1,
    extraEnv: env({ ...openApi, TERWAY_METADATA_ENDPOINT: metadataAddress }),
  };
}

function nodeOf(pod: PodObject): KubernetesNode {
  const found = cluster().nodes.find(({ on }) => on.name === pod.spec.nodeName);
  if (found === undefined) throw new Error(`${pod.metadata.name} is on no node`);
  return found;
}

/** What the cloud has of pods' own ENIs. */
async function membersOfCloud() {
  return (await cluster().lab.cloud.state()).enis.filter(({ type }) => type === "Member");
}

/** As the node controller does when a kubelet has not been heard for long. */
function mergeConditions(name: string, condition: object): Promise<unknown> {
  const contentType = "application/strategic-merge-patch+json";
  return cluster().client.call({
    ...{ method: "PATCH", path: `/api/v1/nodes/${name}/status`, contentType },
    body: { status: { conditions: [condition] } },
  });
}

const addressesOf = ({ status }: PodObject) => status.podIPs.map(({ ip }) => ip).sort();

beforeAll(async () => {
  await run(["bash", "scripts/image.sh"], { timeoutMs: 300_000 });
  const { ctr } = containerRuntime("debian");
  for (const { on } of cluster().nodes) {
    await on.node.run([ctr, "-n", "k8s.io", "images", "import", "--no-unpack", `${repositoryRoot}/${archive}`], { timeoutMs: 120_000 });
    trunks.set(on.name, await attachTrunk(cluster().lab, on.machine));
  }
  await withValues(values(), (file) => helm("install", "terway", chart, "-f", file, "--wait", "--timeout", "240s"));
  await cluster().ready();
});

test("a pod that a PodNetworking selects is a member of its node's trunk: own group, own addresses, packets; and nothing is left of it", async () => {
  const { client, lab, nodes } = cluster();
  const namespace = await createNamespace(cluster(), "own");
  await create(client, podNetworkings, undefined, {
    metadata: { name: "web" },
    spec: {
      selector: {
        podSelector: { matchLabels: { net: "own" } },
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
      },
    },
  });
  await until(
    "the PodNetworking is Ready",
    30_000,
    async () => (await kubectl("get", "podnetworkings", "web", "-o", "jsonpath={.status.status}")) === "Ready",
  );
  const [node, other] = nodes;
  if (node === undefined || other === undefined) throw new Error("no nodes");
  await createPod(client, { namespace, name: "own", nodeName: node.on.name, labels: { net: "own" } });
  await createPod(client, { namespace, name: "shared", nodeName: other.on.name });
  const pods = await podsReady(client, namespace, 2, 90_000);
  const [own, shared] = pods;
  if (own === undefined || shared === undefined) throw new Error("no pods");
  const [member] = await membersOfCloud();
  expect(member).toMatchObject({ trunkId: trunks.get(node.on.name)?.id, instanceId: node.on.machine.instanceId, status: "InUse" });
  expect(addressesOf(own)).toEqual([...(member?.ipv4 ?? []), ...(member?.ipv6 ?? [])].sort());
  const ask = async (from: PodObject, to: PodObject) =>
    (
      await probe(
        lab.agent,
        await podNetns(nodeOf(from), from),
        addressesOf(to).map((addr) => ({ id: addr, proto: "tcp" as const, addr })),
      )
    ).map(({ server }) => server?.client);
  expect(await ask(own, shared)).toEqual(addressesOf(own));
  expect(await ask(shared, own)).toEqual(addressesOf(shared));
  expect(await kubectl("-n", namespace, "describe", "pod", "own")).toMatch(/AttachENISucceed.*as a member of eni-/);
  // The first sandbox waits for its ENI; nothing fails and is tried again.
  expect(await listEvents(client, namespace, "FailedCreatePodSandBox")).toEqual([]);
  expect(await kubectl("-n", namespace, "get", "pod", "own", "-o", "jsonpath={.spec.containers[0].resources.limits}")).toContain(
    '"aliyun/member-eni":"1"',
  );
  // The webhook asked for one of what the kubelet knows by the daemon's device plugin.
  expect(Number(await kubectl("get", "node", node.on.name, "-o", "jsonpath={.status.allocatable.aliyun/member-eni}"))).toBeGreaterThan(0);
  await deletePod(client, namespace, "own");
  await deletePod(client, namespace, "shared");
  await podsGone(client, namespace, 60_000);
  await until(
    "nothing is left of the ENI",
    30_000,
    async () => (await membersOfCloud()).length === 0 && !(await kubectl("get", "podenis,networkinterfaces", "-A")).includes("eni-"),
  );
  expect((await cluster().lab.cloud.state()).enis.map(({ id }) => id)).not.toContain(member?.id);
});

test("a pod of a StatefulSet keeps its fixed addresses on another node of its zone, and the scheduler is told the zone", async () => {
  const { client, nodes } = cluster();
  const namespace = await createNamespace(cluster(), "fixed");
  const [a, , c] = nodes;
  if (a === undefined || c === undefined) throw new Error("no nodes");
  const networks = {
    podNetworks: [{ eniOptions: { eniType: "Trunk" }, allocationType: { type: "Fixed", releaseStrategy: "TTL", releaseAfter: "25s" } }],
  };
  const template = {
    metadata: { labels: { app: "db" }, annotations: { "k8s.aliyun.com/pod-networks": JSON.stringify(networks) } },
    spec: agentPodSpec(),
  };
  await kubectl("cordon", c.on.name);
  await kubectl("cordon", nodes[1]?.on.name ?? "");
  await create(client, statefulSets, namespace, {
    metadata: { name: "db" },
    spec: { replicas: 1, serviceName: "db", selector: { matchLabels: { app: "db" } }, template },
  });
  const [before] = await podsReady(client, namespace, 1, 90_000);
  expect(before?.spec.nodeName).toBe(a.on.name);
  const [{ id: eni = "" } = {}] = await membersOfCloud();
  // Node b, of the other zone, is free to take it, and must not.
  await kubectl("uncordon", nodes[1]?.on.name ?? "");
  await kubectl("uncordon", c.on.name);
  await kubectl("cordon", a.on.name);
  await deletePod(client, namespace, "db-0");
  await until("it runs again", 90_000, async () =>
    (await listPods(client, namespace)).some(({ metadata }) => metadata.uid !== before?.metadata.uid),
  );
  const [after] = await podsReady(client, namespace, 1, 90_000);
  expect(after?.spec.nodeName).toBe(c.on.name);
  expect(after && addressesOf(after)).toEqual(before && addressesOf(before));
  expect(await membersOfCloud()).toMatchObject([{ id: eni, instanceId: c.on.machine.instanceId }]);
  expect((await listEvents(client, namespace, "AttachENISucceed")).length).toBeGreaterThan(0);
  await kubectl("uncordon", a.on.name);
  await deleteStatefulSet(client, namespace, "db");
  await podsGone(client, namespace, 60_000);
  await until(
    "the address is given back after its time",
    60_000,
    async () => (await kubectl("get", "podenis", "-n", namespace, "-o", "name")) === "",
  );
});

test("I1: the node of a fixed pod dies: its ENI is taken off by force, the pod runs elsewhere with its address, and what still runs there is cut off", {
  tags: ["long"],
}, async () => {
  const { client, lab, nodes } = cluster();
  const namespace = await createNamespace(cluster(), "dead");
  const [a, b, c] = nodes;
  if (a === undefined || b === undefined || c === undefined) throw new Error("no nodes");
  const allocationType = { type: "Fixed", releaseStrategy: "TTL", releaseAfter: "25s" };
  const networks = { podNetworks: [{ eniOptions: { eniType: "Trunk" }, allocationType }] };
  const template = {
    metadata: { labels: { app: "db" }, annotations: { "k8s.aliyun.com/pod-networks": JSON.stringify(networks) } },
    spec: agentPodSpec(),
  };
  for (const { on } of [b, c]) await kubectl("cordon", on.name);
  await create(client, statefulSets, namespace, {
    metadata: { name: "db" },
    spec: { replicas: 1, serviceName: "db", selector: { matchLabels: { app: "db" } }, template },
  });
  const [before] = await podsReady(client, namespace, 1, 90_000);
  if (before === undefined) throw new Error("no pod");
  expect(before.spec.nodeName).toBe(a.on.name);
  await createPod(client, { namespace, name: "peer", nodeName: b.on.name });
  const [peer] = (await podsReady(client, namespace, 2, 90_000)).filter(({ metadata }) => metadata.name === "peer");
  if (peer === undefined) throw new Error("no peer");
  const abandoned = await podNetns(a, before);
  const probes = (to: PodObject) => addressesOf(to).map((addr) => ({ id: addr, proto: "tcp" as const, addr }));
  const answers = async (netns: string, to: PodObject) => (await probe(lab.agent, netns, probes(to))).map(({ server }) => server?.client);
  expect(await answers(abandoned, peer)).toEqual(addressesOf(before));
  // The kubelet dies and everything else of the node runs on: the worst that a partition can leave behind.
  await signal(a.kubelet, "SIGKILL");
  const unknown = { type: "Ready", status: "Unknown", reason: "NodeStatusUnknown", message: "as the node controller says after 50 s" };
  await mergeConditions(a.on.name, unknown);
  await kubectl("taint", "node", a.on.name, "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute");
  await kubectl("uncordon", c.on.name);
  await until("Kubernetes makes it anew", 90_000, async () =>
    (await listPods(client, namespace)).some(({ metadata, spec }) => metadata.uid !== before.metadata.uid && spec.nodeName === c.on.name),
  );
  const [after] = (await podsReady(client, namespace, 2, 90_000)).filter(({ metadata }) => metadata.name === "db-0");
  expect(after && addressesOf(after)).toEqual(addressesOf(before));
  expect((await membersOfCloud())[0]).toMatchObject({ instanceId: c.on.machine.instanceId });
  // The address is the new one's alone, though the old sandbox still runs.
  expect(await answers(abandoned, peer)).toEqual(addressesOf(peer).map(() => undefined));
  expect(await answers(await podNetns(b, peer), before)).toEqual(addressesOf(peer));
  await cluster().restartKubelet(a);
  await kubectl("taint", "node", a.on.name, "node.kubernetes.io/out-of-service-");
  await kubectl("uncordon", b.on.name);
  await cluster().ready();
  await deleteStatefulSet(client, namespace, "db");
  await deletePod(client, namespace, "peer");
  await podsGone(client, namespace, 60_000);
});

test("the webhooks refuse nonsense with the field named, and leave kube-system alone", async () => {
  const { client } = cluster();
  const namespace = await createNamespace(cluster(), "nonsense");
  const tried = async (annotations: object, where = namespace) =>
    create(client, { apiVersion: "v1", plural: "pods", kind: "Pod", namespaced: true }, where, {
      metadata: { name: "refused", annotations },
      spec: { ...agentPodSpec(), nodeName: "nowhere" },
    }).then(
      () => "created",
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  expect(await tried({ "k8s.aliyun.com/pod-networks": "{" })).toContain("k8s.aliyun.com/pod-networks: is no JSON");
  expect(await tried({ "k8s.aliyun.com/pod-ip": "192.0.2.1" })).toContain(
    "k8s.aliyun.com/pod-ip: 192.0.2.1 is in none of the pod's vSwitches",
  );
  expect(await tried({ "k8s.aliyun.com/vswitch-id": "vsw-nowhere" })).toContain(
    "k8s.aliyun.com/vswitch-id: vSwitch vsw-nowhere does not exist",
  );
  expect(await tried({ "k8s.aliyun.com/trunk-on": "perhaps" })).toContain('k8s.aliyun.com/trunk-on: must be "true" or "false"');
  const eleven = Array.from({ length: 11 }, (_, index) => `sg-${index}`);
  const podNetworking = (spec: object) =>
    create(client, podNetworkings, undefined, { metadata: { name: "refused" }, spec }).catch((error: unknown) => String(error));
  expect(await podNetworking({ securityGroupIDs: eleven })).toContain("spec.securityGroupIDs: names 11 groups; an ENI takes at most 10");
  expect(await podNetworking({ allocationType: { type: "Fixed", releaseStrategy: "TTL", releaseAfter: "soon" } })).toContain(
    "spec.allocationType.releaseAfter: must be a duration",
  );
  const changed = client.call({
    method: "PATCH",
    path: pathOf(podNetworkings, undefined, "web"),
    contentType: "application/merge-patch+json",
    body: { spec: { securityGroupIDs: eleven } },
  });
  await expect(changed).rejects.toThrow("spec.securityGroupIDs: names 11 groups");
  expect(await tried({ "k8s.aliyun.com/trunk-on": "perhaps" }, "kube-system")).toBe("created");
  await deletePod(client, "kube-system", "refused", 0);
});
