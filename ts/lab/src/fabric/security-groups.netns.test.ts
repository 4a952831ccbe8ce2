import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seededRandom } from "../cloud/seeded-random.ts";
import { probe } from "../host/agent.ts";
import { run } from "../host/command.ts";
import { inNetNamespace } from "../host/netns.ts";
import { instanceEnd, type MatrixEnd, measureGroups, serve, surprises } from "../lab/group-matrix.ts";
import { SmallVpc } from "../lab/small-vpc.ts";
import { repositoryRoot } from "../node/node.ts";

/** Security groups with real packets; what must come of them is said by `verdict`, which knows no nftables. */
const agent = join(repositoryRoot, "dist/bin/lab-agent");
const all4 = { IpProtocol: "all", SourceCidrIp: "10.0.0.0/8" };
const nodes = {
  basic1: ["basic"],
  basic2: ["basic"],
  apart1: ["apart"],
  apart2: ["apart"],
  web: ["web"],
  both: ["basic", "web"],
  tight1: ["tight"],
  tight2: ["tight", "open"],
  closed: ["closed"],
};
const questions = [
  { protocol: "tcp", port: 7 },
  { protocol: "tcp", port: 80 },
  { protocol: "udp", port: 7 },
  { protocol: "icmp" },
] as const;

let directory: string;
let vpc: SmallVpc;
let ends: MatrixEnd[];
const stops: (() => void)[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tw-groups-"));
  vpc = await SmallVpc.build(
    `sg${process.pid.toString(36)}`,
    {
      groups: {
        basic: {},
        apart: { innerAccess: "Drop" },
        // Port 80 to the members of `basic` and by address to `apart1`'s vSwitch; a drop of the same priority wins, a later one does not.
        web: {
          ingress: [
            { IpProtocol: "tcp", PortRange: "80/80", SourceGroupId: "basic", Priority: 10 },
            { IpProtocol: "udp", PortRange: "1/100", SourceCidrIp: "10.0.2.0/24", Priority: 10 },
            { IpProtocol: "udp", PortRange: "7/7", SourceCidrIp: "10.0.2.1/32", Priority: 10, Policy: "drop" },
            { IpProtocol: "icmp", SourceCidrIp: "10.0.0.0/8", Priority: 20 },
            { IpProtocol: "icmp", SourceCidrIp: "10.0.1.0/24", Priority: 30, Policy: "drop" },
            { IpProtocol: "icmpv6", Ipv6SourceCidrIp: "fd00::/8", Priority: 20 },
          ],
          egress: [{ IpProtocol: "tcp", PortRange: "7/7", DestGroupId: "basic", Policy: "drop" }],
        },
        tight: { type: "enterprise", ingress: [all4], egress: [{ IpProtocol: "tcp", PortRange: "7/80", DestCidrIp: "10.0.1.0/24" }] },
        open: {
          type: "enterprise",
          ingress: [{ IpProtocol: "all", Ipv6SourceCidrIp: "::/0" }],
          egress: [{ IpProtocol: "all", Ipv6DestCidrIp: "::/0" }],
        },
        closed: { type: "enterprise" },
      },
      vSwitches: {
        a: { zoneId: "cn-hangzhou-h", cidr: "10.0.1.0/24", ipv6Cidr: "fd00:0:0:101::/64" },
        b: { zoneId: "cn-hangzhou-h", cidr: "10.0.2.0/24", ipv6Cidr: "fd00:0:0:102::/64" },
        old: { zoneId: "cn-hangzhou-h", cidr: "10.0.3.0/24" },
      },
      nodes: Object.entries(nodes).map(([name, groups]) => ({
        name,
        groups,
        vSwitch: name === "tight2" ? "old" : ["apart1", "apart2", "both", "tight1"].includes(name) ? "b" : "a",
      })),
    },
    { agent, directory },
  );
  ends = Object.keys(nodes).map((name) => instanceEnd(vpc, name));
  for (const { netns } of ends) for (const port of [7, 80]) stops.push(await serve(agent, netns, port));
});

afterAll(async () => {
  for (const stop of stops) stop();
  const remains = await vpc?.close();
  await rm(directory, { recursive: true, force: true });
  expect(remains).toEqual([]);
});

const inVpc = (...argv: string[]) => run(inNetNamespace(vpc.fabric.netns.path, argv));
const forgetAll = () => inVpc(agent, "forget-sessions", "10.0.0.0/8", "fd00::/16");
const pair = async (from: string, to: string, port = 7) => {
  const [address = ""] = vpc.eni(to).ipv4;
  const [outcome] = await probe(agent, vpc.eni(from).netns, [{ id: "one", proto: "tcp", addr: address, port, timeoutMs: 1_000 }]);
  return outcome?.ok;
};

test("every pair of members of every kind of group is let through or refused as the documentation says", async () => {
  const matrix = await measureGroups(vpc, agent, ends, questions);
  expect(surprises(matrix)).toEqual([]);
  // A matrix in which all is refused, or all passes, would prove little.
  const counts = (verdict: string) => matrix.filter(({ expected }) => expected === verdict).length;
  for (const verdict of ["delivered", "denied by ingress", "denied by egress"]) expect(counts(verdict)).toBeGreaterThan(40);
});

test("two groups of rules made by chance, forty changes one after the other", async () => {
  const random = seededRandom(11);
  const choose = <T>(list: readonly T[]): T => list[Math.floor(random.next() * list.length)] as T; // within the list
  const few = ends.filter(({ eni }) => ["basic1", "apart1", "web", "tight1"].includes(eni));
  for (let round = 0; round < 40; round += 1) {
    const id = choose(["apart", "web", "tight"]);
    const inward = choose([true, false]);
    const protocol = choose(["tcp", "udp", "icmp", "icmpv6", "all"]);
    const ports = protocol === "tcp" || protocol === "udp" ? choose(["7/7", "80/80", "1/65535", "8/100"]) : "-1/-1";
    const v6 = protocol === "icmpv6" || (protocol !== "icmp" && choose([true, false]));
    const cidr = v6 ? choose(["::/0", "fd00:0:0:101::/64", "fd00:0:0:102::/64"]) : choose(["0.0.0.0/0", "10.0.1.0/24", "10.0.2.1/32"]);
    const side = inward ? "Source" : "Dest";
    const peer =
      id !== "tight" && choose([true, false, false])
        ? { [`${side}GroupId`]: "basic" }
        : { [v6 ? `Ipv6${side}CidrIp` : `${side}CidrIp`]: cidr };
    const action = `AuthorizeSecurityGroup${inward ? "" : "Egress"}`;
    const rule = {
      IpProtocol: protocol,
      PortRange: ports,
      Policy: choose(["accept", "drop"]),
      Priority: String(choose([1, 1, 2, 3])),
      ...peer,
    };
    await vpc.call(action, { SecurityGroupId: id, ...rule });
    const rules = vpc.simulator.state().table("securityGroups").get(id)?.rules ?? [];
    // Few rules say more than many: the first that match decide.
    const [oldest] = rules;
    if (rules.length > 5 && oldest !== undefined) {
      const revoke = oldest.direction === "ingress" ? "RevokeSecurityGroup" : "RevokeSecurityGroupEgress";
      await vpc.call(revoke, { SecurityGroupId: id, "SecurityGroupRuleId.1": oldest.id });
    }
    await forgetAll();
    expect({ round, surprises: surprises(await measureGroups(vpc, agent, few, questions, 200)) }).toEqual({ round, surprises: [] });
  }
});

/** A TCP connection to the echo server that is kept open; `say` answers whether the echo came. */
async function openConnection(from: string, to: string): Promise<{ child: ChildProcessWithoutNullStreams; say: () => Promise<boolean> }> {
  const script =
    'exec 3<>"/dev/tcp/$0/7"; read -r -u 3; echo open; while read -r word; do echo "$word" >&3; read -r -t 1 -u 3 back && echo "$back" || echo lost; done';
  const [file = "", ...args] = inNetNamespace(vpc.eni(from).netns, ["bash", "-c", script, vpc.eni(to).ipv4[0] ?? ""]);
  const child = spawn(file, args);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("open");
  let count = 0;
  const say = async () => {
    count += 1;
    const word = `word-${count}`;
    child.stdin.write(`${word}\n`);
    return (await lines.next()).value === word;
  };
  return { child, say };
}

test("an established connection outlives the rule that let it in, and not a change of the ENI's groups", async () => {
  await vpc.call("AuthorizeSecurityGroup", { SecurityGroupId: "closed", IpProtocol: "tcp", PortRange: "7/7", SourceCidrIp: "10.0.0.0/8" });
  const connection = await openConnection("basic1", "closed");
  try {
    expect(await connection.say()).toBe(true);
    await vpc.call("RevokeSecurityGroup", { SecurityGroupId: "closed", IpProtocol: "tcp", PortRange: "7/7", SourceCidrIp: "10.0.0.0/8" });
    expect(await pair("basic1", "closed")).toBe(false);
    expect(await connection.say()).toBe(true);
    await vpc.call("JoinSecurityGroup", { SecurityGroupId: "open", InstanceId: "i-closed" });
    expect(await connection.say()).toBe(false);
    await vpc.call("LeaveSecurityGroup", { SecurityGroupId: "open", InstanceId: "i-closed" });
  } finally {
    connection.child.kill();
  }
});

test("new groups of an ENI count at once, for itself and as a peer of others", async () => {
  expect([await pair("basic2", "closed"), await pair("basic1", "basic2")]).toEqual([false, true]);
  await vpc.call("ModifyNetworkInterfaceAttribute", { NetworkInterfaceId: vpc.eni("basic2").id, "SecurityGroupId.1": "apart" });
  expect(await pair("basic1", "basic2")).toBe(false);
  await vpc.call("ModifyNetworkInterfaceAttribute", { NetworkInterfaceId: vpc.eni("basic2").id, "SecurityGroupId.1": "basic" });
  expect(await pair("basic1", "basic2")).toBe(true);
});

test("an address that moves to another ENI is judged by that one's groups, with the connections it had", async () => {
  const [basic, closed] = [vpc.eni("basic2"), vpc.eni("closed")];
  const address = "10.0.1.100";
  const ping = async (from: string) => {
    const [outcome] = await probe(agent, vpc.eni(from).netns, [{ id: "one", proto: "icmp", addr: address, timeoutMs: 1_000 }]);
    return outcome?.ok;
  };
  await run(inNetNamespace(basic.netns, ["ip", "address", "add", `${address}/32`, "dev", "eth0"]));
  await vpc.call("AssignPrivateIpAddresses", { NetworkInterfaceId: basic.id, "PrivateIpAddress.1": address });
  expect([await ping("basic1"), await ping("apart1")]).toEqual([true, false]);
  await vpc.call("UnassignPrivateIpAddresses", { NetworkInterfaceId: basic.id, "PrivateIpAddress.1": address });
  await run(inNetNamespace(basic.netns, ["ip", "address", "del", `${address}/32`, "dev", "eth0"]));
  await run(inNetNamespace(closed.netns, ["ip", "address", "add", `${address}/32`, "dev", "eth0"]));
  await vpc.call("AssignPrivateIpAddresses", { NetworkInterfaceId: closed.id, "PrivateIpAddress.1": address });
  expect([await ping("basic1"), await ping("apart1")]).toEqual([false, false]);
  expect((await inVpc("cat", "/proc/net/nf_conntrack")).stdout).not.toContain(address);
});

test("an ENI that is detached and attached elsewhere keeps its groups", async () => {
  const eni = await vpc.attach("basic1", { name: "wanderer", groups: ["closed"] });
  const send = async (netns: string, ifName: string) => {
    const before = await denied();
    const raw = [
      "udp",
      "--interface",
      ifName,
      "--source",
      eni.ipv4[0] ?? "",
      "--destination",
      vpc.eni("basic2").ipv4[0] ?? "",
      "--port",
      "9",
    ];
    await run(inNetNamespace(netns, [agent, "send-raw", ...raw]));
    return (await denied()) - before;
  };
  await run(inNetNamespace(eni.netns, ["ip", "link", "set", eni.ifName, "up"]));
  expect(await send(eni.netns, eni.ifName)).toBe(1);
  await vpc.detach("wanderer");
  await vpc.call("AttachNetworkInterface", { NetworkInterfaceId: eni.id, InstanceId: "i-web" });
  await expect.poll(() => vpc.simulator.state().enis.get(eni.id)?.status).toBe("InUse");
  const again = vpc.eni("wanderer");
  expect(again.netns).toBe(vpc.eni("web").netns);
  await run(inNetNamespace(again.netns, ["ip", "link", "set", again.ifName, "up"]));
  expect(await send(again.netns, again.ifName)).toBe(1);
});

async function denied(): Promise<number> {
  const { stdout } = await inVpc("nft", "list", "counter", "inet", "groups", "denied_egress");
  return Number(/packets (\d+)/.exec(stdout)?.[1]);
}
