import { mergePatch, pathOf } from "@terway/kube";
import { agentPodSpec, podsReady, until } from "@terway/lab";
import { expect, test } from "vitest";
import { z } from "zod";
import { disagreements } from "./agreement.ts";
import { useCluster } from "./cluster-fixture.ts";
import { create, nodes, pods } from "./kube/objects.ts";
import { createNamespace } from "./objects.ts";

/** A node whose pods have whole ENIs; terwayd is started by the test, because the label must be there before. */
const cluster = useCluster({ nodes: 1 });
const nodeSchema = z.object({ status: z.object({ allocatable: z.record(z.string(), z.string()) }) });

test("the kubelet counts aliyun/eni by the device plugin, and as many pods as there are ENIs run", async () => {
  const { client, nodes: machines } = cluster();
  const [machine] = machines;
  if (machine === undefined) throw new Error("the cluster has no node");
  const labels = { "k8s.aliyun.com/exclusive-mode-eni-type": "eniOnly" };
  await mergePatch(client, { resource: nodes, name: machine.on.name }, { metadata: { labels } }, "test");
  await cluster().startTerway({ min: 0, max: 0 });
  const allocatable = async () =>
    nodeSchema.parse(await client.call({ method: "GET", path: pathOf(nodes, undefined, machine.on.name) })).status.allocatable[
      "aliyun/eni"
    ];
  await until("the kubelet knows the node's ENIs", 60_000, async () => Number(await allocatable()) > 0);
  const count = Number(await allocatable());
  expect(count).toBe(3);
  const namespace = await createNamespace(cluster(), "devices");
  const [container] = z.object({ containers: z.array(z.looseObject({})) }).parse(agentPodSpec()).containers;
  const spec = { ...agentPodSpec(), containers: [{ ...container, resources: { limits: { "aliyun/eni": "1" } } }] };
  const createWithEni = (name: string) => create(client, pods, namespace, { metadata: { name }, spec });
  for (let index = 0; index < count; index += 1) await createWithEni(`eni-${index}`);
  await podsReady(client, namespace, count, 120_000);
  expect(await disagreements(cluster(), [namespace])).toEqual([]);
});
