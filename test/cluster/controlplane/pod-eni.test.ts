import { until } from "@terway/lab";
import { expect, test } from "vitest";
import { create } from "../kube/objects.ts";
import { listEvents } from "../objects.ts";
import { useInstallation } from "./installation.ts";
import { createAnnotatedPod, endPod, listInterfaces, podEniGone, podEniIn, podNetworkings, readInterface, readPodEni } from "./objects.ts";

/** terway-controlplane against a real API server and the simulated cloud; pods are objects that nobody runs. */
const installation = useInstallation();
const client = () => installation().client;

const eniOf = (id: string) =>
  installation()
    .region.podEnis()
    .find((eni) => eni.id === id);
const nothingLeft = () =>
  until(
    "nothing is left",
    20_000,
    async () => installation().region.podEnis().length === 0 && (await listInterfaces(client())).length === 0,
  );

test("a pod that asks for a trunk gets a member with its VLAN id, and everything goes when it goes", async () => {
  await createAnnotatedPod(client(), "trunk", "node-1", { "trunk-on": "true", "security-group-id": "sg-pods", "vswitch-id": "vsw-pods" });
  const podEni = await podEniIn(client(), "trunk", "Bind");
  const [allocation] = podEni.spec.allocations ?? [];
  const id = allocation?.eni.id ?? "";
  const eni = eniOf(id);
  expect(eni).toMatchObject({
    type: "Member",
    status: "InUse",
    instanceId: "i-1",
    vSwitchId: "vsw-pods",
    securityGroupIds: ["sg-pods"],
    deleteOnRelease: true,
  });
  expect(eni?.tags).toMatchObject({ "ack.aliyun.com": "c-test" });
  expect(allocation).toMatchObject({
    ipv4: eni?.primaryIpv4,
    ipv4CIDR: "10.0.2.0/24",
    interface: "eth0",
    eni: { mac: eni?.mac, vpcID: "vpc-1", attachmentOptions: { trunk: true } },
  });
  expect(podEni.status).toMatchObject({
    instanceID: "i-1",
    trunkENIID: eni?.trunkId,
    eniInfos: { [id]: { type: "Member", vid: eni?.deviceIndex, status: "Bind" } },
  });
  expect(podEni.metadata).toMatchObject({ labels: { "k8s.aliyun.com/node": "node-1" }, finalizers: ["network.alibabacloud.com/pod-eni"] });
  expect(podEni.metadata.annotations).not.toHaveProperty("terway.aliyun.com/intent");
  expect(await readInterface(client(), id)).toMatchObject({
    spec: { podENIRef: { kind: "Pod", namespace: "apps", name: "trunk" } },
    status: { phase: "Bind", nodeName: "node-1" },
  });
  await until("the events are there", 5_000, async () => (await listEvents(client(), "apps", "AttachENISucceed")).length > 0);
  await endPod(client(), "trunk");
  await podEniGone(client(), "trunk");
  await nothingLeft();
});

test("I1: a pod with a fixed address keeps its ENI on another node, and it is never in two places", async () => {
  const allocationType = { type: "Fixed", releaseStrategy: "TTL", releaseAfter: "8s" };
  const networks = {
    "pod-networks": JSON.stringify({ podNetworks: [{ vSwitchOptions: ["vsw-pods"], securityGroupIDs: ["sg-pods"], allocationType }] }),
  };
  await createAnnotatedPod(client(), "db-0", "node-1", networks);
  const before = await podEniIn(client(), "db-0", "Bind");
  const [allocation] = before.spec.allocations ?? [];
  expect(eniOf(allocation?.eni.id ?? "")).toMatchObject({ instanceId: "i-1", deleteOnRelease: false });
  await endPod(client(), "db-0");
  await createAnnotatedPod(client(), "db-0", "node-2", networks);
  await until("it is bound on the other node", 20_000, async () => {
    const { status } = (await readPodEni(client(), "db-0")) ?? {};
    return status?.phase === "Bind" && status.instanceID === "i-2";
  });
  const after = await readPodEni(client(), "db-0");
  expect(after?.spec.allocations).toEqual(before.spec.allocations);
  expect(after?.metadata.uid).toBe(before.metadata.uid);
  expect(installation().region.podEnis()).toMatchObject([{ id: allocation?.eni.id, instanceId: "i-2", status: "InUse" }]);
  await endPod(client(), "db-0");
  await podEniIn(client(), "db-0", "Unbind");
  expect(installation().region.podEnis()).toMatchObject([{ status: "Available" }]);
  await podEniGone(client(), "db-0");
  await nothingLeft();
});

test("two interfaces on whole ENIs: each with its own vSwitch, and the default route where it is asked for", async () => {
  const eniOptions = { eniType: "ENI" };
  const first = { interface: "eth0", vSwitchOptions: ["vsw-pods"], securityGroupIDs: ["sg-pods"], eniOptions };
  const second = {
    ...first,
    interface: "eth1",
    vSwitchOptions: ["vsw-small"],
    defaultRoute: true,
    extraRoutes: [{ dst: "192.168.0.0/16" }],
  };
  await createAnnotatedPod(client(), "two", "node-2", { "pod-networks": JSON.stringify({ podNetworks: [first, second] }) });
  const { spec, status } = await podEniIn(client(), "two", "Bind");
  expect(spec.allocations).toMatchObject([
    { interface: "eth0", defaultRoute: false, ipv4CIDR: "10.0.2.0/24", eni: { attachmentOptions: { trunk: false } } },
    { interface: "eth1", defaultRoute: true, ipv4CIDR: "10.0.3.0/29", extraRoutes: [{ dst: "192.168.0.0/16" }] },
  ]);
  expect(Object.values(status?.eniInfos ?? {})).toMatchObject([
    { type: "Secondary", status: "Bind" },
    { type: "Secondary", status: "Bind" },
  ]);
  expect(
    installation()
      .region.podEnis()
      .map(({ instanceId, status: state }) => [instanceId, state]),
  ).toEqual([
    ["i-2", "InUse"],
    ["i-2", "InUse"],
  ]);
  await endPod(client(), "two");
  await nothingLeft();
});

test("a node without a trunk gets one when its first pods need it, and only one", async () => {
  const names = ["first", "second", "third"];
  await Promise.all(names.map((name) => createAnnotatedPod(client(), name, "node-3", { "trunk-on": "true" })));
  for (const name of names) await podEniIn(client(), name, "Bind");
  const [trunk, ...more] = installation().region.madeTrunks();
  expect(more).toEqual([]);
  expect(trunk).toMatchObject({ instanceId: "i-3", status: "InUse" });
  expect(
    new Set(
      installation()
        .region.podEnis()
        .map(({ trunkId }) => trunkId),
    ),
  ).toEqual(new Set([trunk?.id]));
  const node = (await client().call({ method: "GET", path: "/api/v1/nodes/node-3" })) as { metadata: { annotations: object } };
  expect(node.metadata.annotations).toEqual({ "k8s.aliyun.com/trunk-on": trunk?.id });
  for (const name of names) await endPod(client(), name);
  await nothingLeft();
});

test("a PodNetworking becomes Ready with its zones; one whose vSwitch does not exist says so", async () => {
  await create(client(), podNetworkings, undefined, {
    metadata: { name: "good" },
    spec: { vSwitchOptions: ["vsw-pods"], securityGroupIDs: ["sg-pods"] },
  });
  await create(client(), podNetworkings, undefined, {
    metadata: { name: "bad" },
    spec: { vSwitchOptions: ["vsw-nowhere"], securityGroupIDs: ["sg-pods"] },
  });
  const status = async (name: string) => {
    const found = (await client().call({ method: "GET", path: `/apis/network.alibabacloud.com/v1beta1/podnetworkings/${name}` })) as {
      status?: object;
    };
    return found.status;
  };
  await until("both are judged", 20_000, async () => (await status("good")) !== undefined && (await status("bad")) !== undefined);
  expect(await status("good")).toMatchObject({ status: "Ready", vSwitches: [{ id: "vsw-pods", zone: "cn-hangzhou-i" }] });
  expect(await status("bad")).toMatchObject({ status: "Fail", message: "spec.vSwitchOptions[0]: vSwitch vsw-nowhere does not exist" });
  await createAnnotatedPod(client(), "named", "node-1", { "pod-networking": "good" });
  await podEniIn(client(), "named", "Bind");
  await endPod(client(), "named");
  await nothingLeft();
});

test("what no network can be made from is told to the pod, and others go on", async () => {
  await createAnnotatedPod(client(), "lost", "node-1", { "vswitch-id": "vsw-nowhere" });
  await until("the pod hears it", 20_000, async () =>
    (await listEvents(client(), "apps", "PodCreateFailed")).some(({ involvedObject }) => involvedObject.name === "lost"),
  );
  const [event] = await listEvents(client(), "apps", "PodCreateFailed");
  expect(event?.message).toContain("of vSwitches vsw-nowhere none in zone cn-hangzhou-i has an address left");
  await createAnnotatedPod(client(), "fine", "node-1", { "pod-ip": "10.0.2.77" });
  expect((await podEniIn(client(), "fine", "Bind")).spec.allocations).toMatchObject([{ ipv4: "10.0.2.77" }]);
  for (const name of ["lost", "fine"]) await endPod(client(), name);
  await nothingLeft();
});

test("I6: killed and started again at any moment, one ENI is made for one pod, and none is left", async () => {
  const names = Array.from({ length: 12 }, (_, index) => `burst-${index}`);
  for (const name of names) await createAnnotatedPod(client(), name, "node-1", { "trunk-on": "true" });
  for (let kill = 0; kill < 3; kill++) {
    const seen = installation().region.podEnis().length;
    await until("some ENIs more are made", 10_000, async () => installation().region.podEnis().length > Math.min(seen, names.length - 1));
    const terway = installation();
    await terway.controlPlane.stop("SIGKILL");
    terway.controlPlane = await terway.start();
    await terway.controlPlane.ready();
  }
  for (const name of names) await podEniIn(client(), name, "Bind");
  expect(installation().region.podEnis()).toHaveLength(names.length);
  for (const name of names) await endPod(client(), name);
  await nothingLeft();
});

test("I18: degraded by hand to L1 nothing is released, to L0 nothing is called; when that is over, what waited goes on", async () => {
  const level = async (name: string, number: number) => {
    await installation().controlPlane.configure({ degradation: name });
    await until(`degradation is ${name}`, 15_000, async () =>
      (await (await fetch(`${installation().controlPlane.healthz}/metrics`)).text()).includes(`terway_controlplane_degradation ${number}`),
    );
  };
  const calls = () => Object.values(installation().region.simulator.counters()).reduce((sum, { calls: count }) => sum + count, 0);
  await createAnnotatedPod(client(), "kept", "node-1", { "trunk-on": "true" });
  await podEniIn(client(), "kept", "Bind");
  await level("l1", 1);
  await endPod(client(), "kept");
  await createAnnotatedPod(client(), "made", "node-1", { "trunk-on": "true" });
  await podEniIn(client(), "made", "Bind");
  expect(
    installation()
      .region.podEnis()
      .map(({ status }) => status),
  ).toEqual(["InUse", "InUse"]);
  await level("l0", 2);
  const before = calls();
  await createAnnotatedPod(client(), "waits", "node-1", { "trunk-on": "true" });
  await until("the pod hears why it waits", 20_000, async () =>
    (await listEvents(client(), "apps", "CreateENIFailed")).some(({ message }) => message.includes("degraded to L0")),
  );
  expect(calls()).toBe(before);
  await level("", 0);
  await podEniIn(client(), "waits", "Bind");
  await podEniGone(client(), "kept");
  for (const name of ["made", "waits"]) await endPod(client(), name);
  await nothingLeft();
});

test("I4: a PodENI that does not say whose it is, as older releases wrote them, stays with the pod of its name", async () => {
  await createAnnotatedPod(client(), "old", "node-1", { "trunk-on": "true" });
  const before = await podEniIn(client(), "old", "Bind");
  const path = "/apis/network.alibabacloud.com/v1beta1/namespaces/apps/podenis/old";
  const body = { metadata: { annotations: { "k8s.aliyun.com/pod-uid": null } } };
  await client().call({ method: "PATCH", path, contentType: "application/merge-patch+json", body });
  await until(
    "it says so again",
    10_000,
    async () => (await readPodEni(client(), "old"))?.metadata.annotations?.["k8s.aliyun.com/pod-uid"] !== undefined,
  );
  expect((await readPodEni(client(), "old"))?.status).toEqual(before.status);
  await endPod(client(), "old");
  await nothingLeft();
});

test("an ENI that somebody deletes while it is on its way to the node is replaced", async () => {
  const { simulator } = installation().region;
  const effect = { type: "error", code: "InvalidOperation.ConflictOperation" } as const;
  simulator.admin("setFault", { id: "hold", match: { action: "AttachNetworkInterface" }, effect });
  await createAnnotatedPod(client(), "robbed", "node-1", { "trunk-on": "true" });
  await until(
    "its ENI is made",
    20_000,
    async () => installation().region.podEnis().length === 1 && (await listInterfaces(client())).length === 1,
  );
  const [{ id = "" } = {}] = installation().region.podEnis();
  simulator.admin("vanishEni", { id });
  simulator.admin("clearFaults", { id: "hold" });
  const { spec } = await podEniIn(client(), "robbed", "Bind", 60_000);
  expect(spec.allocations).toHaveLength(1);
  expect(spec.allocations?.[0]?.eni.id).not.toBe(id);
  expect(
    installation()
      .region.podEnis()
      .map((eni) => eni.id),
  ).toEqual([spec.allocations?.[0]?.eni.id]);
  await endPod(client(), "robbed");
  await nothingLeft();
});

test("of two replicas one works; when it is killed the other goes on", async () => {
  const terway = installation();
  await terway.controlPlane.stop();
  // Long enough for an API server on a busy machine: a leader that cannot renew ends, and nobody starts it again here.
  const election = { leaderElection: true, leaseDuration: "10s", renewDeadline: "8s", retryPeriod: "500ms" };
  const first = await terway.start(election);
  await until("the first leads", 30_000, async () => first.log.includes("controllers run"));
  terway.controlPlane = await terway.start(election);
  await terway.controlPlane.ready();
  const names = ["one", "two", "three", "four"];
  for (const name of names) await createAnnotatedPod(client(), name, "node-2", { "trunk-on": "true" });
  await until("the first has begun", 20_000, async () => installation().region.podEnis().length > 0);
  expect(installation().controlPlane.log).not.toContain("controllers run");
  await first.stop("SIGKILL");
  for (const name of names) await podEniIn(client(), name, "Bind", 60_000);
  expect(installation().region.podEnis()).toHaveLength(names.length);
  for (const name of names) await endPod(client(), name);
  await nothingLeft();
});
