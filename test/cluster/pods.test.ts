import { setTimeout as sleep } from "node:timers/promises";
import {
  createPod,
  deletePod,
  isReady,
  type KubernetesNode,
  listPods,
  type PodObject,
  podsGone,
  podsReady,
  probe,
  signal,
  waitForEnd,
} from "@terway/lab";
import { expect, test } from "vitest";
import { disagreements, remains } from "./agreement.ts";
import { useCluster } from "./cluster-fixture.ts";
import { Flow } from "./flow.ts";
import { addressesOf, createNamespace, createService, createStatefulSet, deleteStatefulSet, listEvents, podNetns } from "./objects.ts";

const cluster = useCluster({ nodes: 2, pool: { min: 4, max: 10 } });

/** Of all tests so far: what they left there must stay right through those that follow. */
const namespaces: string[] = [];

async function newNamespace(prefix: string): Promise<string> {
  const namespace = await createNamespace(cluster(), prefix);
  namespaces.push(namespace);
  return namespace;
}

function nodeOf(pod: PodObject): KubernetesNode {
  const found = cluster().nodes.find(({ on }) => on.name === pod.spec.nodeName);
  if (found === undefined) throw new Error(`${pod.metadata.name} is on no node`);
  return found;
}

/** One pod a node, Ready; the first one's namespace and the second one's IPv4 address are the ends of a path across nodes. */
async function pair(namespace: string): Promise<readonly [PodObject, PodObject]> {
  const { client, nodes } = cluster();
  for (const { on } of nodes) await createPod(client, { namespace, name: `on-${on.name}`, nodeName: on.name, labels: { app: namespace } });
  const [first, second] = await podsReady(client, namespace, nodes.length, 60_000);
  if (first === undefined || second === undefined) throw new Error("the cluster has no two nodes");
  return [first, second];
}

function ipv4(pod: PodObject): string {
  const found = pod.status.podIPs.map(({ ip }) => ip).find((ip) => !ip.includes(":"));
  if (found === undefined) throw new Error(`${pod.metadata.name} has no IPv4 address`);
  return found;
}

const eventually = (check: () => Promise<unknown>, timeout = 90_000) => expect.poll(check, { timeout, interval: 500 });

test("pods reach each other and their Service over both families, and the sources are their own", async () => {
  const { client, lab } = cluster();
  const namespace = await newNamespace("paths");
  const [first, second] = await pair(namespace);
  const clusterIps = await createService(client, namespace, namespace);
  const netns = await podNetns(nodeOf(first), first);
  const own = first.status.podIPs.map(({ ip }) => ip);
  const direct = second.status.podIPs.map(({ ip }) => ({ id: ip, proto: "tcp" as const, addr: ip }));
  for (const { id, ok, server, error } of await probe(lab.agent, netns, direct)) {
    expect({ id, ok, error, pod: server?.pod }).toEqual({ id, ok: true, error: undefined, pod: second.metadata.name });
    expect(own).toContain(server?.client);
  }
  const services = clusterIps.map((ip) => ({ id: ip, proto: "tcp" as const, addr: ip }));
  expect(services).toHaveLength(2);
  await eventually(async () => (await probe(lab.agent, netns, services)).map(({ ok }) => ok)).toEqual([true, true]);
  expect(await disagreements(cluster(), namespaces)).toEqual([]);
});

test("the daemon killed and started again under a long-lived connection: nothing is lost, and pods start", async () => {
  const { client } = cluster();
  const namespace = await newNamespace("restart");
  const [first, second] = await pair(namespace);
  const flow = await Flow.open(await podNetns(nodeOf(first), first), ipv4(second));
  for (const pod of [first, second]) {
    const { on } = nodeOf(pod);
    if (on.daemon === undefined) throw new Error(`terwayd does not run on ${on.name}`);
    await signal(on.daemon, "SIGKILL");
    await waitForEnd(on.daemon, 10_000);
    await on.startDaemon();
    await on.warm(60_000);
  }
  await createPod(client, { namespace, name: "after", nodeName: first.spec.nodeName ?? "" });
  await podsReady(client, namespace, 3, 60_000);
  const { error, sent, received } = await flow.close();
  expect(error).toBeUndefined();
  expect(sent - received).toBeLessThan(50);
  expect(received).toBeGreaterThan(50);
  expect(await disagreements(cluster(), namespaces)).toEqual([]);
});

test("a kubelet that starts again leaves pods as they are", async () => {
  const { client } = cluster();
  const namespace = await newNamespace("kubelet");
  const [first, second] = await pair(namespace);
  const flow = await Flow.open(await podNetns(nodeOf(first), first), ipv4(second));
  const node = nodeOf(second);
  await signal(node.kubelet, "SIGKILL");
  await waitForEnd(node.kubelet, 10_000);
  await cluster().restartKubelet(node);
  await createPod(client, { namespace, name: "after", nodeName: node.on.name });
  const pods = await podsReady(client, namespace, 3, 90_000);
  expect(pods.filter(({ metadata }) => metadata.name !== "after").map(({ status }) => status.podIPs)).toEqual(
    [first, second].map(({ status }) => status.podIPs),
  );
  expect((await flow.close()).error).toBeUndefined();
  expect(await disagreements(cluster(), namespaces)).toEqual([]);
});

test("without the API server for 30 s pods keep their network, a known pod gets a new sandbox, and nothing is released", async () => {
  const { client, plane } = cluster();
  const namespace = await newNamespace("outage");
  const [first, second] = await pair(namespace);
  const flow = await Flow.open(await podNetns(nodeOf(first), first), ipv4(second));
  const { cri } = nodeOf(second).on.containerd;
  const sandboxOf = async (name: string) =>
    (await cri.listSandboxes()).find((one) => one.ready && one.namespace === namespace && one.name === name);
  await createPod(client, { namespace, name: "hit", nodeName: second.spec.nodeName ?? "" });
  await podsReady(client, namespace, 3, 60_000);
  const before = await sandboxOf("hit");
  if (before === undefined) throw new Error("the runtime does not know pod hit");

  await plane.stopApiServer();
  const stopped = performance.now();
  await cri.stopSandbox(before.id);
  await eventually(async () => (await sandboxOf("hit"))?.id ?? before.id, 60_000).not.toBe(before.id);
  await sleep(Math.max(0, 30_000 - (performance.now() - stopped)));
  await plane.startApiServer();

  await eventually(async () => (await listPods(client, namespace)).filter(isReady).length).toBe(3);
  expect((await flow.close()).error).toBeUndefined();
  await eventually(() => disagreements(cluster(), namespaces)).toEqual([]);
});

test("pods of a StatefulSet come again under their names, also by force, and the old ones' addresses are not theirs before they are free", async () => {
  const { client } = cluster();
  const namespace = await newNamespace("stateful");
  await createStatefulSet(client, namespace, "db", 4);
  const before = await podsReady(client, namespace, 4, 90_000);
  await deletePod(client, namespace, "db-0");
  await deletePod(client, namespace, "db-1", 0);
  const renewed = async () => {
    const pods = await listPods(client, namespace);
    return pods.filter((pod) => isReady(pod) && !before.some(({ metadata }) => metadata.uid === pod.metadata.uid)).length;
  };
  await eventually(renewed).toBe(2);
  const after = await podsReady(client, namespace, 4, 90_000);
  expect(after.map(({ metadata }) => metadata.name)).toEqual(["db-0", "db-1", "db-2", "db-3"]);
  expect(new Set(addressesOf(after)).size).toBe(8);
  await eventually(() => disagreements(cluster(), namespaces)).toEqual([]);
  await deleteStatefulSet(client, namespace, "db");
  await podsGone(client, namespace, 90_000);
});

test("waves of pods leave nothing on the nodes and in the cloud", async () => {
  const { client, nodes } = cluster();
  for (const before of namespaces) {
    for (const { metadata } of await listPods(client, before)) await deletePod(client, before, metadata.name);
    await podsGone(client, before, 90_000);
  }
  const namespace = await newNamespace("waves");
  const used: string[] = [];
  for (let wave = 0; wave < 3; wave += 1) {
    const wanted = nodes.flatMap(({ on }) =>
      Array.from({ length: 12 }, (_, index) => ({ name: `w${wave}-${on.name}-${index}`, nodeName: on.name })),
    );
    await Promise.all(wanted.map(({ name, nodeName }) => createPod(client, { namespace, name, nodeName })));
    const pods = await podsReady(client, namespace, wanted.length, 120_000);
    expect(await disagreements(cluster(), namespaces)).toEqual([]);
    used.push(...addressesOf(pods));
    await Promise.all(wanted.map(({ name }, index) => deletePod(client, namespace, name, index % 2 === 0 ? 0 : undefined)));
    await podsGone(client, namespace, 120_000);
  }
  await eventually(() => remains(cluster(), used)).toEqual([]);
  const failed = await listEvents(client, namespace, "FailedCreatePodSandBox");
  expect(failed.map(({ involvedObject, message }) => `${involvedObject.name}: ${message}`)).toEqual([]);
});
