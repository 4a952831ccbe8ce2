import { type ClusterNode, inNetNamespace, probe, type RunningPod, run, until } from "@terway/lab";
import { exclusiveModeLabel } from "@terway/model";
import { afterEach, describe, expect, test } from "vitest";
import { useTwoNodes } from "./lab-fixture.ts";

/** Pods with an ENI each, under containerd, in a VPC that carries packets. */
describe("nodes with the label eniOnly", () => {
  const fixture = useTwoNodes({ [exclusiveModeLabel]: "eniOnly" });
  const running: { on: ClusterNode; pod: RunningPod }[] = [];

  afterEach(async () => {
    for (const { on, pod } of running.splice(0)) await on.removePod(pod);
  });

  /** A pod; again while ENIs of earlier ones rest or leave, as a kubelet does. */
  async function start(on: ClusterNode, name: string): Promise<RunningPod> {
    let pod: RunningPod | undefined;
    let refusal: unknown;
    await until(`${name} runs`, 90_000, async () => {
      pod = await on.runPod({ namespace: "default", name }).catch((error: unknown) => {
        refusal = error;
        return undefined;
      });
      return pod !== undefined;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${String(refusal)}`);
    });
    if (pod === undefined) throw new Error("no pod");
    running.push({ on, pod });
    return pod;
  }

  /** Who answered each address over TCP, and the address it saw; an address that did not answer is missing. */
  async function asked(netns: string, addresses: readonly string[], port?: number): Promise<(string | undefined)[]> {
    const probes = addresses.map((addr) => ({
      id: addr,
      proto: "tcp" as const,
      addr,
      timeoutMs: 3_000,
      ...(port === undefined ? {} : { port }),
    }));
    const outcomes = await probe(fixture().lab.agent, netns, probes);
    return outcomes.map(({ server }) => server?.client);
  }

  const inPod = (on: ClusterNode, pod: RunningPod) => on.node.path(pod.netns);
  const own = ({ primary }: { primary: { ipv4: string; ipv6: string } }) => [primary.ipv4, primary.ipv6];

  async function macs(netns: string): Promise<string[]> {
    const { stdout } = await run(inNetNamespace(netns, ["ip", "-j", "link"]));
    return (JSON.parse(stdout) as { address?: string }[]).flatMap(({ address }) => address ?? []);
  }

  async function macOf(on: ClusterNode, pod: RunningPod): Promise<string> {
    const { leases, enis } = await on.mapping();
    const lease = leases.find(({ id }) => id === `${pod.sandboxId}/eth0`);
    return enis.find(({ id }) => id === lease?.eniId)?.mac ?? "none";
  }

  test("pods reach each other across nodes and on one node as themselves, over both families, each through its own ENI", async () => {
    const [a, b] = fixture().nodes;
    const [one, two, far] = [await start(a, "one"), await start(a, "two"), await start(b, "far")];
    expect(new Set([await macOf(a, one), await macOf(a, two)]).size).toBe(2);
    expect(await asked(inPod(a, one), far.addresses)).toEqual(one.addresses);
    expect(await asked(inPod(b, far), one.addresses)).toEqual(far.addresses);
    expect(await asked(inPod(a, one), two.addresses)).toEqual(one.addresses);
    const { elsewhere } = fixture().lab.world;
    if (elsewhere === undefined) throw new Error("the lab has no host elsewhere");
    expect(await asked(inPod(a, one), own(elsewhere))).toEqual(one.addresses);
    for (const on of [a, b]) expect((await on.mapping()).mismatches).toEqual([]);
  });

  test("a pod and its own node reach each other through the pair, another node through the VPC", async () => {
    const [a, b] = fixture().nodes;
    const pod = await start(a, "near");
    expect(await asked(inPod(a, pod), own(a.machine))).toEqual(pod.addresses);
    expect(await asked(a.machine.netns, pod.addresses)).toEqual(own(a.machine));
    expect(await asked(inPod(a, pod), own(b.machine))).toEqual(pod.addresses);
    expect(await asked(b.machine.netns, pod.addresses)).toEqual(own(b.machine));
  });

  test("a Service address goes through the node, which translates it, to a pod of another node", async () => {
    const [a, b] = fixture().nodes;
    const [client, backend] = [await start(a, "client"), await start(b, "backend")];
    const [ipv4 = "", ipv6 = ""] = backend.addresses;
    const rules = `table inet test-service {
      chain pre {
        type nat hook prerouting priority dstnat;
        ip daddr 172.16.0.10 tcp dport 80 dnat ip to ${ipv4}:7
        ip6 daddr fd00:96::10 tcp dport 80 dnat ip6 to [${ipv6}]:7
      }
    }
`;
    await run(inNetNamespace(a.machine.netns, ["nft", "-f", "-"]), { input: rules });
    try {
      // The answer has to come back to the node that translated: it goes out with the node's address.
      expect(await asked(inPod(a, client), ["172.16.0.10", "fd00:96::10"], 80)).toEqual(own(a.machine));
    } finally {
      await run(inNetNamespace(a.machine.netns, ["nft", "delete", "table", "inet", "test-service"]));
    }
  });

  test("DEL brings the ENI back to the node, where the next pod takes it", async () => {
    const [a] = fixture().nodes;
    const pod = await start(a, "short");
    const mac = await macOf(a, pod);
    expect(await macs(a.machine.netns)).not.toContain(mac);
    await a.removePod(pod);
    running.splice(0);
    expect(await macs(a.machine.netns)).toContain(mac);
    expect((await a.mapping()).leases).toEqual([]);
  });

  test("a sandbox that died with its namespace, without DEL: the ENI is plugged in again and serves later pods", async () => {
    const [a, b] = fixture().nodes;
    const pod = await start(a, "killed");
    const mac = await macOf(a, pod);
    const netns = pod.netns.replace(/^\/var/, "");
    await a.node.run(["sh", "-c", `ip netns pids ${netns.split("/").at(-1)} | xargs -r kill -9; umount ${netns}; rm ${netns}`]);
    await until("the ENI is back on the node", 15_000, async () => (await macs(a.machine.netns)).includes(mac));
    await a.removePod(pod);
    running.splice(0);
    expect((await a.mapping()).leases).toEqual([]);
    // As many as the node has ENIs: that one is among them.
    const next = [await start(a, "next-0"), await start(a, "next-1"), await start(a, "next-2")];
    for (const one of next) expect(await asked(inPod(a, one), own(b.machine))).toEqual(one.addresses);
  });
});
