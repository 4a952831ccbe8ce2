import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inNetNamespace, repositoryRoot, run, until } from "@terway/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ApiCluster } from "../../ts/policy/src/testing/api.ts";
import { PolicyWorld } from "./support/policy-world.ts";
import { TestNode } from "./support/test-node.ts";
import { script, within } from "./support/within.ts";

const agent = join(repositoryRoot, "dist/bin/lab-agent");
const denyAll = { podSelector: {}, policyTypes: ["Ingress", "Egress"] as ("Ingress" | "Egress")[] };
const policy = (name: string, spec: ApiCluster["policies"][number]["spec"], namespace = "x") => ({ metadata: { namespace, name }, spec });

describe("a node that enforces NetworkPolicy", () => {
  let world: PolicyWorld;
  beforeAll(async () => {
    world = await PolicyWorld.create();
  }, 120_000);
  afterAll(() => world?.close());

  const netnsOf = (key: string) => world.netnsOf(key);
  const podOf = (key: string) => world.podOf(key);
  const reaches = (from: string, to: string, port = 80) => world.reaches(netnsOf(from), to, port);
  const free = async () => {
    const { enis } = await world.node.mapping();
    return enis.flatMap(({ addresses }) => addresses.filter(({ state }) => state === "free").map(({ address }) => address));
  };

  /** Datagrams that a new pod of namespace x gets from x/a, which shoots at every address that it may have before it has one. */
  async function hitsOfNewPod(name: string, cluster: ApiCluster): Promise<number> {
    const pod = { namespace: "x", name, labels: { app: "new" }, ports: [], hostNetwork: false, finished: false };
    await world.settle({ ...cluster, pods: [...cluster.pods, { ...pod, addresses: [] }] });
    const { child: shooter } = await within(netnsOf("x/a"), [...script("shooter.ts"), ...(await free())]);
    const sandbox = await world.node.pod(name);
    const listener = await within(sandbox.netns, [agent, "listen", "--udp", "9", "--ms", "2500"]);
    world.pods.set(`x/${name}`, sandbox);
    await world.addAgain(`x/${name}`);
    const { value } = await listener.lines.next();
    shooter.kill();
    world.pods.delete(`x/${name}`);
    await world.node.end(sandbox);
    return z.object({ packets: z.number() }).parse(JSON.parse(String(value))).packets;
  }

  test("the first packet to a new pod is judged", async () => {
    const deny = policy("deny", { podSelector: { matchLabels: { app: "new" } } });
    // Without the policy many come: who shoots does shoot.
    expect(await hitsOfNewPod("open", world.cluster)).toBeGreaterThan(10);
    expect(await hitsOfNewPod("closed", { ...world.cluster, policies: [deny] })).toBe(0);
  });

  test("a daemon that is killed and comes back changes no verdict and breaks no connection", async () => {
    const cluster = {
      ...world.cluster,
      policies: [
        policy("from-a", {
          podSelector: { matchLabels: { app: "b" } },
          ingress: [{ from: [{ podSelector: { matchLabels: { app: "a" } } }] }],
        }),
      ],
    };
    await world.settle(cluster);
    const [address = ""] = podOf("x/b").addresses;
    const stream = await within(netnsOf("x/a"), [...script("steady-stream.ts"), address, "80"]);
    let [asked, wrong, over] = [0, 0, false];
    const asking = (async () => {
      while (!over) {
        asked += 1;
        const [allowed, denied] = await Promise.all([reaches("x/a", "x/b"), reaches("y/a", "x/b")]);
        if (allowed !== true || denied === true) wrong += 1;
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      await world.node.restart("SIGKILL");
      await world.addAgain("x/a");
    }
    over = true;
    await asking;
    stream.child.kill("SIGTERM");
    const { value } = await stream.lines.next();
    const { sent, received, problem } = z
      .object({ sent: z.number(), received: z.number(), problem: z.string().optional() })
      .parse(JSON.parse(String(value)));
    expect({ problem, wrong }).toEqual({ problem: undefined, wrong: 0 });
    expect(asked).toBeGreaterThan(3);
    expect(sent).toBeGreaterThan(500);
    expect(received).toBe(sent);
    expect((await world.measure(cluster)).filter(({ expected, passed }) => expected !== passed)).toEqual([]);
  });

  test("disable_network_policy lets everything pass at run time, and the policies come back with it", async () => {
    const path = join(world.node.directory, "eni/disable_network_policy");
    await world.settle({ ...world.cluster, policies: [policy("deny", denyAll)] });
    expect(await reaches("x/a", "x/b")).toBe(false);
    await writeFile(path, "true");
    await until("everything passes", 10_000, async () => (await reaches("x/a", "x/b")) === true);
    expect((await world.node.cli("show", "network_service")).stdout).toMatch(/network_policy +off/);
    await rm(path);
    await until("the policy is in force again", 10_000, async () => (await reaches("x/a", "x/b")) === false);
  });

  test("a policy that the API would refuse is named and stops no other one", async () => {
    const object = (name: string, spec: unknown) => ({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { namespace: "x", name },
      spec,
    });
    const bad = { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["192.168.0.0/16"] } }] }] };
    const path = join(world.node.directory, "objects/bad.json");
    await writeFile(path, JSON.stringify(object("bad", bad)));
    await world.settle({ ...world.cluster, policies: [policy("deny", denyAll)] });
    expect(await reaches("x/a", "x/b")).toBe(false);
    const told = world.node.log().filter(({ msg }) => String(msg).includes("x/bad is not enforced"));
    expect(told).toHaveLength(1);
    expect(String(told[0]?.msg)).toContain("except");
    await rm(path);
  });

  test("a hook that somebody took away is back within a moment", async () => {
    await world.settle({ ...world.cluster, policies: [policy("deny", denyAll)] });
    const { stdout } = await run(inNetNamespace(world.node.machine.netns, ["ip", "-br", "link", "show", "type", "veth"]));
    const hostEnd = /^(cali\S+?)@/m.exec(stdout)?.[1] ?? "";
    await run(inNetNamespace(world.node.machine.netns, ["tc", "qdisc", "del", "dev", hostEnd, "clsact"]));
    const filters = async () =>
      (await run(inNetNamespace(world.node.machine.netns, ["tc", "filter", "show", "dev", hostEnd, "ingress"]), { allow: [1, 2] })).stdout;
    await until("the hook is back", 2_000, async () => (await filters()).includes("terway_from_pod"));
    expect(await reaches("x/a", "x/b")).toBe(false);
  });
});

describe("a node that cannot enforce NetworkPolicy", () => {
  test.each([
    { why: "has no BPF file system", bpffs: false, under: [], reason: "is no BPF file system" },
    {
      why: "is refused bpf() by a seccomp filter",
      bpffs: true,
      under: [agent, "without-bpf"],
      reason: "a security module, a seccomp filter",
    },
  ])(
    "because it $why: gives pods their network and says so; a strict one gives none",
    { timeout: 120_000 },
    async ({ bpffs, under, reason }) => {
      const node = await TestNode.create({}, { bpffs });
      try {
        const daemon = await node.start({ under });
        const pod = await node.pod();
        await node.add(pod);
        expect(await node.pings(pod, node.machine.primary.ipv4)).toBe(true);
        const shown = [await node.cli("show", "network_service"), await node.cli("policy")].map(({ stdout }) => stdout);
        for (const text of shown) expect(text).toMatch(new RegExp(`not enforced: .*${reason}`));
        expect((await node.cli("events")).stdout).toContain("NetworkPolicy is not enforced on this node");
        expect(daemon.lines().some(({ msg }) => String(msg).includes("NetworkPolicy is not enforced on this node"))).toBe(true);
        expect((await node.get("/metrics")).text).toContain("terway_network_policy_enforced 0");
        await node.end(pod);
        await node.writeConf({ network_policy_enforcing_mode: "strict" });
        await daemon.stop();
        await node.start({ under });
        const refused = await node.pod();
        const answer = await node.cni("ADD", refused);
        expect(answer.output).toMatchObject({
          code: 11,
          msg: expect.stringContaining("the node is strict and cannot enforce NetworkPolicy"),
        });
        await node.end(refused);
      } finally {
        await node.destroy();
      }
    },
  );
});
