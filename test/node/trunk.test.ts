import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import {
  ClusterNode,
  containerRuntime,
  defaultPlan,
  inNetNamespace,
  Lab,
  type LabPlan,
  missingFiles,
  type Probe,
  probe,
  type RunningPod,
  run,
  signal,
  sweep,
  terwaydConfig,
  until,
} from "@terway/lab";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { attachMember, attachTrunk, type Eni, type Member, memberPodEni } from "./trunk-eni.ts";

/** Pods that are members of the node's trunk ENI, given by PodENIs, beside pods of its pool, in a VPC that knows tags and groups. */
const id = `tr${process.pid.toString(36)}`;
const objects = "/etc/eni/objects";
/** The simulated cloud gives out tags from 1 up. */
const unusedVlanId = 4000;
let lab: Lab;
let on: ClusterNode;
let trunk: Eni;
/** In the group of everybody else. */
let open: { member: Member; pod: RunningPod };
/** In a vSwitch and a group of its own, which admits TCP from the others' group only. */
let closed: { member: Member; pod: RunningPod };
let ordinary: RunningPod;

function plan(): LabPlan {
  const { nodes, vSwitches, ...rest } = defaultPlan();
  const [machine] = nodes;
  const zoneId = vSwitches[0]?.zoneId ?? "";
  if (machine === undefined) throw new Error("the plan has no machine");
  return {
    ...rest,
    nodes: [machine],
    vSwitches: [
      ...vSwitches,
      { name: "one", zoneId, cidr: "10.0.31.0/24", ipv6Cidr: "fd00:0:0:131::/64" },
      { name: "two", zoneId, cidr: "10.0.32.0/24", ipv6Cidr: "fd00:0:0:132::/64" },
    ],
    groups: { default: {}, closed: { ingress: [{ IpProtocol: "tcp", PortRange: "7/7", SourceGroupId: "default" }] } },
  };
}

beforeAll(async () => {
  const runtime = containerRuntime("debian");
  expect(await missingFiles(runtime)).toEqual([]);
  lab = await Lab.create(id, plan());
  const [machine] = lab.world.nodes;
  if (machine === undefined) throw new Error("the lab has no machine");
  on = await ClusterNode.start(lab, machine, runtime);
  await lab.serve(machine.name, machine.netns);
  trunk = await attachTrunk(lab, machine);
  await on.install({ ...terwaydConfig(lab.world, machine, { min: 1, max: 3 }), extra: { enable_eni_trunking: true } });
  await mkdir(on.node.path(objects), { recursive: true });
  await on.startDaemon();
  await on.warm(60_000);
  const members = [
    await attachMember(lab, machine, trunk, { vSwitch: "one", group: "default" }),
    await attachMember(lab, machine, trunk, { vSwitch: "two", group: "closed" }),
  ] as const;
  open = { member: members[0], pod: await start("open", members[0]) };
  closed = { member: members[1], pod: await start("closed", members[1]) };
  ordinary = await on.runPod({ namespace: "trunk", name: "ordinary" });
  // Started processes are not listening ones.
  for (const pod of [open.pod, closed.pod, ordinary]) {
    await until(`${pod.name} listens`, 10_000, async () => (await ask(inPod(pod), pod.addresses)).tcp.every((seen) => seen !== undefined));
  }
});

afterAll(async () => {
  on?.containerd.cri.close();
  expect(await sweep(id)).toEqual([]);
});

/** A pod whose PodENI names the member, with this tag. */
async function start(name: string, member: Member, vlanId?: number): Promise<RunningPod> {
  await writeFile(on.node.path(`${objects}/${name}.json`), JSON.stringify(memberPodEni("trunk", name, member, vlanId)));
  return on.runPod({ namespace: "trunk", name });
}

const inPod = (pod: RunningPod) => on.node.path(pod.netns);
const own = ({ ipv4, ipv6 }: { ipv4: string; ipv6: string }) => [ipv4, ipv6];
const elsewhere = () => {
  const machine = lab.world.elsewhere;
  if (machine === undefined) throw new Error("the lab has no host elsewhere");
  return { netns: machine.netns, addresses: own(machine.primary) };
};

/** By protocol: the source that each address saw, undefined where nothing answered. ICMP says only that it was answered. */
async function ask(netns: string, addresses: readonly string[]) {
  const questions = (proto: Probe["proto"]) => addresses.map((addr): Probe => ({ id: `${proto} ${addr}`, proto, addr, timeoutMs: 1_500 }));
  const outcomes = await probe(lab.agent, netns, (["tcp", "udp", "icmp"] as const).flatMap(questions));
  const part = (index: number) => outcomes.slice(index * addresses.length, (index + 1) * addresses.length);
  const seen = (index: number) => part(index).map(({ server }) => server?.client);
  return { tcp: seen(0), udp: seen(1), icmp: part(2).map(({ ok }) => ok) };
}
const answered = (source: readonly string[]) => ({ tcp: source, udp: source, icmp: [true, true] });
const silent = { tcp: [undefined, undefined], udp: [undefined, undefined], icmp: [false, false] };

const onNode = (...argv: string[]) => run(inNetNamespace(on.machine.netns, argv));
const linksSchema = z.array(z.object({ ifname: z.string(), address: z.string() }));

async function trunkIfName(): Promise<string> {
  const links = linksSchema.parse(JSON.parse((await onNode("ip", "-j", "link")).stdout));
  const link = links.find(({ address }) => address === trunk.mac);
  if (link === undefined) throw new Error(`no link has the trunk's MAC ${trunk.mac}`);
  return link.ifname;
}

/** What of ours is on the trunk. */
async function filters(): Promise<string[]> {
  const ifName = await trunkIfName();
  const shown = ["ingress", "egress"].map((hook) => onNode("tc", "filter", "show", "dev", ifName, hook));
  return (await Promise.all(shown)).flatMap(({ stdout }) => stdout.match(/terway_eni_\w+/g) ?? []);
}

test("a member has its own addresses, of another vSwitch than the node, and reaches a machine elsewhere as itself", async () => {
  expect(open.pod.addresses).toEqual(own(open.member));
  expect(await ask(inPod(open.pod), elsewhere().addresses)).toEqual(answered(own(open.member)));
  expect(await ask(elsewhere().netns, open.pod.addresses)).toEqual(answered(elsewhere().addresses));
});

test("the member's own group decides, not that of the trunk", async () => {
  expect(await ask(elsewhere().netns, closed.pod.addresses)).toEqual({ ...silent, tcp: elsewhere().addresses });
  expect(await ask(inPod(closed.pod), elsewhere().addresses)).toEqual(silent);
  const rule = { IpProtocol: "udp", PortRange: "7/7", SourceGroupId: lab.world.groups.default ?? "" };
  const permission = Object.fromEntries(Object.entries(rule).map(([key, value]) => [`Permissions.1.${key}`, value]));
  await lab.cloud.call("AuthorizeSecurityGroup", { SecurityGroupId: lab.world.groups.closed ?? "", ...permission });
  const { udp } = await ask(elsewhere().netns, closed.pod.addresses);
  expect(udp).toEqual(elsewhere().addresses);
});

test("members of two vSwitches, pods of the pool and the node reach each other on one node", async () => {
  expect((await ask(inPod(open.pod), closed.pod.addresses)).tcp).toEqual(own(open.member));
  expect(await ask(inPod(open.pod), ordinary.addresses)).toEqual(answered(own(open.member)));
  expect(await ask(inPod(ordinary), open.pod.addresses)).toEqual(answered(ordinary.addresses));
  expect((await ask(inPod(ordinary), closed.pod.addresses)).tcp).toEqual(ordinary.addresses);
  const node = own(on.machine.primary);
  expect(await ask(inPod(open.pod), node)).toEqual(answered(own(open.member)));
  expect((await ask(on.machine.netns, closed.pod.addresses)).tcp.every((seen) => seen !== undefined)).toBe(true);
  expect((await ask(on.machine.netns, open.pod.addresses)).icmp).toEqual([true, true]);
});

test("the member's own group decides on its node, too", async () => {
  expect(await ask(inPod(closed.pod), open.pod.addresses)).toEqual(silent);
  expect(await ask(inPod(closed.pod), ordinary.addresses)).toEqual(silent);
  expect((await ask(inPod(ordinary), closed.pod.addresses)).icmp).toEqual([false, false]);
});

test("a pod with another member's tag, or nobody's, reaches nobody and nobody reaches it; with its own it does", async () => {
  const member = await attachMember(lab, on.machine, trunk, { vSwitch: "one", group: "default" });
  for (const vlanId of [open.member.vlanId, unusedVlanId]) {
    const wrong = await start("late", member, vlanId);
    expect(wrong.addresses).toEqual(own(member));
    const both = [ask(inPod(wrong), elsewhere().addresses), ask(elsewhere().netns, wrong.addresses)];
    expect(await Promise.all(both)).toEqual([silent, silent]);
    await on.removePod(wrong);
  }
  const right = await start("late", member);
  expect(await ask(inPod(right), elsewhere().addresses)).toEqual(answered(own(member)));
  await on.removePod(right);
});

test("a daemon that is killed finds its members again, and puts right what was changed meanwhile", async () => {
  if (on.daemon === undefined) throw new Error("terwayd does not run");
  await signal(on.daemon, "SIGKILL");
  expect(await ask(inPod(open.pod), elsewhere().addresses)).toEqual(answered(own(open.member)));
  await rm(on.node.path(`${objects}/open.json`));
  await onNode("tc", "qdisc", "del", "dev", await trunkIfName(), "clsact");
  expect(await ask(inPod(open.pod), elsewhere().addresses)).toEqual(silent);
  await on.startDaemon();
  await on.warm(30_000);
  expect(await filters()).toEqual(["terway_eni_in", "terway_eni_out"]);
  expect(await ask(inPod(open.pod), elsewhere().addresses)).toEqual(answered(own(open.member)));
  const { leases, mismatches } = await on.mapping();
  expect(leases.filter(({ eniId }) => [open.member.id, closed.member.id].includes(eniId))).toHaveLength(2);
  expect(mismatches).toEqual([]);
});

test("DEL of the last member leaves nothing on the trunk", async () => {
  await on.removePod(closed.pod);
  expect(await filters()).toEqual(["terway_eni_in", "terway_eni_out"]);
  expect(await ask(inPod(open.pod), elsewhere().addresses)).toEqual(answered(own(open.member)));
  await on.removePod(open.pod);
  expect(await filters()).toEqual([]);
  expect(await readdir(on.node.path("/var/lib/cni/terway/given"))).toEqual([]);
  for (const family of ["-4", "-6"]) {
    const shown = [["route", "show", "table", "all"], ["rule"], ["neigh"]].map((what) => onNode("ip", family, ...what));
    const left = (await Promise.all(shown)).map(({ stdout }) => stdout).join("\n");
    for (const address of [...own(open.member), ...own(closed.member)]) expect(left).not.toContain(`${address} `);
  }
  expect(await ask(inPod(ordinary), elsewhere().addresses)).toEqual(answered(ordinary.addresses));
});
