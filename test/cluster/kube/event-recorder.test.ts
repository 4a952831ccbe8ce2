import { EventRecorder, pathOf, type Resource } from "@terway/kube";
import { systemClock } from "@terway/model";
import { expect, test } from "vitest";
import { z } from "zod";
import { useControlPlane } from "../control-plane-fixture.ts";
import { createNamespace, createPod, pods } from "./objects.ts";

const plane = useControlPlane();
const events: Resource = { apiVersion: "v1", plural: "events", kind: "Event", namespaced: true };
const listSchema = z.object({
  items: z.array(z.object({ reason: z.string(), message: z.string(), count: z.number(), source: z.object({ component: z.string() }) })),
});

function recorder(troubles: unknown[]): EventRecorder {
  return new EventRecorder({
    client: plane().client,
    clock: systemClock,
    component: "terway-daemon",
    host: "node-a",
    onTrouble: (error) => troubles.push(error),
  });
}

async function recorded(namespace: string, subject: string) {
  const path = pathOf(events, namespace);
  const query = { fieldSelector: `involvedObject.name=${subject}` };
  return listSchema.parse(await plane().client.call({ method: "GET", path, query })).items;
}

test("equal events of a pod are one with a count, found as kubectl describe finds them", async () => {
  const { client } = plane();
  const namespace = await createNamespace(client, "events");
  const pod = z
    .object({ metadata: z.object({ uid: z.string() }) })
    .parse(
      await createPod(client, namespace, "web-0", "node-a").then(() =>
        client.call({ method: "GET", path: pathOf(pods, namespace, "web-0") }),
      ),
    );
  const subject = { apiVersion: "v1", kind: "Pod", namespace, name: "web-0", uid: pod.metadata.uid };
  const troubles: unknown[] = [];
  const recording = recorder(troubles);
  for (let index = 0; index < 3; index += 1) recording.record(subject, "Warning", "AllocIPFailed", "vSwitch vsw-a is full");
  recording.record(subject, "Normal", "AllocIPSucceed", "x".repeat(3000));
  await recording.flush();
  expect(troubles).toEqual([]);
  expect(await recorded(namespace, "web-0")).toEqual([
    { reason: "AllocIPFailed", message: "vSwitch vsw-a is full", count: 3, source: { component: "terway-daemon" } },
    { reason: "AllocIPSucceed", message: "x".repeat(1024), count: 1, source: { component: "terway-daemon" } },
  ]);
});

test("an event of a node stands in namespace default", async () => {
  const troubles: unknown[] = [];
  const recording = recorder(troubles);
  recording.record({ apiVersion: "v1", kind: "Node", name: "node-a" }, "Warning", "ConfigError", "eni_conf: vswitches is no object");
  await recording.flush();
  expect(troubles).toEqual([]);
  expect(await recorded("default", "node-a")).toMatchObject([{ reason: "ConfigError", count: 1 }]);
});
