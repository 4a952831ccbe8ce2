import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { mergePatch } from "@terway/kube";
import { ControlPlane, LabDirectory, repositoryRoot, run, until } from "@terway/lab";
import { cloudErrorEntry } from "@terway/model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Daemon, TestNode } from "../daemon/support/test-node.ts";
import { configMaps, create, createConfigMap, createNamespace, nodes, pods } from "./kube/objects.ts";

/** What `kubectl describe` shows of each failure that the documents for users speak of: its reason, and what to do next. */
let node: TestNode;
let plane: ControlPlane;
let kubeconfig: string;
let daemon: Daemon | undefined;
let number = 0;

beforeAll(async () => {
  node = await TestNode.create();
  const machine = node.machine.netns.split("/").at(-1) ?? "";
  const { stdout } = await run(["ip", "-n", machine, "-j", "-4", "address", "show", "dev", "eth0"]);
  const [link] = z.array(z.object({ addr_info: z.array(z.object({ local: z.string() })) })).parse(JSON.parse(stdout));
  const address = link?.addr_info[0]?.local ?? "";
  const agent = join(repositoryRoot, "dist/bin/lab-agent");
  plane = await ControlPlane.start({ lab: new LabDirectory(node.id), netns: node.machine.netns, address, agent });
  kubeconfig = await plane.kubeconfig("terway", { user: "terway", groups: ["system:masters"] }, "vpc");
  await createNamespace(plane.client, "test");
  await create(plane.client, nodes, undefined, { metadata: { name: node.id } });
  await createConfigMap(plane.client, "kube-system", "eni-config", { eni_conf: await conf() });
});
afterAll(() => node?.destroy());

async function conf(more: Record<string, unknown> = {}): Promise<string> {
  return JSON.stringify({ ...(JSON.parse(await readFile(join(node.directory, "eni/eni_conf"), "utf8")) as object), ...more });
}
const setConf = (eniConf: string) =>
  mergePatch(plane.client, { resource: configMaps, namespace: "kube-system", name: "eni-config" }, { data: { eni_conf: eniConf } }, "test");
const kubectlDescribe = async (...args: string[]) =>
  (await run([plane.program("kubectl"), "--kubeconfig", plane.admin, "describe", ...args])).stdout.replace(/\s+/g, " ");
const fault = (action: string, code: string) => () =>
  node.lab.cloud.command("setFault", { id: "describe", match: { action }, effect: { type: "error", code, status: 403 } });
const edit = (more: () => Record<string, unknown>) => async () => setConf(await conf(more()));

/** A node without an ENI, journal and faults, and a daemon that finds what `cause` made. */
async function beginAnew(cause: () => Promise<unknown>): Promise<void> {
  await daemon?.stop();
  await rm(`${node.directory}/state`, { recursive: true, force: true });
  await rm(node.conflist, { force: true });
  for (const eni of (await node.lab.cloud.state()).enis) {
    if (eni.type === "Secondary") await node.lab.cloud.command("vanishEni", { id: eni.id });
  }
  await node.lab.cloud.command("clearFaults", {});
  await setConf(await conf());
  await cause();
  daemon = await node.start({ kubeconfig, unawaited: true });
  await until("the daemon answers", 60_000, async () => (await node.get("/healthz")).status === 200);
}

/** A pod whose ADD fails. */
async function failingPod(): Promise<{ name: string; add: () => Promise<number> }> {
  number += 1;
  const name = `pod-${number}`;
  const spec = { nodeName: node.id, containers: [{ name: "c", image: "registry.terway.test/none:1" }] };
  const created = await create(plane.client, pods, "test", { metadata: { name }, spec });
  const { uid } = z.object({ metadata: z.object({ uid: z.string() }) }).parse(created).metadata;
  const pod = await node.pod(name);
  const args = `K8S_POD_NAMESPACE=test;K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=${pod.containerId};K8S_POD_UID=${uid}`;
  return { name, add: async () => (await node.cni("ADD", pod, { args })).exitCode };
}

describe("of a pod that gets no address, and of its node", () => {
  test.each([
    ["unknown access key", "InvalidAccessKeyId.NotFound", edit(() => ({ access_key: "LTAInobody" }))],
    ["wrong secret", "SignatureDoesNotMatch", edit(() => ({ access_secret: "wrong" }))],
    ["missing RAM permission", "Forbidden.RAM", fault("CreateNetworkInterface", "Forbidden.RAM")],
    ["unknown security group", "InvalidSecurityGroupId.NotFound", edit(() => ({ security_group: "sg-nowhere" }))],
    ["ENI quota", "MaxEniCountExceeded", fault("CreateNetworkInterface", "MaxEniCountExceeded")],
    ["ENIs of the instance", "EniPerInstanceLimitExceeded", fault("AttachNetworkInterface", "EniPerInstanceLimitExceeded")],
    ["vSwitch without addresses", "InvalidVSwitchId.IpNotEnough", fault("CreateNetworkInterface", "InvalidVSwitchId.IpNotEnough")],
    ["unknown vSwitch", "InvalidVSwitchId.NotFound", edit(() => ({ vswitches: { [node.machine.zoneId]: ["vsw-nowhere"] } }))],
  ])("%s: %s and what to do", { timeout: 120_000 }, async (_, code, cause) => {
    const next = cloudErrorEntry(code)?.next;
    expect(next, "the catalogue knows the code").toBeDefined();
    await beginAnew(cause);
    const { name, add } = await failingPod();
    await until("describe pod shows reason and next step", 90_000, async () => {
      expect(await add()).toBe(1);
      const shown = await kubectlDescribe("pod", "-n", "test", name);
      return shown.includes("AllocIPFailed") && shown.toLowerCase().includes(code.toLowerCase()) && shown.includes(next ?? "");
    });
    await until("describe node shows it", 60_000, async () =>
      (await kubectlDescribe("node", node.id)).toLowerCase().includes(code.toLowerCase()),
    );
  });

  test("a configuration that cannot be read: ConfigError with the place, and the last good one stays in force", {
    timeout: 120_000,
  }, async () => {
    await beginAnew(async () => {});
    if (daemon !== undefined) await node.ready(daemon);
    await setConf('{ "max_pool_size": "many" }');
    await until("describe node shows it", 30_000, async () =>
      /ConfigError.*eni_conf.*max_pool_size/.test(await kubectlDescribe("node", node.id)),
    );
    const { add } = await failingPod();
    expect(await add()).toBe(0);
  });
});
