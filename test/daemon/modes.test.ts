import { spawnSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inNetNamespace, repositoryRoot, run } from "@terway/lab";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Daemon, TestNode } from "./support/test-node.ts";

let node: TestNode;
let daemon: Daemon | undefined;
const objects = () => join(node.directory, "objects");
const cniConf = () => join(node.directory, "eni/10-terway.conf");

beforeAll(async () => {
  node = await TestNode.create();
  await mkdir(objects());
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  await node.writeConf();
  for (const path of [cniConf(), objects()]) await rm(path, { recursive: true, force: true });
  await mkdir(objects());
});
afterAll(() => node?.destroy());

const start = async () => {
  daemon = await node.start({ args: ["--objects", objects()] });
  return daemon;
};
const put = (name: string, value: unknown) => writeFile(join(objects(), `${name}.json`), JSON.stringify(value));
const putNode = (labels: Record<string, string>) => put("node", { apiVersion: "v1", kind: "Node", metadata: { name: node.id, labels } });
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
    await putNode({ "k8s.aliyun.com/exclusive-mode-eni-type": "eniOnly" });
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

describe("what a pod's annotations ask for", () => {
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
