import { ChartInstallation, containerRuntime, createPod, type KubernetesCluster, listPods, podsReady } from "@terway/lab";
import { expect, test } from "vitest";
import { disagreements } from "../agreement.ts";
import { useInstalledCluster } from "../cluster-fixture.ts";
import { Flow } from "../flow.ts";
import { createNamespace, listEvents, podNetns } from "../objects.ts";

/** What people do with the chart after they have installed it, while a connection between two nodes' pods goes on. */
const pool = { min: 4, max: 10 };
const installed = useInstalledCluster({ nodes: 2, pool });

async function longFlow(cluster: KubernetesCluster, namespace: string): Promise<Flow> {
  const [a, b] = cluster.nodes;
  if (a === undefined || b === undefined) throw new Error("the cluster has no two nodes");
  await createPod(cluster.client, { namespace, name: "a", nodeName: a.on.name });
  await createPod(cluster.client, { namespace, name: "b", nodeName: b.on.name });
  const [client, server] = await podsReady(cluster.client, namespace, 2, 60_000);
  const address = server?.status.podIPs[0]?.ip;
  if (client === undefined || address === undefined) throw new Error("the pods have no addresses");
  return Flow.open(await podNetns(a, client), address);
}

/** Pods of the daemon, by uid. */
async function daemons(cluster: KubernetesCluster): Promise<string[]> {
  const pods = await listPods(cluster.client, "kube-system");
  return pods.filter(({ metadata }) => metadata.name.startsWith("terway-eniip")).map(({ metadata }) => metadata.uid);
}

test("upgraded and rolled back: every daemon is replaced, no connection is lost, and pods start", async () => {
  const { cluster, chart } = installed();
  const namespace = await createNamespace(cluster, "upgrade");
  const flow = await longFlow(cluster, namespace);
  const first = await daemons(cluster);
  expect(first).toHaveLength(2);
  await chart.upgrade("logLevel=debug");
  const second = await daemons(cluster);
  expect([second.length, second.filter((uid) => first.includes(uid))]).toEqual([2, []]);
  await createPod(cluster.client, { namespace, name: "upgraded" });
  await podsReady(cluster.client, namespace, 3, 60_000);
  await chart.rollback();
  expect((await daemons(cluster)).filter((uid) => second.includes(uid))).toEqual([]);
  await createPod(cluster.client, { namespace, name: "rolled-back" });
  await podsReady(cluster.client, namespace, 4, 60_000);
  const { error, sent, received } = await flow.close();
  expect(error).toBeUndefined();
  expect(sent - received).toBeLessThan(50);
  await expect.poll(() => disagreements(cluster, [namespace]), { timeout: 30_000, interval: 500 }).toEqual([]);
  const failed = await listEvents(cluster.client, namespace, "FailedCreatePodSandBox");
  expect(failed.map(({ involvedObject, message }) => `${involvedObject.name}: ${message}`)).toEqual([]);
});

test("uninstalled, pods keep their network; installed again, the daemon knows them", async () => {
  const { cluster, chart } = installed();
  const namespace = await createNamespace(cluster, "uninstall");
  const flow = await longFlow(cluster, namespace);
  const before = (await listPods(cluster.client, namespace)).map(({ status }) => status.podIPs);
  await chart.uninstall();
  await expect.poll(() => daemons(cluster), { timeout: 60_000, interval: 500 }).toEqual([]);
  await ChartInstallation.install(cluster, containerRuntime("debian"), pool);
  const { error, sent, received } = await flow.close();
  expect(error).toBeUndefined();
  expect(sent - received).toBeLessThan(50);
  expect((await listPods(cluster.client, namespace)).map(({ status }) => status.podIPs)).toEqual(before);
  await createPod(cluster.client, { namespace, name: "after" });
  await podsReady(cluster.client, namespace, 3, 60_000);
  await expect.poll(() => disagreements(cluster, ["upgrade", namespace]), { timeout: 30_000, interval: 500 }).toEqual([]);
});
