import { rm } from "node:fs/promises";
import { conflistPath, createPod, deletePod, listPods, podsGone, podsReady } from "@terway/lab";
import { beforeEach, expect, test } from "vitest";
import { disagreements, remains } from "./agreement.ts";
import { useCluster } from "./cluster-fixture.ts";
import { addressesOf, createNamespace, listEvents } from "./objects.ts";

/** One node whose instance type has room for all of them; terwayd comes late. */
const cluster = useCluster({ nodes: 1, instanceType: "ecs.g7.4xlarge" });
const count = 60;
let namespace = "";

/** A second try finds the node as the first one did: without pods, daemon and conflist. */
beforeEach(async () => {
  const { client, nodes } = cluster();
  if (namespace !== "") {
    for (const { metadata } of await listPods(client, namespace)) await deletePod(client, namespace, metadata.name, 0);
    await podsGone(client, namespace, 120_000);
    for (const { on } of nodes) {
      await on.stopDaemon();
      await rm(on.node.path(conflistPath), { force: true });
    }
  }
  namespace = await createNamespace(cluster(), "early");
});

test("pods bound to a node before its daemon has started all run, and no ADD fails once the node is Ready", async () => {
  const { client, nodes } = cluster();
  const [node] = nodes;
  if (node === undefined) throw new Error("the cluster has no node");
  const names = Array.from({ length: count }, (_, index) => `early-${String(index).padStart(2, "0")}`);
  await Promise.all(names.map((name) => createPod(client, { namespace, name, nodeName: node.on.name })));
  // The kubelet knows them, and runs none for want of a network.
  expect((await listPods(client, namespace)).filter(({ status }) => status.podIPs.length > 0)).toEqual([]);

  await cluster().startTerway({ min: 4, max: 10 });
  const readyMs = Date.now();
  const pods = await podsReady(client, namespace, count, 180_000);
  expect(new Set(addressesOf(pods)).size).toBe(2 * count);
  expect(await disagreements(cluster(), [namespace])).toEqual([]);
  const failed = (await listEvents(client, namespace, "FailedCreatePodSandBox")).filter(
    ({ lastTimestamp }) => Date.parse(lastTimestamp ?? "") > readyMs,
  );
  expect(failed.map(({ involvedObject, message }) => `${involvedObject.name}: ${message}`)).toEqual([]);

  await Promise.all(names.map((name) => deletePod(client, namespace, name, 0)));
  await podsGone(client, namespace, 120_000);
  await expect.poll(() => remains(cluster(), addressesOf(pods)), { timeout: 60_000, interval: 1000 }).toEqual([]);
});
