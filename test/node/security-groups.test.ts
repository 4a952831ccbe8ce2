import {
  ClusterNode,
  containerRuntime,
  defaultPlan,
  Lab,
  missingFiles,
  type Probe,
  probe,
  type RunningPod,
  sweep,
  terwaydConfig,
  until,
} from "@terway/lab";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Pods of two nodes whose ENIs carry different groups, by the daemon's own configuration, against what the groups say. */
const id = `g${process.pid.toString(36)}`;
const nodes: ClusterNode[] = [];
let lab: Lab;
let client: { on: ClusterNode; pod: RunningPod };
let server: { on: ClusterNode; pod: RunningPod };

beforeAll(async () => {
  const runtime = containerRuntime("debian");
  expect(await missingFiles(runtime)).toEqual([]);
  const ingress = [{ IpProtocol: "tcp", PortRange: "7/7", SourceGroupId: "clients" }];
  lab = await Lab.create(id, { ...defaultPlan(), groups: { default: {}, clients: {}, servers: { ingress } } });
  for (const [index, machine] of lab.world.nodes.entries()) {
    const on = await ClusterNode.start(lab, machine, runtime);
    nodes.push(on);
    const securityGroupId = lab.world.groups[index === 0 ? "clients" : "servers"] ?? "";
    await on.install({ ...terwaydConfig(lab.world, machine, { min: 2, max: 4 }), securityGroupId });
    await on.startDaemon();
  }
  for (const on of nodes) await on.warm(60_000);
  const [first, second] = nodes;
  if (first === undefined || second === undefined) throw new Error("the lab has no two nodes");
  client = { on: first, pod: await first.runPod({ namespace: "groups", name: "client" }) };
  server = { on: second, pod: await second.runPod({ namespace: "groups", name: "server" }) };
});

afterAll(async () => {
  for (const on of nodes) on.containerd.cri.close();
  expect(await sweep(id)).toEqual([]);
});

const protocols = ["tcp", "udp", "icmp"] as const;
const addressesOf = ({ pod }: { pod: RunningPod }) => pod.addresses;

/** Which protocols are answered over every one of the addresses, and which over none. */
async function ask(netns: string, addresses: readonly string[]): Promise<Record<string, boolean[]>> {
  const probes = protocols.flatMap((proto) => addresses.map((addr): Probe => ({ id: `${proto} ${addr}`, proto, addr, timeoutMs: 1_000 })));
  const outcomes = await probe(lab.agent, netns, probes);
  return Object.fromEntries(
    protocols.map((proto, index) => [proto, addresses.map((_, at) => outcomes[index * addresses.length + at]?.ok === true)]),
  );
}
const netnsOf = ({ on, pod }: { on: ClusterNode; pod: RunningPod }) => on.node.path(pod.netns);
const all = [true, true];
const none = [false, false];

test("the groups of the pods' ENIs decide between nodes, for both families", async () => {
  // The server was started, but a started process is not a listening one.
  await until("the server answers", 10_000, async () => (await ask(netnsOf(client), addressesOf(server))).tcp?.every(Boolean) === true);
  expect(await ask(netnsOf(client), addressesOf(server))).toEqual({ tcp: all, udp: none, icmp: none });
  expect(await ask(netnsOf(server), addressesOf(client))).toEqual({ tcp: none, udp: none, icmp: none });
});

test("another machine of the VPC is in neither group", async () => {
  const { elsewhere } = lab.world;
  expect(await ask(elsewhere?.netns ?? "", addressesOf(server))).toEqual({ tcp: none, udp: none, icmp: none });
});

test("a rule that comes and goes counts for pods that run", async () => {
  const rule = { SecurityGroupId: lab.world.groups.clients ?? "", IpProtocol: "udp", PortRange: "7/7", SourceCidrIp: "10.0.0.0/16" };
  await lab.cloud.call("AuthorizeSecurityGroup", rule);
  expect((await ask(netnsOf(server), addressesOf(client))).udp).toEqual([true, false]);
  await lab.cloud.call("RevokeSecurityGroup", rule);
  expect((await ask(netnsOf(server), addressesOf(client))).udp).toEqual(none);
});
