import { createPod, isAlive, listPods, podsReady, signal, waitForEnd } from "@terway/lab";
import { expect, test } from "vitest";
import { disagreements } from "./agreement.ts";
import { Flow } from "./flow.ts";
import { addressesOf, bootIdOf, listEvents, podNetns } from "./objects.ts";
import { eventually, ipv4, type Scene } from "./scene.ts";

/** What is killed, doubled or loses its power while pods run. */
export function restartCases(scene: Scene): void {
  test("containerd that is killed and started again leaves pods as they are, and new ones start", async () => {
    const { client } = scene.cluster;
    const namespace = await scene.newNamespace("runtime");
    const [first, second] = await scene.pair(namespace);
    const flow = await Flow.open(await podNetns(scene.nodeOf(first), first), ipv4(second));
    const { on } = scene.nodeOf(second);
    await on.restartRuntime();
    await createPod(client, { namespace, name: "after", nodeName: on.name });
    const pods = await podsReady(client, namespace, 3, 90_000);
    expect(addressesOf(pods.slice(1))).toEqual(addressesOf([first, second]));
    expect((await flow.close()).error).toBeUndefined();
    expect(await disagreements(scene.cluster, scene.namespaces)).toEqual([]);
  });

  test("two daemons on one node, as in a rolling update: the second waits, then takes over; every pod starts at the first try", async () => {
    const { client } = scene.cluster;
    const namespace = await scene.newNamespace("surge");
    const [first, second] = await scene.pair(namespace);
    const flow = await Flow.open(await podNetns(scene.nodeOf(second), second), ipv4(first));
    const { on } = scene.nodeOf(first);
    const { daemon: old } = on;
    if (old === undefined) throw new Error(`terwayd does not run on ${on.name}`);
    const young = await on.startDaemon();
    const create = (name: string) => createPod(client, { namespace, name, nodeName: on.name });
    await Promise.all(["a", "b", "c"].map((name) => create(`both-${name}`)));
    await podsReady(client, namespace, 5, 60_000);
    expect([await isAlive(old), await isAlive(young)]).toEqual([true, true]);
    const during = Promise.all(["a", "b", "c"].map((name) => create(`change-${name}`)));
    await signal(old, "SIGTERM");
    expect(await waitForEnd(old, 10_000)).toBe(true);
    await during;
    await on.warm(60_000);
    await create("after");
    await podsReady(client, namespace, 9, 60_000);
    const failed = await listEvents(client, namespace, "FailedCreatePodSandBox");
    expect(failed.map(({ involvedObject, message }) => `${involvedObject.name}: ${message}`)).toEqual([]);
    expect((await flow.close()).error).toBeUndefined();
    expect(await disagreements(scene.cluster, scene.namespaces)).toEqual([]);
  });

  test("a node loses its power: the journal stays, no namespace does, and its pods run again with addresses that are theirs alone", async () => {
    const { client } = scene.cluster;
    const namespace = await scene.newNamespace("reboot");
    const [first, second] = await scene.pair(namespace);
    const node = scene.nodeOf(second);
    const before = await bootIdOf(client, node.on.name);
    await scene.cluster.reboot(node);
    await eventually(() => bootIdOf(client, node.on.name)).not.toBe(before);
    await node.on.warm(60_000);
    await scene.cluster.ready();
    // The kubelet believes its old sandboxes until it has looked: what counts is that journal, API, kernel and cloud come to say the same.
    await eventually(() => disagreements(scene.cluster, scene.namespaces), 120_000).toEqual([]);
    const pods = await podsReady(client, namespace, 2, 90_000);
    expect(pods.map(({ metadata }) => metadata.uid)).toEqual([first.metadata.uid, second.metadata.uid]);
    const all = (await Promise.all(scene.namespaces.map((one) => listPods(client, one)))).flat();
    expect(new Set(addressesOf(all)).size).toBe(addressesOf(all).length);
    const again = pods[1];
    if (again === undefined) throw new Error("the second pod is gone");
    const flow = await Flow.open(await podNetns(scene.nodeOf(first), first), ipv4(again));
    expect((await flow.close()).error).toBeUndefined();
  });
}
