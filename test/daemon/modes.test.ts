import { spawnSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inNetNamespace, repositoryRoot, run } from "@terway/lab";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Daemon, TestNode } from "./support/test-node.ts";

let node: TestNode;
let daemon: Daemon | undefined;
const objects = () => join(node.directory, "objects");
const cniConf = () => join(node.directory, "eni/10-terway.conf");

beforeAll(async () => {
  node = await TestNode.create();
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  await node.writeConf();
  for (const path of [cniConf(), objects()]) await rm(path, { recursive: true, force: true });
  await mkdir(objects(), { recursive: true });
});
afterAll(() => node?.destroy());

const start = async () => {
  daemon = await node.start();
  return daemon;
};
const put = (name: string, value: unknown) => writeFile(join(objects(), `${name}.json`), JSON.stringify(value));
const putPod = (name: string, annotations: Record<string, string>) =>
  put(name, { apiVersion: "v1", kind: "Pod", metadata: { namespace: "test", name, annotations } });
const events = async () => (await node.cli("events")).stdout;
const shown = async () => (await node.cli("show", "network_service")).stdout;
/** What the probe of this run found; the test follows it. */
async function kernelHas(feature: string): Promise<boolean> {
  const cache = JSON.parse(await readFile(join(node.directory, "state/kernel.json"), "utf8")) as {
    features: Record<string, { available: boolean }>;
  };
  return cache.features[feature]?.available === true;
}

describe("what the node decides", () => {
  test("IPVlan is real IPvlan where the kernel has it, else veth with an event; 10-terway.conf wins over eni_conf and says so", async () => {
    await node.writeConf({ eniip_virtual_type: "PolicyRoute" });
    await writeFile(cniConf(), JSON.stringify({ type: "terway", eniip_virtual_type: "IPVlan" }));
    await start();
    const ipvlan = await kernelHas("ipvlan");
    expect(await shown()).toMatch(ipvlan ? /shared_mode\s+ipvlan/ : /shared_mode\s+policy_route/);
    expect(await events()).toContain("10-terway.conf counts");
    expect((await events()).includes("VirtualModeChanged")).toBe(!ipvlan);
    expect(await node.conflistText()).toMatchObject({ plugins: [{ eniip_virtual_type: ipvlan ? "ipvlan" : "veth" }] });
    const metrics = (await node.get("/metrics")).text;
    expect(metrics).toMatch(/terway_node_modes\{node="shared",shared="(ipvlan|policy_route)"/);
  });

  test("the label of exclusive ENIs does not flip a node under its pods, and counts when they are gone", async () => {
    await start();
    const pod = await node.pod();
    await node.add(pod);
    await daemon?.stop();
    await node.label({ "k8s.aliyun.com/exclusive-mode-eni-type": "eniOnly" });
    await start();
    expect(await shown()).toMatch(/node_mode\s+shared/);
    expect(await events()).toContain("drain it, then restart terwayd");
    await node.end(pod);
    await daemon?.stop();
    await start();
    expect(await shown()).toMatch(/node_mode\s+exclusive/);
    await daemon?.stop();
    await rm(join(objects(), "node.json"));
    await start();
    expect(await shown()).toMatch(/node_mode\s+shared/);
  });
});

const tokenBuckets = async (netns: string) => {
  const { stdout } = await run(inNetNamespace(netns, ["tc", "-j", "qdisc", "show"]));
  const qdiscs = z.array(z.object({ kind: z.string(), options: z.looseObject({ rate: z.number().optional() }) })).parse(JSON.parse(stdout));
  return qdiscs.flatMap(({ kind, options }) => (kind === "tbf" ? [options.rate] : []));
};

describe("what a pod's annotations ask for", () => {
  test("limits: the runtime's bits win over the annotation's bytes, direction by direction", async () => {
    await start();
    const pod = await node.pod("limited");
    await putPod("limited", { "k8s.aliyun.com/ingress-bandwidth": "1M", "k8s.aliyun.com/egress-bandwidth": "1M" });
    const added = await node.cni("ADD", pod, { conf: { runtimeConfig: { bandwidth: { egressRate: 80_000_000, egressBurst: 1 } } } });
    expect(added.exitCode).toBe(0);
    if (await kernelHas("tbf")) {
      expect(await tokenBuckets(pod.netns)).toEqual([10_000_000]);
      expect(await tokenBuckets(node.machine.netns)).toEqual([1024 ** 2]);
    } else expect(await events()).toContain("not in force");
    await node.end(pod);
    expect(await tokenBuckets(node.machine.netns)).toEqual([]);
  });

  test("classes that the kernel lacks are told once for the node, and pods run", async () => {
    await writeFile(cniConf(), JSON.stringify({ type: "terway", enable_network_priority: true }));
    await start();
    const prio = await kernelHas("prio");
    expect((await events()).includes("enable_network_priority is not available")).toBe(!prio);
    expect(await shown()).toMatch(new RegExp(`network_priority\\s+${prio}`));
    const pod = await node.pod("classed");
    await putPod("classed", { "k8s.aliyun.com/network-priority": "guaranteed" });
    await node.add(pod);
    await node.end(pod);
  });

  test("a bad one is named in an event, and the pod runs", async () => {
    await start();
    const pod = await node.pod("annotated");
    await putPod("annotated", { "k8s.aliyun.com/egress-bandwidth": "fast" });
    const address = await node.add(pod);
    expect(address).toMatch(/^10\./);
    expect(await events()).toMatch(/ParseFailed.*k8s\.aliyun\.com\/egress-bandwidth/);
    await node.end(pod);
  });
});

describe("refused at start", () => {
  test("VPC mode, naming what replaces it", async () => {
    const failed = await node.start({ unawaited: true, args: ["--daemon-mode", "VPC"] });
    expect(await failed.ended).toMatchObject({ code: 2 });
    expect(failed.log).toMatch(/VPC mode.*ENIMultiIP.*eniOnly/);
  });

  test("a kernel below 5.10, with its release", async () => {
    // The personality UNAME26 makes the kernel call itself 2.6.
    const older = spawnSync("setarch", ["--uname-2.6", "uname", "-r"], { encoding: "utf8" }).stdout;
    expect(older).toMatch(/^2\.6\./);
    const argv = ["setarch", "--uname-2.6", join(repositoryRoot, "dist/terwayd"), "--config", join(node.directory, "eni/eni_conf")];
    const more = ["--cni-conf", cniConf(), "--run-dir", join(node.directory, "run"), "--state-dir", join(node.directory, "state")];
    const { code, stdout, stderr } = await run(inNetNamespace(node.machine.netns, [...argv, ...more]), { allow: [1] });
    expect(code).toBe(1);
    expect(`${stdout}${stderr}`).toMatch(/2\.6\.\d+.*5\.10 or newer is needed/);
  });
});
