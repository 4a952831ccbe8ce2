import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "@terway/lab";
import { exclusiveModeLabel } from "@terway/model";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Pod, TestNode } from "./support/test-node.ts";

/** A node whose pods own their devices: whoever has NET_ADMIN there could take the hooks away. */
let node: TestNode;
beforeAll(async () => {
  node = await TestNode.create({ min_pool_size: 0, max_pool_size: 1 }, { bpffs: true });
  await node.label({ [exclusiveModeLabel]: "eniOnly" });
  await write("plain", {});
  await write("admin", { capabilities: { add: ["NET_ADMIN"] } });
  await write("root", { privileged: true });
  await node.start();
});
afterAll(() => node?.destroy());

async function write(name: string, securityContext: Record<string, unknown>): Promise<void> {
  const object = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "test", name },
    spec: { nodeName: node.name, containers: [{ name: "main", securityContext }] },
  };
  await writeFile(join(node.directory, `objects/pod-${name}.json`), JSON.stringify(object));
}

/** ADD as a runtime that comes again while there is no ENI; the last answer. */
async function add(name: string): Promise<{ pod: Pod; message: string }> {
  const pod = await node.pod(name);
  const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=test;K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=${pod.containerId}`;
  let message = "";
  await until(`ADD of ${name} is decided`, 60_000, async () => {
    const answer = await node.cni("ADD", pod, { args });
    message = answer.exitCode === 0 ? "" : String(answer.output?.msg);
    return message === "" || message.includes("NET_ADMIN");
  });
  return { pod, message };
}

const escapable = async () => /^terway_policy_escapable_pods (\d+)$/m.exec((await node.get("/metrics")).text)?.[1];

test("a standard node gives them their network and names them", async () => {
  const { pod: plain, message: none } = await add("plain");
  expect([none, await escapable()]).toEqual(["", "0"]);
  const { pod, message } = await add("admin");
  expect([message, await escapable()]).toEqual(["", "1"]);
  expect((await node.cli("policy")).stdout).toContain("test/admin");
  expect((await node.cli("show", "network_service")).stdout).toMatch(/network_policy +enforced: .*NET_ADMIN.*test\/admin/);
  for (const one of [plain, pod]) await node.end(one);
  expect(await escapable()).toBe("0");
});

test("a strict node refuses them, and no other pod", async () => {
  await node.writeConf({ min_pool_size: 0, max_pool_size: 1, network_policy_enforcing_mode: "strict" });
  await node.restart("SIGTERM");
  for (const name of ["admin", "root"]) {
    const { pod, message } = await add(name);
    expect(message).toMatch(new RegExp(`^test/${name} gets no network: its device is its own \\(mode exclusive\\)`));
    await node.end(pod);
  }
  const { pod, message } = await add("plain");
  expect(message).toBe("");
  await node.end(pod);
});
