import { type KubeClient, mergePatch, type ObjectRef, type Resource, read } from "@terway/kube";
import { until } from "@terway/lab";
import type { PodEni } from "@terway/model";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { bindings, nodeResource } from "../central.ts";
import { create, createPod } from "../kube/objects.ts";
import { listEvents } from "../objects.ts";
import { useInstallation } from "./installation.ts";
import { createAnnotatedPod, endPod, networkInterfaces, podEniIn, podEnis, podNetworkings, readPodEni } from "./objects.ts";
import { type Region, zone } from "./region.ts";

/** Objects that somebody edits into nonsense which their definitions let through: each is told with the field, and the others go on. */
const installation = useInstallation({ centralizedIPAM: true, controllers: ["*"] });
let client: KubeClient;
let region: Region;
/** On node-2, and of others. */
let foreign = "";
/** A second try of a test makes objects of its own. */
let attempt = 0;
const own = (name: string) => `${name}-${attempt}`;

const nodeSpec = (instanceID: string) => ({
  nodeMetadata: { regionID: "cn-hangzhou", instanceType: "ecs.g7.xlarge", instanceID, zoneID: zone },
  eni: { vSwitchOptions: ["vsw-pods"], securityGroupIDs: ["sg-pods"], vSwitchSelectPolicy: "ordered", enableIPv4: true },
  pool: { maxPoolSize: 3, minPoolSize: 1 },
  flavor: [{ networkInterfaceType: "Secondary", networkInterfaceTrafficMode: "Standard", count: 2 }],
});

beforeAll(async () => {
  ({ client, region } = installation());
  for (const number of [1, 3])
    await create(client, nodeResource, undefined, { metadata: { name: `node-${number}` }, spec: nodeSpec(`i-${number}`) });
  const wanted = { VSwitchId: "vsw-nodes", "SecurityGroupIds.1": "sg-nodes", "Tag.1.Key": "creator", "Tag.1.Value": "terway" };
  const { NetworkInterfaceId } = await region.simulator.call("CreateNetworkInterface", wanted);
  foreign = String(NetworkInterfaceId);
  await region.simulator.call("AttachNetworkInterface", { NetworkInterfaceId: foreign, InstanceId: "i-2" });
});
beforeEach(() => {
  attempt += 1;
});

const refOf = (resource: Resource, name: string): ObjectRef => ({ resource, name, ...(resource.namespaced ? { namespace: "apps" } : {}) });
const edit = (ref: ObjectRef, change: object) => mergePatch(client, ref, change, "somebody");
const editStatus = (ref: ObjectRef, status: object) => edit({ ...ref, subresource: "status" }, { status });

/** What events of an object say; those of objects of the cluster stand in `default`. */
async function told(kind: string, name: string): Promise<readonly string[]> {
  const reasons = ["ResourceInvalid", "ConfigError", "SyncPodNetworkingFailed", "SyncOpenAPIFailed", "CreateENIFailed"];
  const all = await Promise.all(["apps", "default"].flatMap((namespace) => reasons.map((reason) => listEvents(client, namespace, reason))));
  return all.flat().flatMap(({ message, involvedObject: one }) => (one.kind === kind && one.name === name ? [message] : []));
}

async function expectTold(kind: string, name: string, words: string): Promise<void> {
  let seen: readonly string[] = [];
  await until(`an event of ${kind} ${name} says: ${words}`, 20_000, async () => {
    seen = await told(kind, name);
    return seen.some((message) => message.includes(words));
  }).catch((error: unknown) => {
    throw new Error(`${kind} ${name} was told: ${seen.join(" | ")}`, { cause: error });
  });
}

async function expectOthersGoOn(name: string): Promise<void> {
  await createAnnotatedPod(client, name, "node-3", { "trunk-on": "true" });
  await podEniIn(client, name, "Bind");
  await endPod(client, name);
}

const bound = async (name: string): Promise<PodEni> => {
  await createAnnotatedPod(client, name, "node-1", { "trunk-on": "true" });
  return podEniIn(client, name, "Bind");
};
const msgOf = async (name: string) => (await readPodEni(client, name).catch(() => undefined))?.status?.msg;
const rawMsg = async (name: string) =>
  ((await read(client, refOf(podEnis, name))) as { status?: { msg?: string } } | undefined)?.status?.msg;

test("PodENIs: each tells its field, in itself and at its pod; mended, it says nothing more; and others go on", async () => {
  type Allocation = NonNullable<PodEni["spec"]["allocations"]>[number];
  const cases: readonly [string, (one: Allocation) => { spec?: object; status?: object }, string][] = [
    ["address", (one) => ({ spec: { allocations: [{ ...one, ipv4: "10.0.0.999" }] } }), "spec.allocations.0.ipv4: must be an IPv4 address"],
    ["cidr", (one) => ({ spec: { allocations: [{ ...one, ipv4CIDR: "10.0.0.0/99" }] } }), "spec.allocations.0.ipv4CIDR: must be a CIDR"],
    [
      "mac",
      (one) => ({ spec: { allocations: [{ ...one, eni: { ...one.eni, mac: "zz" } }] } }),
      "spec.allocations.0.eni.mac: must be a MAC address",
    ],
    ["no-eni", ({ eni: _, ...one }) => ({ spec: { allocations: [one] } }), "spec.allocations.0.eni:"],
    [
      "route",
      (one) => ({ spec: { allocations: [{ ...one, extraRoutes: [{ dst: "north" }] }] } }),
      "spec.allocations.0.extraRoutes.0.dst: must be a CIDR",
    ],
    ["phase", () => ({ status: { phase: "Perhaps" } }), "status.phase:"],
  ];
  const before = new Map<string, PodEni>();
  for (const [which] of cases) before.set(own(which), await bound(own(which)));
  for (const [which, change] of cases) {
    const name = own(which);
    const [allocation] = before.get(name)?.spec.allocations ?? [];
    if (allocation === undefined) throw new Error(`${name} has no allocation`);
    const { spec, status } = change(allocation);
    if (spec !== undefined) await edit(refOf(podEnis, name), { spec });
    if (status !== undefined) await editStatus(refOf(podEnis, name), status);
  }
  for (const [which, , words] of cases) {
    const name = own(which);
    await expectTold("PodENI", name, words);
    await expectTold("Pod", name, words);
    await until(`PodENI ${name} says so`, 20_000, async () => (await rawMsg(name))?.includes(words) === true);
  }
  await expectOthersGoOn(own("beside-podenis"));
  for (const name of before.keys()) {
    const { spec, status } = before.get(name) ?? {};
    await edit(refOf(podEnis, name), { spec });
    await editStatus(refOf(podEnis, name), { phase: status?.phase });
    await until(`PodENI ${name} says nothing more`, 20_000, async () => (await msgOf(name)) === "");
    await endPod(client, name);
  }
  await until("all of them went", 30_000, async () => region.podEnis().length === 0);
}, 180_000);

test("a PodENI of a node that is not there, and one that names somebody else's ENI, which stays where it is", async () => {
  await bound(own("nowhere"));
  await edit(refOf(podEnis, own("nowhere")), { metadata: { labels: { "k8s.aliyun.com/node": "nowhere" } } });
  await editStatus(refOf(podEnis, own("nowhere")), { phase: "Binding" });
  await expectTold("Pod", own("nowhere"), "metadata.labels[k8s.aliyun.com/node]: node nowhere is not known");
  await until("the PodENI says so", 20_000, async () => (await msgOf(own("nowhere")))?.includes("node nowhere is not known") === true);
  const { spec } = await bound(own("greedy"));
  const [allocation] = spec.allocations ?? [];
  await edit(refOf(podEnis, own("greedy")), { spec: { allocations: [{ ...allocation, eni: { id: foreign } }] } });
  await editStatus(refOf(podEnis, own("greedy")), { phase: "Binding" });
  await expectTold("Pod", own("greedy"), `ENI ${foreign} is left as it is: it has not tag creator=terway-controller`);
  for (const name of ["nowhere", "greedy"]) await endPod(client, own(name));
  await until("the PodENIs are gone", 30_000, async () => (await readPodEni(client, own("greedy"))) === undefined);
  expect(region.simulator.state().enis.get(foreign)).toMatchObject({ status: "InUse", instanceId: "i-2" });
  await expectOthersGoOn(own("beside-references"));
}, 120_000);

test("a NetworkInterface that cannot be read is not taken for one that is not there", async () => {
  const { spec } = await bound(own("card"));
  const id = spec.allocations?.[0]?.eni.id ?? "";
  await editStatus(refOf(networkInterfaces, id), { phase: "Perhaps" });
  await expectTold("NetworkInterface", id, "status.phase:");
  await expectTold("Pod", own("card"), `NetworkInterface ${id} is not used until it is mended`);
  await endPod(client, own("card"));
  await expectTold("Pod", own("card"), `NetworkInterface ${id} cannot be read`);
  expect(region.podEnis().map((eni) => eni.id)).toContain(id);
  await editStatus(refOf(networkInterfaces, id), { phase: "Bind" });
  await until("its ENI goes when it can be read", 70_000, async () => region.podEnis().every((eni) => eni.id !== id));
}, 150_000);

test("PodNetworkings whose nonsense nobody refused are not Ready and say the field", async () => {
  const good = { vSwitchOptions: ["vsw-pods"], securityGroupIDs: ["sg-pods"], selector: { podSelector: { matchLabels: { net: "none" } } } };
  const cases: readonly [string, object, string][] = [
    ["groups", { securityGroupIDs: Array.from({ length: 11 }, (_, index) => `sg-${index}`) }, "spec.securityGroupIDs: names 11 groups"],
    [
      "operator",
      { selector: { podSelector: { matchExpressions: [{ key: "a", operator: "Like" }] } } },
      "spec.selector.podSelector.matchExpressions[0].operator",
    ],
    ["ttl", { allocationType: { type: "Fixed", releaseStrategy: "TTL", releaseAfter: "soon" } }, "spec.allocationType.releaseAfter"],
    ["vswitch", { vSwitchOptions: ["vsw-nowhere"] }, "spec.vSwitchOptions[0]: vSwitch vsw-nowhere does not exist"],
  ];
  const statusOf = async (name: string) =>
    ((await read(client, refOf(podNetworkings, name))) as { status?: { status?: string; message?: string } }).status;
  for (const [which] of cases) await create(client, podNetworkings, undefined, { metadata: { name: own(which) }, spec: good });
  for (const [which] of cases) await until(`${which} is Ready`, 20_000, async () => (await statusOf(own(which)))?.status === "Ready");
  for (const [which, change, words] of cases) {
    const name = own(which);
    await edit(refOf(podNetworkings, name), { spec: change });
    await expectTold("PodNetworking", name, words);
    expect(await statusOf(name)).toMatchObject({ status: "Fail", message: expect.stringContaining(words) });
  }
  await create(client, podNetworkings, undefined, { metadata: { name: own("word") }, spec: good });
  await until("it is Ready", 20_000, async () => (await statusOf(own("word")))?.status === "Ready");
  await editStatus(refOf(podNetworkings, own("word")), { status: "Perhaps" });
  await expectTold("PodNetworking", own("word"), "status.status:");
  await until("it is Ready again, by itself", 20_000, async () => (await statusOf(own("word")))?.status === "Ready");
}, 120_000);

test("a Node: what its spec says wrongly is told, and nonsense in its status binds nothing and hinders nobody", async () => {
  await createPod(client, "apps", own("shared-1"), "node-1");
  await until("the pod is bound", 30_000, async () => `apps/${own("shared-1")}` in (await bindings(client, "node-1")));
  const [address] = (await bindings(client, "node-1"))[`apps/${own("shared-1")}`] ?? [];
  const ref = refOf(nodeResource, "node-1");
  const { status } = (await read(client, ref)) as { status: { networkInterfaces: Record<string, { ipv4: Record<string, object> }> } };
  const [id = ""] = Object.keys(status.networkInterfaces);
  const free = Object.entries(status.networkInterfaces[id]?.ipv4 ?? {}).find(([, one]) => !("podID" in one))?.[0] ?? "";
  await editStatus(ref, {
    networkInterfaces: {
      [id]: {
        ipv4: {
          [free]: { ip: free, primary: false, status: "Perhaps" },
          banana: { ip: "banana", primary: false, status: "Valid", podID: "apps/ghost", podUID: "ghost" },
          "10.0.2.77": { ip: "10.0.2.77", primary: false, status: "Valid", podID: "nobody" },
        },
      },
    },
  });
  await edit(ref, { spec: { pool: { reclaim: { after: "soon" } }, eni: { vSwitchSelectPolicy: "any" } } });
  await expectTold("Node", "node-1", 'spec.eni.vSwitchSelectPolicy: "any" is none of ordered, random, most');
  await expectTold("Node", "node-1", 'spec.pool.reclaim.after: "soon" is no duration');
  // The next write finds it; two more pods need it.
  for (const name of ["shared-2", "shared-3"]) await createPod(client, "apps", own(name), "node-1");
  await until("the others are bound", 60_000, async () => {
    const all = await bindings(client, "node-1");
    return ["shared-2", "shared-3"].every((name) => `apps/${own(name)}` in all);
  });
  const after = await bindings(client, "node-1");
  expect(after[`apps/${own("shared-1")}`]).toEqual([address]);
  expect(new Set(Object.values(after).flat()).size).toBe(Object.values(after).flat().length);
  await expectTold("Node", "node-1", "was written by somebody else");
  await edit(refOf(nodeResource, "node-3"), { spec: { eni: { vSwitchOptions: ["vsw-nowhere"] } } });
  // More than its first ENI has addresses for.
  for (let index = 0; index < 16; index += 1) await createPod(client, "apps", own(`many-${index}`), "node-3");
  await expectTold("Node", "node-3", "vsw-nowhere");
}, 150_000);
