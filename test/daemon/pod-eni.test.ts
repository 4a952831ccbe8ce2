import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inNetNamespace, repositoryRoot, run, until } from "@terway/lab";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { openApiAddress } from "../../ts/lab/src/fabric/addresses.ts";
import { addressOf, type Pod, TestNode } from "./support/test-node.ts";

/** Pods that have ENIs of their own: the control plane's part is played by a program and a file. */
let node: TestNode;
/** As many as the instance takes beside its primary one and that of the pool. */
let first: GivenEni;
let second: GivenEni;
const objects = () => join(node.directory, "objects");

beforeAll(async () => {
  node = await TestNode.create();
  await node.start();
  [first, second] = [await attachEni(), await attachEni()];
});
afterEach(() => rm(objects(), { recursive: true }).then(() => mkdir(objects())));
afterAll(() => node?.destroy());

const eniSchema = z.object({ id: z.string(), mac: z.string(), ipv4: z.string() });
type GivenEni = z.infer<typeof eniSchema>;

async function attachEni(): Promise<GivenEni> {
  const { world } = node.lab;
  const { instanceId, vSwitchId, netns } = node.machine;
  const { regionId, accessKeyId, accessKeySecret, securityGroupId } = world;
  const endpoint = `http://${openApiAddress}`;
  const input = JSON.stringify({ endpoint, regionId, accessKeyId, accessKeySecret, instanceId, vSwitchId, securityGroupId });
  const program = join(repositoryRoot, "test/daemon/support/attach-eni.ts");
  const { stdout } = await run(inNetNamespace(netns, [process.execPath, program, input]));
  return eniSchema.parse(JSON.parse(stdout));
}

const allocation = (eni: GivenEni, more: Record<string, unknown> = {}) => ({
  eni: { id: eni.id, mac: eni.mac },
  ipv4: eni.ipv4,
  ipv4CIDR: "10.0.1.0/24",
  ...more,
});
const putPodEni = (pod: Pod, allocations: readonly unknown[], status: Record<string, unknown> = { phase: "Bind" }) =>
  writeFile(
    join(objects(), `${pod.name}.json`),
    JSON.stringify({
      apiVersion: "network.alibabacloud.com/v1beta1",
      kind: "PodENI",
      metadata: { namespace: "test", name: pod.name },
      spec: { allocations },
      status,
    }),
  );
const linksOf = async (netns: string) => {
  const { stdout } = await run(inNetNamespace(netns, ["ip", "-j", "link", "show"]));
  return z.array(z.object({ ifname: z.string(), address: z.string() })).parse(JSON.parse(stdout));
};
const given = () => readdir(join(node.directory, "state/given"));

test("two ENIs move into the pod with one ADD, carry packets, survive a crash of the daemon, and come back with one DEL", async () => {
  const pod = await node.pod();
  await putPodEni(pod, [allocation(second, { interface: "eth1", extraRoutes: [{ dst: "203.0.113.0/24" }] }), allocation(first)]);
  const added = await node.cni("ADD", pod);
  expect(added.output).toMatchObject({ ips: [{ address: `${first.ipv4}/24`, gateway: "10.0.1.253" }] });
  const inside = await linksOf(pod.netns);
  expect(inside).toContainEqual({ ifname: "eth0", address: first.mac });
  expect(inside).toContainEqual({ ifname: "eth1", address: second.mac });
  // By its own ENI through the VPC to a pod of the node's pool.
  const neighbour = await node.pod();
  expect(await node.pings(pod, await node.add(neighbour))).toBe(true);
  await node.end(neighbour);
  const routes = (await run(inNetNamespace(pod.netns, ["ip", "route", "show"]))).stdout;
  expect(routes).toMatch(/^default.* dev eth0/m);
  expect(routes).toMatch(/^203\.0\.113\.0\/24.* dev eth1/m);

  // Without the object: what is held is enough.
  await rm(join(objects(), `${pod.name}.json`));
  await node.restart("SIGKILL");
  expect((await node.cni("ADD", pod)).output).toEqual(added.output);
  expect(await node.cni("CHECK", pod, { conf: { prevResult: added.output } })).toMatchObject({ exitCode: 0 });
  expect(await given()).toHaveLength(2);

  expect((await node.cni("DEL", pod)).exitCode).toBe(0);
  expect(await given()).toEqual([]);
  const outside = (await linksOf(node.machine.netns)).map(({ address }) => address);
  expect(outside).toEqual(expect.arrayContaining([first.mac, second.mac]));
  await node.removeNetns(pod);
});

test("when a later interface fails, the earlier one is taken back and nothing is left", async () => {
  const pod = await node.pod();
  await putPodEni(pod, [
    allocation(first),
    allocation({ id: "eni-nowhere", mac: "00:16:3e:ff:ff:ff", ipv4: "10.0.1.77" }, { interface: "eth1" }),
  ]);
  const answer = await node.cni("ADD", pod);
  expect(answer).toMatchObject({ exitCode: 1, output: { msg: expect.stringContaining("00:16:3e:ff:ff:ff") } });
  expect(await given()).toEqual([]);
  expect((await linksOf(pod.netns)).map(({ ifname }) => ifname)).toEqual(["lo"]);
  expect((await linksOf(node.machine.netns)).map(({ address }) => address)).toContain(first.mac);
  await node.end(pod);
});

test("GC keeps the further interfaces of a pod that the runtime knows, and removes both of one that it does not", async () => {
  const pod = await node.pod();
  await putPodEni(pod, [allocation(first), allocation(second, { interface: "eth1" })]);
  expect((await node.cni("ADD", pod)).exitCode).toBe(0);
  const listed = [{ containerID: pod.containerId, ifname: "eth0" }];
  expect(await node.cni("GC", undefined, { conf: { "cni.dev/valid-attachments": listed } })).toMatchObject({ exitCode: 0 });
  expect((await linksOf(pod.netns)).map(({ ifname }) => ifname)).toEqual(expect.arrayContaining(["eth0", "eth1"]));
  expect(await node.cni("GC", undefined, { conf: { "cni.dev/valid-attachments": [] } })).toMatchObject({ exitCode: 0 });
  await until("both are released", 5_000, async () => (await given()).length === 0);
  await node.removeNetns(pod);
});

test("a PodENI that contradicts itself is refused with the field, one that is not bound waits, and the pod takes no other address", async () => {
  const pod = await node.pod();
  const eni = { id: "eni-1", mac: "00:16:3e:00:00:01", ipv4: "10.0.1.78" };
  const twoDefaults = [allocation(eni, { defaultRoute: true }), allocation(eni, { interface: "eth1", defaultRoute: true })];
  await putPodEni(pod, twoDefaults);
  expect(await node.cni("ADD", pod)).toMatchObject({
    exitCode: 1,
    output: { code: 7, msg: expect.stringContaining("second default route") },
  });
  await putPodEni(pod, [allocation(eni)], { phase: "Binding" });
  expect(await node.cni("ADD", pod)).toMatchObject({ exitCode: 1, output: { code: 11, msg: expect.stringContaining("Binding") } });
  expect((await node.mapping()).leases).toEqual([]);
  await node.end(pod);
});

test("a pod that shall have a PodENI waits for it", async () => {
  const pod = await node.pod("early");
  const metadata = { namespace: "test", name: "early", annotations: { "k8s.aliyun.com/pod-eni": "true" } };
  await writeFile(join(objects(), "early.json"), JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata }));
  expect(addressOf(await node.cni("ADD", pod))).toBe("");
  await rm(join(objects(), "early.json"));
  expect(await node.add(pod)).toMatch(/^10\.0\.1\./);
  await node.end(pod);
});
