import { rm } from "node:fs/promises";
import { join } from "node:path";
import { inNetNamespace, run, until } from "@terway/lab";
import { exclusiveModeLabel, type Mapping } from "@terway/model";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { addressOf, type Daemon, type Pod, TestNode } from "./support/test-node.ts";

let node: TestNode;
let daemon: Daemon;

beforeAll(async () => {
  // Four adapters: the node's own, and ENIs for three pods.
  node = await TestNode.create({ ip_stack: "dual", service_cidr: "172.16.0.0/16", min_pool_size: 0, max_pool_size: 1 });
  await node.label({ [exclusiveModeLabel]: "eniOnly" });
  daemon = await node.start();
});
afterAll(() => node?.destroy());

const ours = (mapping: Mapping) => mapping.enis.filter((eni) => eni.ours && eni.status === "InUse");
const calls = async (action: string) => (await node.lab.cloud.counters())[action]?.calls ?? 0;

/** The links of a namespace by MAC. */
async function macs(netns: string): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await run(inNetNamespace(netns, ["ip", "-j", "link"]));
  const links = JSON.parse(stdout) as { ifname: string; address?: string }[];
  return new Map(links.map(({ ifname, address }) => [address ?? "", ifname]));
}

async function eniOf(pod: Pod): Promise<{ id: string; mac: string }> {
  const { leases, enis } = await node.mapping();
  const lease = leases.find((one) => one.id === `${pod.containerId}/${pod.ifName}`);
  const eni = enis.find((one) => one.id === lease?.eniId);
  if (eni === undefined) throw new Error(`no ENI of ${pod.name}`);
  return eni;
}

/** ADD that may meet ENIs that still rest; a runtime would come again. */
async function patientAdd(pod: Pod): Promise<string> {
  let address = "";
  await until(`${pod.name} has its ENI`, 60_000, async () => {
    address = addressOf(await node.cni("ADD", pod));
    return address !== "";
  });
  return address;
}

describe("a node whose pods have whole ENIs", () => {
  const running: Pod[] = [];
  const start = async (name?: string) => {
    const pod = await node.pod(name);
    running.push(pod);
    await patientAdd(pod);
    return pod;
  };
  afterEach(async () => {
    for (const pod of running.splice(0)) await node.end(pod);
    expect((await node.mapping()).leases).toEqual([]);
  });

  test("is ready before any ENI exists", async () => {
    expect(await node.exists(node.conflist)).toBe(true);
    expect(await calls("CreateNetworkInterface")).toBe(0);
    expect((await node.cni("STATUS")).exitCode).toBe(0);
  });

  test("ADD, CHECK, DEL: the ENI stands in the pod with its addresses, and comes back to the node", async () => {
    const pod = await node.pod();
    running.push(pod);
    const added = await node.cni("ADD", pod);
    const { mac } = await eniOf(pod);
    expect(added.output, daemon.log).toMatchObject({
      interfaces: [{ name: expect.stringMatching(/^cali/) }, { name: "eth0", mac, sandbox: pod.netns }],
      ips: [{ address: expect.stringMatching(/^10\.0\.1\.\d+\/24$/), gateway: "10.0.1.253" }, {}],
      routes: [{ dst: "0.0.0.0/0", gw: "10.0.1.253" }, { dst: "::/0" }],
    });
    expect((await macs(pod.netns)).get(mac)).toBe("eth0");
    expect((await macs(node.machine.netns)).has(mac)).toBe(false);
    expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(true);
    expect(await node.pings(pod, node.machine.primary.ipv6)).toBe(true);
    expect(await node.cni("CHECK", pod, { conf: { prevResult: added.output } })).toMatchObject({ exitCode: 0, output: undefined });
    expect(await node.cni("DEL", pod)).toMatchObject({ exitCode: 0 });
    expect((await macs(node.machine.netns)).has(mac)).toBe(true);
    expect((await macs(pod.netns)).has(mac)).toBe(false);
  });

  test("an ENI that has rested is given to the next pod as it is, with no call to the cloud", async () => {
    const first = await start();
    await node.end(first);
    running.splice(0);
    const rested = async () => ours(await node.mapping()).filter(({ addresses }) => addresses[0]?.state === "free");
    await until("all have rested", 20_000, async () => (await rested()).length === ours(await node.mapping()).length);
    const there = (await rested()).map(({ id }) => id);
    const created = await calls("CreateNetworkInterface");
    const second = await start();
    expect(there).toContain((await eniOf(second)).id);
    expect(await calls("CreateNetworkInterface")).toBe(created);
    expect(await node.pings(second, node.machine.primary.ipv4)).toBe(true);
  });

  test("each pod has another ENI, pods reach each other through the VPC, and the node is full when its ENIs are", async () => {
    const [a, b, c] = [await start(), await start(), await start()];
    const enis = [await eniOf(a), await eniOf(b), await eniOf(c)];
    expect(new Set(enis.map(({ id }) => id)).size).toBe(3);
    const addresses = (await node.mapping()).leases.find((one) => one.id.startsWith(b.containerId))?.addresses ?? [];
    expect(addresses).toHaveLength(2);
    for (const target of addresses) expect(await node.pings(a, target)).toBe(true);
    const one = await node.pod();
    const refused = await node.cni("ADD", one);
    expect(refused).toMatchObject({ exitCode: 1, output: { msg: expect.stringMatching(/3 ENIs, one for each pod/) } });
    await node.removeNetns(one);
    // Full is not broken: the node stays ready.
    expect((await node.cni("STATUS")).exitCode).toBe(0);
  });

  test("the same ADD twice, also at the same instant: one ENI (I8)", async () => {
    const pod = await node.pod();
    running.push(pod);
    const together = await Promise.all([node.cni("ADD", pod), node.cni("ADD", pod)]);
    const again = await node.cni("ADD", pod);
    for (const answer of together) expect(answer.output).toEqual(again.output);
    expect((await node.mapping()).leases).toHaveLength(1);
  });

  test("a namespace that is gone before DEL: the ENI comes back and serves the next pod", async () => {
    const pod = await start();
    const { id, mac } = await eniOf(pod);
    await node.removeNetns(pod);
    running.splice(0);
    expect((await node.cni("DEL", pod)).exitCode).toBe(0);
    await until("the ENI is back", 10_000, async () => (await macs(node.machine.netns)).has(mac));
    let next = await start();
    while ((await eniOf(next)).id !== id) next = await start();
    expect(await node.pings(next, node.machine.primary.ipv4)).toBe(true);
  });

  test("kill -9: pods keep their packets, CHECK and DEL work afterwards (I6, I14)", async () => {
    const pod = await node.pod();
    running.push(pod);
    const added = await node.cni("ADD", pod);
    const ping = run(inNetNamespace(pod.netns, ["ping", "-i", "0.05", "-c", "60", "-W", "1", node.machine.primary.ipv4]));
    daemon = await node.restart("SIGKILL");
    expect((await ping).stdout).toContain(" 0% packet loss");
    expect((await node.cni("ADD", pod)).output).toEqual(added.output);
    expect(await node.cni("CHECK", pod, { conf: { prevResult: added.output } })).toMatchObject({ exitCode: 0 });
  });

  test.each(["allocate.journaled", "add.attached", "del.begun", "del.detached"])(
    "killed at %s: nothing is lost or given twice",
    async (step) => {
      const pod = await node.pod();
      await daemon.stop();
      daemon = await node.start({ env: { TERWAY_FAILPOINT: step } });
      if (step.startsWith("del.")) await patientAdd(pod);
      const call = node.cni(step.startsWith("del.") ? "DEL" : "ADD", pod);
      expect(await daemon.ended).toMatchObject({ signal: "SIGKILL" });
      daemon = await node.start();
      await call;
      const mine = (mapping: Mapping) => mapping.leases.filter(({ id }) => id.startsWith(pod.containerId));
      if (step.startsWith("del.")) {
        expect((await node.cni("DEL", pod)).exitCode).toBe(0);
        expect(mine(await node.mapping())).toEqual([]);
        await node.removeNetns(pod);
        return;
      }
      await patientAdd(pod);
      running.push(pod);
      expect(mine(await node.mapping())).toHaveLength(1);
      expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(true);
    },
  );

  test("GC takes the ENI of a sandbox that the runtime does not know", async () => {
    const [kept, lost] = [await start(), await start()];
    const { mac } = await eniOf(lost);
    const valid = [{ containerID: kept.containerId, ifname: "eth0" }];
    expect(await node.cni("GC", undefined, { conf: { "cni.dev/valid-attachments": valid } })).toMatchObject({ exitCode: 0 });
    expect((await macs(node.machine.netns)).has(mac)).toBe(true);
    expect((await node.mapping()).leases).toHaveLength(1);
    expect(await node.pings(kept, node.machine.primary.ipv4)).toBe(true);
  });

  test("without a host peer nothing of the pod stands on the node, and a restart does not take it for dead", async () => {
    const pod = await node.pod();
    running.push(pod);
    const added = await node.cni("ADD", pod, { conf: { disable_host_peer: true } });
    expect(added.output, daemon.log).toMatchObject({ interfaces: [{ name: "eth0", sandbox: pod.netns }], ips: [{ interface: 0 }, {}] });
    const { stdout } = await run(inNetNamespace(node.machine.netns, ["ip", "-o", "link"]));
    expect(stdout).not.toContain(" cali");
    // Through the VPC, in which the node is one more host.
    expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(true);
    daemon = await node.restart("SIGKILL");
    expect((await node.mapping()).leases).toHaveLength(1);
    expect(await node.cni("CHECK", pod, { conf: { prevResult: added.output } })).toMatchObject({ exitCode: 0 });
  });

  test.each([false, true])(
    "a lost journal: the ENI of a pod is not given again (disable_host_peer: %s; I1, I4)",
    async (disableHostPeer) => {
      const pod = await node.pod();
      running.push(pod);
      await until("it has its ENI", 60_000, async () => {
        const answer = await node.cni("ADD", pod, { conf: { disable_host_peer: disableHostPeer } });
        return answer.exitCode === 0;
      });
      const { mac } = await eniOf(pod);
      await daemon.stop("SIGKILL");
      await rm(join(node.directory, "state/journal"));
      daemon = await node.start();
      const other = await start();
      expect((await eniOf(other)).mac).not.toBe(mac);
      for (const one of [pod, other]) expect(await node.pings(one, node.machine.primary.ipv4)).toBe(true);
      // The runtime knows the sandbox still; its DEL brings the ENI back.
      expect((await node.cni("DEL", pod)).exitCode).toBe(0);
      expect((await macs(node.machine.netns)).has(mac)).toBe(true);
    },
  );

  test("terway-cli and metrics count ENIs, and cloud, journal and kernel agree", async () => {
    const pod = await start();
    const mapping = await node.cli("mapping");
    expect(mapping, mapping.stdout).toMatchObject({ code: 0 });
    expect(mapping.stdout).toMatch(new RegExp(` +used +test/${pod.name} +present +ok`));
    const shown = (await node.cli("show", "resource_pool")).stdout;
    expect(shown).toMatch(/unit +ENIs\n/);
    expect(shown).toMatch(/capacity +3\n/);
    expect(shown).toMatch(/used +1\n/);
    expect((await node.get("/metrics")).text).toMatch(/terway_resource_pool_allocated_count\{type="ENI",ipStack="dual"\} 1\n/);
  });

  test("ENIs beyond the maximum go back to the cloud when they have rested (I10)", async () => {
    const pods = [await start(), await start(), await start()];
    for (const pod of pods) await node.end(pod);
    running.splice(0);
    await until("one ENI is left", 60_000, async () => {
      const { enis } = await node.lab.cloud.state();
      return enis.filter((eni) => eni.type === "Secondary").length === 1;
    });
    expect(await node.lab.cloud.violations()).toEqual([]);
  });
});

test("a label that changes under live pods is not followed, and says so; without pods it is", { tags: ["long"] }, async () => {
  const pod = await node.pod();
  await patientAdd(pod);
  const { mac } = await eniOf(pod);
  await node.label({});
  daemon = await node.restart("SIGTERM");
  expect(daemon.log).toMatch(/asks for shared ENIs, but pods of this node run an ENI for each pod/);
  const other = await node.pod();
  await patientAdd(other);
  expect((await eniOf(other)).mac).not.toBe(mac);
  for (const one of [pod, other]) await node.end(one);
  daemon = await node.restart("SIGTERM");
  const [a, b] = [await node.pod(), await node.pod()];
  for (const one of [a, b]) await patientAdd(one);
  for (const one of [a, b]) expect((await macs(node.machine.netns)).has((await eniOf(one)).mac), "its ENI stays on the node").toBe(true);
  expect(await node.pings(a, node.machine.primary.ipv4)).toBe(true);
  for (const one of [a, b]) await node.end(one);
});
