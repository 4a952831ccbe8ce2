import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { mergePatch, type Resource, read } from "@terway/kube";
import { ControlPlane, LabDirectory, repositoryRoot, run, until } from "@terway/lab";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { daemonAccess } from "../../ts/daemon/src/cluster/access.ts";
import { type Daemon, type Pod, TestNode } from "../daemon/support/test-node.ts";
import { configMaps, create, createConfigMap, createNamespace, nodes, pods, remove } from "./kube/objects.ts";

/** terwayd on a machine of a simulated VPC with a real API server beside it, with no more rights than the reference page names. */
let node: TestNode;
let plane: ControlPlane;
let kubeconfig: string;
let daemon: Daemon;
const user = "system:serviceaccount:kube-system:terway";

beforeAll(async () => {
  node = await TestNode.create();
  plane = await ControlPlane.start({
    lab: new LabDirectory(node.id),
    netns: node.machine.netns,
    address: await machineAddress(),
    agent: join(repositoryRoot, "dist/bin/lab-agent"),
  });
  kubeconfig = await plane.kubeconfig("terway", { user }, "vpc");
  await grant();
  await createNamespace(plane.client, "test");
  await create(plane.client, nodes, undefined, { metadata: { name: node.id } });
  await createConfigMap(plane.client, "kube-system", "eni-config", {
    eni_conf: await readFile(join(node.directory, "eni/eni_conf"), "utf8"),
    "10-terway.conf": JSON.stringify({ type: "terway", mtu: 1400 }),
  });
  daemon = await node.start({ kubeconfig });
});
afterAll(() => node?.destroy());

async function machineAddress(): Promise<string> {
  const { stdout } = await run(["ip", "-n", node.machine.netns.split("/").at(-1) ?? "", "-j", "-4", "address", "show", "dev", "eth0"]);
  const [link] = z.array(z.object({ addr_info: z.array(z.object({ local: z.string() })) })).parse(JSON.parse(stdout));
  return link?.addr_info[0]?.local ?? "";
}

const rbac = (plural: string, kind: string, namespaced: boolean): Resource => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  plural,
  kind,
  namespaced,
});

/** Exactly what the reference page says. */
async function grant(): Promise<void> {
  const apiGroup = "rbac.authorization.k8s.io";
  const subjects = [{ kind: "User", name: user, apiGroup }];
  for (const [index, { apiGroup: group, resource, verbs, namespace }] of daemonAccess.entries()) {
    const name = `terway-${index}`;
    const rules = [{ apiGroups: [group], resources: [resource], verbs }];
    const [role, binding] = namespace === undefined ? (["ClusterRole", "ClusterRoleBinding"] as const) : (["Role", "RoleBinding"] as const);
    const scoped = namespace !== undefined;
    await create(plane.client, rbac(`${role.toLowerCase()}s`, role, scoped), namespace, { metadata: { name }, rules });
    await create(plane.client, rbac(`${binding.toLowerCase()}s`, binding, scoped), namespace, {
      metadata: { name },
      subjects,
      roleRef: { apiGroup, kind: role, name },
    });
  }
}

const podSchema = z.object({ metadata: z.object({ uid: z.string(), annotations: z.record(z.string(), z.string()).default({}) }) });
const nodeSchema = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }),
  status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string(), reason: z.string() })).default([]) }),
});
const eventSchema = z.object({
  items: z.array(
    z.object({
      reason: z.string(),
      type: z.string(),
      message: z.string(),
      involvedObject: z.object({ kind: z.string(), name: z.string(), uid: z.string().optional() }),
    }),
  ),
});
const podObject = async (name: string) => podSchema.parse(await read(plane.client, { resource: pods, namespace: "test", name }));
const ownNode = async () => nodeSchema.parse(await read(plane.client, { resource: nodes, name: node.id }));
const eventsOf = async (kind: "Node" | "Pod", namespace: string) => {
  const answer = await plane.client.call({ method: "GET", path: `/api/v1/namespaces/${namespace}/events` });
  return eventSchema.parse(answer).items.filter(({ involvedObject }) => involvedObject.kind === kind);
};
const nodeEvent = (reason: string, words: string) =>
  until(`event ${reason}: ${words}`, 20_000, async () =>
    (await eventsOf("Node", "default")).some((event) => event.reason === reason && event.message.includes(words)),
  );

/** A pod of the API and a sandbox for it, which the runtime names with the pod's uid. */
async function apiPod(name: string, annotations: Record<string, string> = {}): Promise<{ pod: Pod; args: string; uid: string }> {
  const spec = { nodeName: node.id, containers: [{ name: "c", image: "registry.terway.test/none:1" }] };
  await create(plane.client, pods, "test", { metadata: { name, annotations }, spec });
  const { uid } = (await podObject(name)).metadata;
  const pod = await node.pod(name);
  return { pod, uid, args: `K8S_POD_NAMESPACE=test;K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=${pod.containerId};K8S_POD_UID=${uid}` };
}
const setConfig = (data: Record<string, string | null>) =>
  mergePatch(plane.client, { resource: configMaps, namespace: "kube-system", name: "eni-config" }, { data }, "test");
const eniConf = async (more: Record<string, unknown>) =>
  JSON.stringify({ ...(JSON.parse(await readFile(join(node.directory, "eni/eni_conf"), "utf8")) as object), ...more });
const label = (value: string | null) =>
  mergePatch(plane.client, { resource: nodes, name: node.id }, { metadata: { labels: { "terway-config": value } } }, "test");
const shown = async () => (await node.cli("show", "resource_pool")).stdout;

describe("a node", () => {
  test("is told to be usable, and how many pods it can carry", async () => {
    await until("the conditions are there", 20_000, async () =>
      (await ownNode()).status.conditions.some(({ type }) => type === "NetworkUnavailable"),
    );
    expect((await ownNode()).status.conditions).toEqual(
      expect.arrayContaining([
        { type: "SufficientIP", status: "True", reason: "SufficientIP" },
        { type: "NetworkUnavailable", status: "False", reason: "TerwayIsUp" },
      ]),
    );
    await until("the capacity is there", 20_000, async () => "k8s.aliyun.com/max-available-ip" in (await ownNode()).metadata.annotations);
    expect(Number((await ownNode()).metadata.annotations["k8s.aliyun.com/max-available-ip"])).toBeGreaterThan(0);
    expect(await node.conflistText()).toMatchObject({ plugins: [{ mtu: 1400 }] });
  });

  test("that is asked to reconcile does it, takes the annotation away and says what it found", async () => {
    const annotations = { "terway.aliyun.com/reconcile": "true" };
    await mergePatch(plane.client, { resource: nodes, name: node.id }, { metadata: { annotations } }, "test");
    await until("the annotation is gone", 20_000, async () => !("terway.aliyun.com/reconcile" in (await ownNode()).metadata.annotations));
    await nodeEvent("SyncOpenAPISuccess", "0 released, 0 repaired");
  });
});

describe("a pod", () => {
  test("gets its address, its annotation and its event; the API server is asked twice", async () => {
    const count = await requests();
    const { pod, args, uid } = await apiPod("web");
    const added = await node.cni("ADD", pod, { args });
    expect(added).toMatchObject({ exitCode: 0 });
    const [ip] = z.object({ ips: z.array(z.object({ address: z.string() })) }).parse(added.output).ips;
    const address = ip?.address.split("/")[0];
    await until(
      "the annotation is there",
      10_000,
      async () => (await podObject("web")).metadata.annotations["k8s.aliyun.com/pod-ips"] === address,
    );
    await until("the event is there", 10_000, async () => (await eventsOf("Pod", "test")).length > 0);
    expect(await eventsOf("Pod", "test")).toMatchObject([
      {
        reason: "AllocIPSucceed",
        type: "Normal",
        involvedObject: { name: "web", uid },
        message: expect.stringContaining(`${address} took`),
      },
    ]);
    const asked = (await requests()) - count;
    expect(asked).toBe(2);
    expect(await node.cni("DEL", pod, { args })).toMatchObject({ exitCode: 0 });
    await remove(plane.client, pods, "test", "web");
  });

  test("that asks to keep its address has it again under its name, in another sandbox and with another uid", async () => {
    const addressesOf = z.object({ ips: z.array(z.object({ address: z.string() })) });
    const addresses: unknown[] = [];
    for (const _ of [1, 2]) {
      const { pod, args } = await apiPod("db-0", { "k8s.aliyun.com/pod-ip-reservation": "true" });
      const added = await node.cni("ADD", pod, { args });
      addresses.push(addressesOf.parse(added.output).ips);
      const other = await apiPod(`other-${addresses.length}`);
      expect(await node.cni("ADD", other.pod, { args: other.args })).toMatchObject({ exitCode: 0 });
      for (const { pod: one, args: its } of [{ pod, args }, other])
        expect(await node.cni("DEL", one, { args: its })).toMatchObject({ exitCode: 0 });
      await plane.client.call({ method: "DELETE", path: "/api/v1/namespaces/test/pods/db-0", body: { gracePeriodSeconds: 0 } });
    }
    expect(addresses[1]).toEqual(addresses[0]);
  });

  test("that does not exist, or not any more, gets none and hears why", async () => {
    const pod = await node.pod("nobody");
    const answer = await node.cni("ADD", pod);
    expect(answer.output).toMatchObject({ code: 11, msg: expect.stringContaining("pod test/nobody") });
    expect(JSON.stringify(answer.output)).toContain("it was deleted");
  });
});

describe("configuration", () => {
  test("a change counts at once, what cannot waits for a restart and says so", async () => {
    await setConfig({ eni_conf: await eniConf({ min_pool_size: 1, max_pool_size: 3, ip_stack: "dual" }) });
    await until("the pool is reconfigured", 20_000, async () => /max_idle\s+3/.test(await shown()));
    await nodeEvent("ConfigError", "eni_conf: ip_stack: the change waits until terwayd is started again");
    expect((await node.cli("show", "network_service")).stdout).toMatch(/pending_restart\s+eni_conf: ip_stack/);
    await setConfig({ eni_conf: await eniConf({}), "10-terway.conf": JSON.stringify({ type: "terway", mtu: 1300 }) });
    await until("the conflist follows", 20_000, async () => JSON.stringify(await node.conflistText()).includes("1300"));
  });

  test.each([
    ["no JSON", async () => ({ eni_conf: '{"max_pool_size":' }), "ConfigMap kube-system/eni-config, eni_conf: line 1"],
    ["a wrong type", () => eniConf({ max_pool_size: "many" }).then((eni_conf) => ({ eni_conf })), "eni_conf: max_pool_size: "],
    [
      "an unknown vSwitch",
      () => eniConf({ vswitches: { [node.machine.zoneId]: ["vsw-nowhere"] } }).then((eni_conf) => ({ eni_conf })),
      `vswitches.${"{zone}"}[0]: vSwitch vsw-nowhere does not exist`,
    ],
  ])("%s: an event with path and reason; the last good one stays", async (_, data, words) => {
    await setConfig(await data());
    await nodeEvent("ConfigError", words.replace("{zone}", node.machine.zoneId));
    expect(await shown()).toMatch(/max_idle\s+5/);
    await setConfig({ eni_conf: await eniConf({}) });
  });

  test("a label names an override that is missing, then appears, then goes", async () => {
    await label("special");
    await nodeEvent("ConfigError", "ConfigMap kube-system/special: is missing, but the node's label terway-config names it");
    expect(await shown()).toMatch(/max_idle\s+5/);
    await createConfigMap(plane.client, "kube-system", "special", { eni_conf: JSON.stringify({ max_pool_size: 4 }) });
    await until("the override counts", 20_000, async () => /max_idle\s+4/.test(await shown()));
    await label(null);
    await until("the base counts again", 20_000, async () => /max_idle\s+5/.test(await shown()));
  });
});

test("while the API server is away: known pods get their sandboxes, a restarted daemon serves, nothing is released; and back", async () => {
  const first = await apiPod("first");
  const second = await apiPod("second");
  expect(await node.cni("ADD", first.pod, { args: first.args })).toMatchObject({ exitCode: 0 });
  await plane.stopApiServer();
  expect(await node.cni("ADD", second.pod, { args: second.args })).toMatchObject({ exitCode: 0 });
  await daemon.stop("SIGKILL");
  daemon = await node.start({ kubeconfig });
  expect(daemon.log).toContain("the last good one that this node has seen");
  expect((await node.mapping()).leases).toHaveLength(2);
  expect(await node.cni("DEL", second.pod, { args: second.args })).toMatchObject({ exitCode: 0 });
  await plane.startApiServer();
  const written = async () => "k8s.aliyun.com/pod-ips" in (await podObject("first")).metadata.annotations;
  await until("what was allocated is told", 60_000, written);
  expect(await node.cni("DEL", first.pod, { args: first.args })).toMatchObject({ exitCode: 0 });
});

/** Requests of pods and events that have been made, watches aside, as the API server counts them; those of this test are subtracted by their own kind. */
async function requests(): Promise<number> {
  const { body } = await plane.client.open({ method: "GET", path: "/metrics" });
  let text = "";
  for await (const part of body) text += Buffer.from(part).toString("utf8");
  const sum = (resource: string, verb: string) =>
    text
      .split("\n")
      .filter(
        (line) => line.startsWith("apiserver_request_total{") && line.includes(`resource="${resource}"`) && line.includes(`verb="${verb}"`),
      )
      .reduce((total, line) => total + Number(line.split(" ").at(-1)), 0);
  return sum("pods", "PATCH") + sum("events", "POST") + sum("events", "PATCH");
}
