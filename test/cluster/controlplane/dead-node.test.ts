import { until } from "@terway/lab";
import { expect, test } from "vitest";
import { useInstallation } from "./installation.ts";
import { beginEnd, createAnnotatedPod, endPod, podEniGone, podEniIn, readPodEni, taint } from "./objects.ts";

/** Nodes whose kubelet will never say that a pod has ended. */
const installation = useInstallation({}, [4]);
const client = () => installation().client;

const fixed = (eniType: string) => {
  const allocationType = { type: "Fixed", releaseStrategy: "TTL", releaseAfter: "10m" };
  const network = { vSwitchOptions: ["vsw-pods"], securityGroupIDs: ["sg-pods"], eniOptions: { eniType }, allocationType };
  return { "pod-networks": JSON.stringify({ podNetworks: [network] }) };
};

test("I1: out of service: ENIs leave before anybody says that the pods have ended, and follow the fixed one to its next node", async () => {
  await createAnnotatedPod(client(), "db-0", "node-1", fixed("Trunk"));
  await createAnnotatedPod(client(), "web", "node-1", { "trunk-on": "true" });
  const before = await podEniIn(client(), "db-0", "Bind");
  await podEniIn(client(), "web", "Bind");
  await beginEnd(client(), "db-0");
  await beginEnd(client(), "web");
  await taint(client(), "node-1", "unreachable", "out-of-service");
  const detached = await podEniIn(client(), "db-0", "Unbind");
  expect(detached.status?.msg).toBe("detached by force: node node-1 is out of service");
  await podEniGone(client(), "web");
  // The pods are still there, and get nothing more.
  expect(installation().region.podEnis()).toMatchObject([{ id: before.spec.allocations?.[0]?.eni.id, status: "Available" }]);
  await endPod(client(), "db-0");
  await endPod(client(), "web");
  await createAnnotatedPod(client(), "db-0", "node-2", fixed("Trunk"));
  const after = await podEniIn(client(), "db-0", "Bind");
  expect(after.spec.allocations).toEqual(before.spec.allocations);
  expect(after.status).toMatchObject({ instanceID: "i-2", msg: "" });
  expect(installation().region.podEnis()).toHaveLength(1);
  await taint(client(), "node-1");
});

test("an instance that does not exist any more holds nothing, whatever its node's object says", async () => {
  await createAnnotatedPod(client(), "db-1", "node-4", fixed("ENI"));
  const before = await podEniIn(client(), "db-1", "Bind");
  await taint(client(), "node-4", "unreachable");
  await beginEnd(client(), "db-1");
  await installation().region.simulator.releaseInstance({ id: "i-4" });
  await until("it is seen", 60_000, async () => (await readPodEni(client(), "db-1"))?.status?.phase === "Unbind");
  expect((await readPodEni(client(), "db-1"))?.status?.msg).toBe("detached by force: instance i-4 of node node-4 does not exist any more");
  await endPod(client(), "db-1");
  await createAnnotatedPod(client(), "db-1", "node-2", fixed("ENI"));
  const after = await podEniIn(client(), "db-1", "Bind");
  expect(after.spec.allocations).toEqual(before.spec.allocations);
  expect(after.status).toMatchObject({ instanceID: "i-2" });
});
