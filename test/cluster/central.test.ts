import { createPod, deletePod, type PodObject, podsGone, podsReady, until } from "@terway/lab";
import { beforeAll, expect, test } from "vitest";
import { disagreements, remains } from "./agreement.ts";
import { bindings, centralDisagreements, installDefinitions, nodeObject, runtimeStates, startCentral, startDaemons } from "./central.ts";
import { useCluster } from "./cluster-fixture.ts";
import { Flow } from "./flow.ts";
import { addressesOf, createNamespace, podNetns } from "./objects.ts";

/** `ipam_type: crd`: addresses come from terway-controlplane by the Node object, and no node has a credential of the cloud. */
const cluster = useCluster({ nodes: 2 });

beforeAll(async () => {
  const [first] = cluster().nodes;
  if (first === undefined) throw new Error("the cluster has no node");
  await installDefinitions(cluster().client);
  await startCentral(cluster(), first.on);
});

const disagree = (namespaces: readonly string[]) => centralDisagreements(cluster(), namespaces);
const byName = (pods: readonly PodObject[]) => Object.fromEntries(pods.map((pod) => [pod.metadata.name, addressesOf([pod])]));

test("24 pods run with addresses that the control plane bound, reach each other, and leave nothing", async () => {
  await startDaemons(cluster(), "crd");
  const { client, nodes } = cluster();
  const namespace = await createNamespace(cluster(), "central");
  const names = Array.from({ length: 24 }, (_, index) => `p-${String(index).padStart(2, "0")}`);
  await Promise.all(names.map((name) => createPod(client, { namespace, name })));
  const pods = await podsReady(client, namespace, names.length, 180_000);
  expect(new Set(addressesOf(pods)).size).toBe(2 * names.length);
  expect(new Set(pods.map(({ spec }) => spec.nodeName)).size).toBe(2);
  await expect.poll(() => disagree([namespace]), { timeout: 20_000, interval: 1000 }).toEqual([]);

  // Packets, both families, from a pod of the first node to pods of both.
  const [from] = pods.filter(({ spec }) => spec.nodeName === nodes[0]?.on.name);
  if (from === undefined || nodes[0] === undefined) throw new Error("no pod on the first node");
  const netns = await podNetns(nodes[0], from);
  const targets = nodes.flatMap(({ on }) => pods.filter((pod) => pod !== from && pod.spec.nodeName === on.name).slice(0, 2));
  for (const address of addressesOf(targets)) {
    const flow = await Flow.open(netns, address);
    const { received, error } = await flow.close();
    expect({ address, error }).toEqual({ address, error: undefined });
    expect(received).toBeGreaterThanOrEqual(0);
  }
  for (const { on } of nodes) expect(new Set(Object.values(await runtimeStates(client, on.name)))).toEqual(new Set(["initial"]));

  await Promise.all(names.map((name) => deletePod(client, namespace, name, 0)));
  await podsGone(client, namespace, 120_000);
  await expect.poll(() => remains(cluster(), addressesOf(pods)), { timeout: 60_000, interval: 1000 }).toEqual([]);
  for (const { on } of nodes) {
    await until(`Node ${on.name} binds nothing`, 30_000, async () => Object.keys(await bindings(client, on.name)).length === 0);
    expect(JSON.stringify((await nodeObject(client, on.name))?.status).length).toBeLessThan(64 * 1024);
  }
});

test("from the node's own pool to the control plane's and back, no pod's address changes", { tags: ["long"] }, async () => {
  const { client } = cluster();
  await startDaemons(cluster(), "default");
  const namespace = await createNamespace(cluster(), "switch");
  const names = Array.from({ length: 10 }, (_, index) => `s-${index}`);
  await Promise.all(names.map((name) => createPod(client, { namespace, name })));
  const before = byName(await podsReady(client, namespace, names.length, 120_000));

  await startDaemons(cluster(), "crd");
  await createPod(client, { namespace, name: "new-central" });
  await deletePod(client, namespace, "s-0", 0);
  await expect.poll(() => disagree([namespace]), { timeout: 60_000, interval: 1000 }).toEqual([]);
  const central = byName(await podsReady(client, namespace, names.length, 60_000));
  expect(central).toMatchObject(Object.fromEntries(names.slice(1).map((name) => [name, before[name]])));

  await startDaemons(cluster(), "default");
  await createPod(client, { namespace, name: "new-local" });
  await deletePod(client, namespace, "s-1", 0);
  await expect.poll(() => disagreements(cluster(), [namespace]), { timeout: 60_000, interval: 1000 }).toEqual([]);
  const local = byName(await podsReady(client, namespace, names.length, 60_000));
  expect(local).toMatchObject({
    ...Object.fromEntries(names.slice(2).map((name) => [name, before[name]])),
    "new-central": central["new-central"],
  });
  for (const { on } of cluster().nodes) expect((await nodeObject(client, on.name))?.status?.networkInterfaces ?? {}).toEqual({});
});
