import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  configurePrimaryInterface,
  deleteNetNamespace,
  inNetNamespace,
  type PluggedEni,
  probe,
  repositoryRoot,
  run,
  serveArguments,
  sweep,
  VpcFabric,
} from "@terway/lab";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";

/** What a VPC does and a switch does not: reference alicloud-api.md, section 15. */
const id = `fab${process.pid.toString(36)}`;
const agent = join(repositoryRoot, "dist/bin/lab-agent");
const vpcMac = "ee:ff:ff:ff:ff:ff";
const vSwitch = { id: "vsw-1", cidr: "10.0.1.0/24", gateway: "10.0.1.253", ipv6Cidr: "fd00:1::/64", ipv6Gateway: "fd00:1::fffd" };

function eni(number: number, instance: string, changes: Partial<PluggedEni> = {}): PluggedEni {
  return {
    eniId: `eni-test${number}`,
    instanceId: instance,
    type: "Primary",
    mac: `00:16:3e:00:00:0${number}`,
    primaryIpv4: `10.0.1.${number}0`,
    ipv4: [`10.0.1.${number}0`],
    ipv6: [`fd00:1::${number}0`],
    vSwitch,
    securityGroupIds: ["sg-1"],
    ...changes,
  };
}

let fabric: VpcFabric;
let directory: string;
/** Namespaces of two instances with one ENI each. */
let left: string;
let right: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tw-fabric-"));
  fabric = await VpcFabric.create({ id, agent, log: join(directory, "responder.log") });
  left = await machine(eni(1, "left"));
  right = await machine(eni(2, "right"));
});

afterAll(async () => {
  await fabric?.stop();
  const remains = await sweep(id);
  await rm(directory, { recursive: true });
  expect(remains).toEqual([]);
});

async function machine(primary: PluggedEni): Promise<string> {
  await fabric.plug(primary);
  const netns = fabric.interfaceOf(primary.eniId)?.netns;
  const [ipv6] = primary.ipv6;
  if (netns === undefined || ipv6 === undefined) throw new Error(`${primary.eniId} is not plugged`);
  await configurePrimaryInterface({
    netns,
    ipv4: primary.primaryIpv4,
    ipv4PrefixLength: 24,
    ipv4Gateway: vSwitch.gateway,
    ipv6: { address: ipv6, prefixLength: 64, gateway: vSwitch.ipv6Gateway },
  });
  return netns;
}

const inside = (netns: string, argv: readonly string[]) => run(inNetNamespace(netns, argv));
const sendRaw = async (netns: string, ...args: string[]) => JSON.parse((await inside(netns, [agent, "send-raw", ...args])).stdout);
const links = async (netns: string) =>
  z
    .array(z.object({ ifname: z.string(), address: z.string() }))
    .parse(JSON.parse((await inside(netns, ["ip", "-json", "link"])).stdout))
    .filter((link) => link.ifname !== "lo");

/** How many packets the VPC has dropped for this reason. */
async function dropped(reason: string): Promise<number> {
  const { stdout } = await inside(fabric.netns.path, ["nft", "--json", "list", "counter", "inet", "vpc", reason]);
  const parsed = z
    .object({ nftables: z.array(z.object({ counter: z.object({ packets: z.number() }).optional() })) })
    .parse(JSON.parse(stdout));
  return parsed.nftables.flatMap((item) => item.counter ?? [])[0]?.packets ?? Number.NaN;
}

const port = 4000;

/**
 * Sends the forged packets and an honest one after them, and answers the sources of what arrived on the right until the honest one did. One path,
 * one queue: what had not arrived before it was dropped.
 */
async function arrivedOnTheRight(forge: () => Promise<unknown>, destination = "10.0.1.20"): Promise<string[]> {
  const [file = "", ...args] = inNetNamespace(right, [agent, "listen", "--udp", String(port), "--ms", "5000", "--expect", "1"]);
  const listener = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: listener.stdout })[Symbol.asyncIterator]();
  await lines.next();
  await forge();
  const honest = destination.includes(":") ? "fd00:1::10" : "10.0.1.10";
  await sendRaw(left, "udp", "--interface", "eth0", "--source", honest, "--destination", destination, "--port", String(port));
  const report = await lines.next();
  return Object.keys(z.object({ sources: z.record(z.string(), z.number()) }).parse(JSON.parse(report.value ?? "")).sources);
}

const forged = (...args: string[]) =>
  sendRaw(left, "udp", "--interface", "eth0", "--destination", "10.0.1.20", "--port", String(port), ...args);

test("two machines reach each other over both families and all protocols, without translation", async () => {
  const [file = "", ...args] = inNetNamespace(right, [agent, ...serveArguments]);
  const server = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await createInterface({ input: server.stdout })[Symbol.asyncIterator]().next();
    const outcomes = await probe(
      agent,
      left,
      ["10.0.1.20", "fd00:1::20"].flatMap((addr) =>
        (["tcp", "udp", "icmp"] as const).map((proto) => ({ id: `${proto} ${addr}`, proto, addr })),
      ),
    );
    expect(outcomes.filter((outcome) => !outcome.ok)).toEqual([]);
    const clients = outcomes.flatMap((outcome) => outcome.server?.client ?? []);
    expect(new Set(clients)).toEqual(new Set(["10.0.1.10", "fd00:1::10"]));
  } finally {
    server.kill("SIGTERM");
  }
});

test.each(["10.0.1.20", "10.0.1.253", "10.0.1.77", "10.9.9.9"])("ARP for %s is answered with the VPC's one MAC", async (target) => {
  const { answer } = await sendRaw(
    left,
    "arp-request",
    "--interface",
    "eth0",
    "--source",
    "10.0.1.10",
    "--target",
    target,
    "--wait",
    "2000",
  );
  expect(answer).toBe(vpcMac);
});

test.each(["fd00:1::20", "fd00:1::fffd", "fd00:1::77", "fe80::1"])(
  "a Neighbour Solicitation for %s is answered with the same MAC",
  async (target) => {
    const args = ["--interface", "eth0", "--source", "fd00:1::10", "--target", target, "--wait", "2000"];
    expect((await sendRaw(left, "neighbour-solicitation", ...args)).answer).toBe(vpcMac);
  },
);

test("a duplicate-address probe and a question for the ENI's own address are not answered", async () => {
  const ask = async (source: string, target: string) => {
    const args = ["--interface", "eth0", "--source", source, "--target", target, "--wait", "300"];
    return (await sendRaw(left, "neighbour-solicitation", ...args)).answer;
  };
  expect(await ask("::", "fd00:1::99")).toBeNull();
  expect(await ask("fd00:1::10", "fd00:1::10")).toBeNull();
  const own = ["--interface", "eth0", "--source", "10.0.1.10", "--target", "10.0.1.10", "--wait", "300"];
  expect((await sendRaw(left, "arp-request", ...own)).answer).toBeNull();
});

test("the machine's own addresses survive duplicate address detection", async () => {
  await inside(left, ["ip", "address", "add", "fd00:1::1d", "dev", "eth0"]);
  try {
    // The kernel's probe is sent once; a second later the address is valid, or failed.
    await expect
      .poll(async () => (await inside(left, ["ip", "-6", "-oneline", "address", "show", "dev", "eth0"])).stdout, { timeout: 5_000 })
      .not.toMatch(/tentative/);
    const { stdout } = await inside(left, ["ip", "-6", "-oneline", "address", "show", "dev", "eth0"]);
    expect(stdout).toContain("fd00:1::1d");
    expect(stdout).not.toContain("dadfailed");
  } finally {
    await inside(left, ["ip", "address", "del", "fd00:1::1d/128", "dev", "eth0"]);
  }
});

test("a source that does not belong to the ENI is dropped: another's address, an unassigned one, another MAC", async () => {
  const before = await dropped("wrong_source");
  const sources = await arrivedOnTheRight(async () => {
    await forged("--source", "10.0.1.20");
    await forged("--source", "10.0.1.99");
    await forged("--source", "10.0.1.10", "--source-mac", "00:16:3e:00:00:02");
  });
  expect(sources).toEqual(["10.0.1.10"]);
  expect((await dropped("wrong_source")) - before).toBe(3);
});

test("the same holds for IPv6", async () => {
  const before = await dropped("wrong_source");
  const sources = await arrivedOnTheRight(async () => {
    const args = ["--interface", "eth0", "--source", "fd00:1::99", "--destination", "fd00:1::20", "--port", String(port)];
    await sendRaw(left, "udp", ...args);
  }, "fd00:1::20");
  expect(sources).toEqual(["fd00:1::10"]);
  expect((await dropped("wrong_source")) - before).toBe(1);
});

test("broadcast, multicast and frames for another MAC than the VPC's are dropped", async () => {
  const before = { frames: await dropped("not_for_gateway"), packets: await dropped("not_unicast") };
  await forged("--source", "10.0.1.10", "--destination-mac", "ff:ff:ff:ff:ff:ff");
  await forged("--source", "10.0.1.10", "--destination-mac", "00:16:3e:00:00:02");
  const raw = ["udp", "--interface", "eth0", "--source", "10.0.1.10", "--port", String(port)];
  await sendRaw(left, ...raw, "--destination", "255.255.255.255");
  await sendRaw(left, ...raw, "--destination", "224.0.0.1");
  expect(await arrivedOnTheRight(async () => {})).toEqual(["10.0.1.10"]);
  // The stack's own multicast (router solicitations) may add to the first counter at any time.
  expect((await dropped("not_for_gateway")) - before.frames).toBeGreaterThanOrEqual(1);
  expect((await dropped("not_unicast")) - before.packets).toBe(2);
});

test("an unassigned address swallows packets: no answer, no unreachable", async () => {
  const outcomes = await probe(
    agent,
    left,
    ["10.0.1.77", "10.9.9.9", "fd00:1::77", "10.0.1.253"].map((addr) => ({ id: addr, proto: "udp", addr, timeoutMs: 300 })),
  );
  // An unreachable would come back as a refusal, at once.
  expect(outcomes.map((outcome) => outcome.error)).toEqual(["timeout", "timeout", "timeout", "timeout"]);
});

test("an address works from its assignment on and stops at its unassignment", async () => {
  await inside(right, ["ip", "address", "add", "10.0.1.21/32", "dev", "eth0"]);
  await inside(right, ["ip", "address", "add", "fd00:1::21/128", "dev", "eth0", "nodad"]);
  const ping = async () =>
    (
      await probe(agent, left, [
        { id: "4", proto: "icmp", addr: "10.0.1.21", timeoutMs: 300 },
        { id: "6", proto: "icmp", addr: "fd00:1::21", timeoutMs: 300 },
      ])
    ).map((outcome) => outcome.ok);
  const speak = async () => {
    const before = await dropped("wrong_source");
    const raw = ["udp", "--interface", "eth0", "--destination", "10.0.1.10", "--port", "9"];
    await sendRaw(right, ...raw, "--source", "10.0.1.21");
    return (await dropped("wrong_source")) === before;
  };
  expect([await ping(), await speak()]).toEqual([[false, false], false]);
  await fabric.assign("eni-test2", ["10.0.1.21", "fd00:1::21"]);
  expect([await ping(), await speak()]).toEqual([[true, true], true]);
  await fabric.unassign("eni-test2", ["10.0.1.21", "fd00:1::21"]);
  expect([await ping(), await speak()]).toEqual([[false, false], false]);
});

test("an attached ENI is there with its MAC when the attach returns, and gone when the detach returns", async () => {
  const secondary = eni(3, "left", { type: "Secondary" });
  await fabric.plug(secondary);
  expect(await links(left)).toContainEqual(expect.objectContaining({ ifname: "eth1", address: secondary.mac }));
  await fabric.plug(secondary);
  expect(await links(left)).toHaveLength(2);
  await fabric.unplug(secondary.eniId);
  expect((await links(left)).map((link) => link.ifname)).toEqual(["eth0"]);
  await fabric.unplug(secondary.eniId);
  const { stdout } = await inside(fabric.netns.path, ["sh", "-c", "ip route; ip -6 route; nft list ruleset"]);
  expect(stdout).not.toMatch(/10\.0\.1\.30|fd00:1::30/);
});

test("an ENI whose instance lost its namespace can be plugged in again", async () => {
  const lonely = eni(4, "lonely");
  await fabric.plug(lonely);
  await deleteNetNamespace(`tw-${id}-lonely`);
  await expect.poll(async () => (await links(fabric.netns.path)).length, { timeout: 5_000 }).toBe(2);
  const netns = await machine(lonely);
  const [outcome] = await probe(agent, netns, [{ id: "back", proto: "icmp", addr: "10.0.1.10" }]);
  expect(outcome?.ok).toBe(true);
  await fabric.removeHost("lonely");
});

test("the VPC's own services are reached by every machine, and nothing else of the VPC is", async () => {
  const outcomes = await probe(agent, left, [
    { id: "metadata", proto: "icmp", addr: "100.100.100.200" },
    { id: "openapi", proto: "icmp", addr: "100.100.0.10" },
    { id: "gateway", proto: "icmp", addr: "10.0.1.253", timeoutMs: 300 },
  ]);
  expect(outcomes.map((outcome) => outcome.ok)).toEqual([true, true, false]);
});
