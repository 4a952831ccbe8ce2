import { pathOf } from "@terway/kube";
import { until } from "@terway/lab";
import { expect, test } from "vitest";
import { pods } from "../kube/objects.ts";
import { listEvents } from "../objects.ts";
import { useInstallation } from "./installation.ts";
import { createAnnotatedPod, endPod, podEniGone, podEniIn } from "./objects.ts";

/** Pods that may do without an ENI of their own, where none is left. */
const installation = useInstallation({ fallbackToSharedENI: true });
const client = () => installation().client;

const annotationsOf = async (name: string) => {
  const pod = (await client().call({ method: "GET", path: pathOf(pods, "apps", name) })) as { metadata: { annotations: object } };
  return pod.metadata.annotations;
};
const told = async (reason: string, name: string) =>
  (await listEvents(client(), "apps", reason)).find(({ involvedObject }) => involvedObject.name === name)?.message;

const waitsFor = (reason: string, name: string) =>
  until(`${name} hears ${reason}`, 20_000, async () => (await told(reason, name)) !== undefined);

test("the account has no ENI left: who asks for nothing special takes a shared address, who names a group waits for its own", async () => {
  const { simulator } = installation().region;
  simulator.admin("setSettings", { maxEnis: 0 });
  await createAnnotatedPod(client(), "plain", "node-1", { "trunk-on": "true" });
  await createAnnotatedPod(client(), "named", "node-1", { "trunk-on": "true", "security-group-id": "sg-pods" });
  await waitsFor("VirtualModeChanged", "plain");
  expect(await told("VirtualModeChanged", "plain")).toContain("an ENI of its own → an address of its node's shared ENIs");
  expect(await annotationsOf("plain")).toMatchObject({ "k8s.aliyun.com/pod-eni": "false" });
  await podEniGone(client(), "plain");
  await waitsFor("CreateENIFailed", "named");
  expect(await annotationsOf("named")).toMatchObject({ "k8s.aliyun.com/pod-eni": "true" });
  simulator.admin("setSettings", { maxEnis: 50_000 });
  await podEniIn(client(), "named", "Bind");
  expect(await told("VirtualModeChanged", "named")).toBeUndefined();
  for (const name of ["plain", "named"]) await endPod(client(), name);
  await until("nothing is left", 20_000, async () => installation().region.podEnis().length === 0);
});

test("the node has no room for one more: the ENI that was made goes again", async () => {
  const { simulator } = installation().region;
  const effect = { type: "error", code: "EniPerInstanceLimitExceeded", status: 403 } as const;
  simulator.admin("setFault", { id: "full", match: { action: "AttachNetworkInterface" }, effect });
  await createAnnotatedPod(client(), "last", "node-2", { "trunk-on": "true" });
  await createAnnotatedPod(client(), "kept", "node-2", { "vswitch-id": "vsw-pods" });
  await waitsFor("VirtualModeChanged", "last");
  await podEniGone(client(), "last");
  await waitsFor("AttachENIFailed", "kept");
  await until("one ENI is left, of the pod that waits", 20_000, async () => installation().region.podEnis().length === 1);
  simulator.admin("clearFaults", { id: "full" });
  await podEniIn(client(), "kept", "Bind");
  for (const name of ["last", "kept"]) await endPod(client(), name);
  await until("nothing is left", 20_000, async () => installation().region.podEnis().length === 0);
});
