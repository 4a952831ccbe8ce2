import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { probe } from "../host/agent.ts";
import { run } from "../host/command.ts";
import { createNetNamespace, deleteNetNamespace, inNetNamespace } from "../host/netns.ts";
import { SmallVpc } from "../lab/small-vpc.ts";
import { repositoryRoot } from "../node/node.ts";

/** An ENI that was moved into a pod's namespace comes back to its machine when that namespace dies. */
const agent = join(repositoryRoot, "dist/bin/lab-agent");
const id = `rp${process.pid.toString(36)}`;
const pod = `tw-${id}-pod`;
let directory: string;
let vpc: SmallVpc;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tw-replug-"));
  const nodes = [{ name: "node", enis: [{ name: "own" }] }, { name: "other" }];
  vpc = await SmallVpc.build(id, { groups: { default: {}, apart: {} }, nodes }, { agent, directory });
});

afterAll(async () => {
  const remains = await vpc?.close();
  await rm(directory, { recursive: true, force: true });
  expect(remains).toEqual([]);
});

const linksSchema = z.array(z.object({ ifname: z.string(), address: z.string().optional() }));
const linkOf = async (netns: string, mac: string) => {
  const { stdout } = await run(inNetNamespace(netns, ["ip", "-json", "link"]));
  return linksSchema.parse(JSON.parse(stdout)).find((link) => link.address === mac)?.ifname;
};

// A test that failed half-way leaves the next one, or its own second try, what it began with.
afterEach(async () => {
  await deleteNetNamespace(pod);
  await vpc.fabric.settled();
});

/** Moves the ENI into a new namespace, as exclusive mode does, and configures it there. */
async function moveIntoPod(): Promise<string> {
  const eni = vpc.eni("own");
  const { path } = await createNetNamespace(pod);
  await run(inNetNamespace(eni.netns, ["ip", "link", "set", eni.ifName, "netns", path]));
  const lines = [
    `link set ${eni.ifName} name eth0`,
    "link set eth0 up",
    `address add ${eni.ipv4[0]}/24 dev eth0`,
    `route add default via ${eni.gateways.ipv4}`,
  ];
  await run(inNetNamespace(path, ["ip", "-batch", "-"]), { input: lines.join("\n") });
  return path;
}

async function ping(netns: string, addr: string): Promise<boolean | undefined> {
  const [outcome] = await probe(agent, netns, [{ id: "one", proto: "icmp", addr, timeoutMs: 500 }]);
  return outcome?.ok;
}
const reaches = (netns: string) => ping(netns, vpc.eni("other").ipv4[0] ?? "");

/** The pod's namespace dies; resolves when the ENI is back under this name. */
async function dies(name: string): Promise<void> {
  const { netns, mac } = vpc.eni("own");
  await deleteNetNamespace(pod);
  await expect.poll(() => linkOf(netns, mac), { timeout: 10_000 }).toBe(name);
  await vpc.fabric.settled();
}

test("the ENI is plugged in again with MAC, addresses and groups when the pod's namespace dies, twice", async () => {
  const { netns, mac } = vpc.eni("own");
  for (const name of ["eth1", "eth1"]) {
    expect(await linkOf(netns, mac)).toBe(name);
    const inPod = await moveIntoPod();
    await expect.poll(() => reaches(inPod)).toBe(true);
    expect(await linkOf(netns, mac)).toBeUndefined();
    await dies(name);
  }
});

test("what changed while it was away counts after its return", async () => {
  const { id: eniId } = vpc.eni("own");
  await moveIntoPod();
  await vpc.call("AssignPrivateIpAddresses", { NetworkInterfaceId: eniId, "PrivateIpAddress.1": "10.0.1.77" });
  await vpc.call("ModifyNetworkInterfaceAttribute", { NetworkInterfaceId: eniId, "SecurityGroupId.1": "apart" });
  await dies("eth1");
  // Another group than `other`, which lets only its own members in.
  expect(await reaches(await moveIntoPod())).toBe(false);
  await vpc.call("ModifyNetworkInterfaceAttribute", { NetworkInterfaceId: eniId, "SecurityGroupId.1": "default" });
  await run(inNetNamespace(`/run/netns/${pod}`, ["ip", "address", "replace", "10.0.1.77/32", "dev", "eth0"]));
  await expect.poll(() => ping(vpc.eni("other").netns, "10.0.1.77")).toBe(true);
});

test("an ENI that is detached while it is away does not come back", async () => {
  const { netns, mac } = vpc.eni("own");
  await vpc.detach("own");
  await deleteNetNamespace(pod);
  await vpc.fabric.settled();
  expect(await linkOf(netns, mac)).toBeUndefined();
  const { stdout } = await run(inNetNamespace(vpc.fabric.netns.path, ["sh", "-c", "ip -oneline link; nft list ruleset; ip route"]));
  expect(stdout).not.toMatch(/10\.0\.1\.77/);
});
