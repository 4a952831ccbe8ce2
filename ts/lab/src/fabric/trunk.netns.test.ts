import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { run } from "../host/command.ts";
import { inNetNamespace, setSysctls } from "../host/netns.ts";
import { instanceEnd, type MatrixEnd, measureGroups, serve, surprises } from "../lab/group-matrix.ts";
import { SmallVpc } from "../lab/small-vpc.ts";
import { repositoryRoot } from "../node/node.ts";
import { gatewayMac } from "./addresses.ts";

/** Trunks and their members, with real packets. The machines tag with the same programs as the fabric: this kernel may have no 802.1Q. */
const agent = join(repositoryRoot, "dist/bin/lab-agent");
const members = { one: "t1", two: "t2", three: "t2", four: "t3" } as const;

let directory: string;
let vpc: SmallVpc;
const stops: (() => void)[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tw-trunk-"));
  const trunk = (name: string, list: readonly { name: string; vSwitch: string; groups: string[] }[]) => ({
    name,
    enis: [{ name: `${name}-trunk`, kind: "trunk" as const, members: list }],
  });
  vpc = await SmallVpc.build(
    `tr${process.pid.toString(36)}`,
    {
      groups: { default: {}, apart: {}, guarded: { ingress: [{ IpProtocol: "tcp", PortRange: "7/7", SourceGroupId: "default" }] } },
      vSwitches: {
        a: { zoneId: "cn-hangzhou-h", cidr: "10.0.1.0/24", ipv6Cidr: "fd00:0:0:101::/64" },
        pods: { zoneId: "cn-hangzhou-h", cidr: "10.0.2.0/24", ipv6Cidr: "fd00:0:0:102::/64" },
        old: { zoneId: "cn-hangzhou-h", cidr: "10.0.3.0/24" },
      },
      nodes: [
        trunk("t1", [{ name: "one", vSwitch: "pods", groups: ["default"] }]),
        trunk("t2", [
          { name: "two", vSwitch: "pods", groups: ["guarded"] },
          { name: "three", vSwitch: "a", groups: ["apart"] },
        ]),
        trunk("t3", [{ name: "four", vSwitch: "old", groups: ["default"] }]),
        { name: "plain" },
        { name: "other", groups: ["apart"] },
      ],
    },
    { agent, directory },
  );
  for (const [name, node] of Object.entries(members)) await tagDevice(name, node, vpc.eni(name).vlan ?? 0);
  for (const { netns } of nodes()) for (const port of [7, 80]) stops.push(await serve(agent, netns, port));
});

afterAll(async () => {
  for (const stop of stops) stop();
  const remains = await vpc?.close();
  await rm(directory, { recursive: true, force: true });
  expect(remains).toEqual([]);
});

const nodes = () => ["t1", "t2", "t3", "plain", "other"].map((name) => instanceEnd(vpc, name));
const inside = (netns: string, ...argv: string[]) => run(inNetNamespace(netns, argv));

/** What a VLAN link would be: a device in the machine whose frames go through the trunk with this tag. */
async function tagDevice(device: string, node: string, vlan: number): Promise<void> {
  const { netns, ifName, mac } = vpc.eni(`${node}-trunk`);
  await inside(netns, "ip", "link", "set", ifName, "up");
  await inside(netns, "ip", "link", "add", device, "address", mac, "type", "veth", "peer", "name", `${device}-x`);
  await inside(netns, "ip", "link", "set", `${device}-x`, "up");
  await setSysctls(netns, { [`net/ipv6/conf/${device}/accept_dad`]: 0 });
  await inside(netns, "ip", "link", "set", device, "up");
  await inside(netns, agent, "fabric-trunk", "add", "--trunk", ifName, "--port", device, "--vlan", String(vlan), "--mac", gatewayMac);
}

/** Gives the member's addresses to its device, with a routing table of their own. */
async function configure(name: string, table: number): Promise<MatrixEnd> {
  const { netns, ipv4, ipv6, gateways } = vpc.eni(name);
  const lines = [
    `address add ${ipv4[0]}/32 dev ${name}`,
    `route add default via ${gateways.ipv4} dev ${name} onlink table ${table}`,
    `rule add from ${ipv4[0]} lookup ${table}`,
  ];
  const [address6] = ipv6;
  if (address6 !== undefined) {
    // The VPC answers for every address; a link-local one needs no other route.
    lines.push(`address add ${address6}/128 dev ${name} nodad`, `-6 route add default via fe80::1 dev ${name} table ${table}`);
    lines.push(`-6 rule add from ${address6} lookup ${table}`);
  }
  await inside(netns, "sh", "-e", "-c", lines.map((line) => `ip ${line}`).join("\n"));
  return { eni: name, netns, ipv4: ipv4[0] ?? "", ...(address6 === undefined ? {} : { ipv6: address6 }) };
}

const counter = async (name: string) => {
  const { stdout } = await inside(vpc.fabric.netns.path, "nft", "list", "counter", "inet", "vpc", name);
  return Number(/packets (\d+)/.exec(stdout)?.[1]);
};
const countsSchema = z.object({ unknown_tag: z.number(), to_member: z.number(), to_trunk: z.number() });
const portOf = (name: string) =>
  `p-${vpc
    .eni(name)
    .id.replace(/[^A-Za-z0-9]/g, "")
    .slice(-13)}`;
const counts = async (trunk: string) =>
  countsSchema.parse(
    JSON.parse((await inside(vpc.fabric.netns.path, agent, "fabric-trunk", "counts", "--interface", portOf(trunk))).stdout),
  );
const send = (netns: string, device: string, source: string) =>
  inside(
    netns,
    agent,
    "send-raw",
    "udp",
    "--interface",
    device,
    "--source",
    source,
    "--destination",
    vpc.eni("plain").ipv4[0] ?? "",
    "--port",
    "9",
  );

test("members are ENIs of their own: other vSwitches, other groups, both families, to members and to everyone else", async () => {
  const names = Object.keys(members);
  const ends = [...(await Promise.all(names.map((name, index) => configure(name, 100 + index)))), ...nodes()];
  // A machine answers itself without the VPC.
  const onOneMachine = (path: string) =>
    ends.some((a) => ends.some((b) => a !== b && a.netns === b.netns && path.startsWith(`${a.eni} → ${b.eni} `)));
  const questions = [{ protocol: "tcp", port: 7 }, { protocol: "tcp", port: 80 }, { protocol: "icmp" }] as const;
  const matrix = (await measureGroups(vpc, agent, ends, questions)).filter(({ path }) => !onOneMachine(path));
  expect(surprises(matrix)).toEqual([]);
  for (const verdict of ["delivered", "denied by ingress"]) {
    expect(matrix.filter(({ path, expected }) => expected === verdict && /^(one|two|three|four) →/.test(path)).length).toBeGreaterThan(20);
  }
  expect((await counts("t2-trunk")).to_member).toBeGreaterThan(0);
});

test("a tag that the trunk has no member for is dropped", async () => {
  await tagDevice("stray", "t1", 999);
  const before = { tag: (await counts("t1-trunk")).unknown_tag, source: await counter("wrong_source") };
  await send(vpc.eni("t1").netns, "stray", vpc.eni("one").ipv4[0] ?? "");
  expect((await counts("t1-trunk")).unknown_tag - before.tag).toBeGreaterThanOrEqual(1);
  expect(await counter("wrong_source")).toBe(before.source);
});

test("a member's address is no source without its tag, with another member's tag or on another trunk", async () => {
  const [two = ""] = vpc.eni("two").ipv4;
  const trunk = vpc.eni("t2-trunk");
  const dropped = async (netns: string, device: string) => {
    const before = await counter("wrong_source");
    await send(netns, device, two);
    return (await counter("wrong_source")) - before;
  };
  expect(await dropped(trunk.netns, "two")).toBe(0);
  expect(await dropped(trunk.netns, trunk.ifName)).toBe(1);
  expect(await dropped(trunk.netns, "three")).toBe(1);
  expect(await dropped(vpc.eni("t1").netns, "one")).toBe(1);
});

test("a detached member's tag is unknown; attached elsewhere, its address is delivered there", async () => {
  const { id, ipv4, netns } = vpc.eni("two");
  await vpc.detach("two");
  const before = (await counts("t2-trunk")).unknown_tag;
  await send(netns, "two", ipv4[0] ?? "");
  expect((await counts("t2-trunk")).unknown_tag - before).toBeGreaterThanOrEqual(1);
  const trunk = vpc.eni("t1-trunk");
  await vpc.call("AttachNetworkInterface", { NetworkInterfaceId: id, InstanceId: trunk.instanceId, TrunkNetworkInstanceId: trunk.id });
  await expect.poll(() => vpc.simulator.state().enis.get(id)?.status).toBe("InUse");
  await tagDevice("moved", "t1", vpc.eni("two").vlan ?? 0);
  const wrong = await counter("wrong_source");
  await send(trunk.netns, "moved", ipv4[0] ?? "");
  expect(await counter("wrong_source")).toBe(wrong);
});
