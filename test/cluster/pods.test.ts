import { setTimeout as sleep } from "node:timers/promises";
import { createPod, deletePod, isReady, listPods, podsGone, podsReady, probe, signal, waitForEnd } from "@terway/lab";
import { expect, test } from "vitest";
import { disagreements } from "./agreement.ts";
import { useCluster } from "./cluster-fixture.ts";
import { Flow } from "./flow.ts";
import { addressesOf, cordon, createService, createStatefulSet, deleteStatefulSet, podNetns } from "./objects.ts";
import { restartCases } from "./restart-cases.ts";
import { eventually, ipv4, Scene } from "./scene.ts";
import { waveCase } from "./wave-case.ts";

const cluster = useCluster({ nodes: 3, pool: { min: 4, max: 10 } });
const scene = new Scene(cluster);
const { namespaces } = scene;

test("pods reach each other and their Service over both families, and the sources are their own", async () => {
  const { client, lab } = cluster();
  const namespace = await scene.newNamespace("paths");
  const [first, second] = await scene.pair(namespace);
  const clusterIps = await createService(client, namespace, namespace);
  const netns = await podNetns(scene.nodeOf(first), first);
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
  const namespace = await scene.newNamespace("restart");
  const [first, second] = await scene.pair(namespace);
  const flow = await Flow.open(await podNetns(scene.nodeOf(first), first), ipv4(second));
  for (const pod of [first, second]) {
    const { on } = scene.nodeOf(pod);
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
  const namespace = await scene.newNamespace("kubelet");
  const [first, second] = await scene.pair(namespace);
  const flow = await Flow.open(await podNetns(scene.nodeOf(first), first), ipv4(second));
  const node = scene.nodeOf(second);
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

/** 30 s in every run; minutes where somebody asks for them. */
const outageMs = Number(process.env.TERWAY_OUTAGE_SECONDS ?? "30") * 1000;

test("without the API server for a while pods keep their network, a known pod gets a new sandbox, and nothing is released; back again, nobody lists again and again", {
  tags: ["long"],
  timeout: 300_000 + outageMs,
}, async () => {
  const { client, plane } = cluster();
  const namespace = await scene.newNamespace("outage");
  const [first, second] = await scene.pair(namespace);
  const flow = await Flow.open(await podNetns(scene.nodeOf(first), first), ipv4(second));
  const { cri } = scene.nodeOf(second).on.containerd;
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
  await sleep(Math.max(0, outageMs - (performance.now() - stopped)));
  const asked = (await plane.daemonRequests()).length;
  await plane.startApiServer();

  await eventually(async () => (await listPods(client, namespace)).filter(isReady).length).toBe(3);
  expect((await flow.close()).error).toBeUndefined();
  await eventually(() => disagreements(cluster(), namespaces)).toEqual([]);
  // A server that has just started may not know the version from which a watch would go on: one list of each collection, and no other one.
  const lists = (await plane.daemonRequests()).slice(asked).filter(({ verb, status }) => verb === "list" && status === 200);
  const counts = Map.groupBy(lists, ({ collection, from }) => `${collection} by ${from}`);
  expect([...counts].flatMap(([list, requests]) => (requests.length > 1 ? [`${requests.length} × ${list}`] : []))).toEqual([]);
});

test("pods of a StatefulSet come again under their names, also by force, and the old ones' addresses are not theirs before they are free", {
  tags: ["long"],
}, async () => {
  const { client } = cluster();
  const namespace = await scene.newNamespace("stateful");
  await createStatefulSet(client, namespace, "db", 4);
  try {
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

    // On another node, which knows nothing of what was kept for it on this one.
    const moved = after[0];
    if (moved === undefined) throw new Error("db-0 is not there");
    await cordon(client, moved.spec.nodeName ?? "", true);
    await deletePod(client, namespace, "db-0");
    const again = async () => (await listPods(client, namespace)).find((pod) => pod.metadata.name === "db-0" && isReady(pod))?.metadata.uid;
    await eventually(again).not.toBe(moved.metadata.uid);
    await eventually(again).toBeDefined();
    const elsewhere = (await podsReady(client, namespace, 4, 90_000))[0];
    expect(elsewhere?.spec.nodeName).not.toBe(moved.spec.nodeName);
    expect(elsewhere === undefined ? [] : addressesOf([elsewhere])).not.toEqual(addressesOf([moved]));
    await eventually(() => disagreements(cluster(), namespaces)).toEqual([]);
  } finally {
    for (const node of cluster().nodes) await cordon(client, node.on.name, false);
    await deleteStatefulSet(client, namespace, "db");
  }
  await podsGone(client, namespace, 90_000);
});

restartCases(scene);
waveCase(scene);
