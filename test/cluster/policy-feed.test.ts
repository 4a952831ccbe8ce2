import { mkdir, readFile, writeFile } from "node:fs/promises";
import { release } from "node:os";
import { dirname, join } from "node:path";
import { mergePatch, pathOf, type Resource, read } from "@terway/kube";
import { ControlPlane, defaultPlan, LabDirectory, probe, repositoryRoot, until } from "@terway/lab";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { serve } from "../../ts/lab/src/lab/group-matrix.ts";
import { netCounter } from "../daemon/support/net-counters.ts";
import { addressOf, type Pod, TestNode } from "../daemon/support/test-node.ts";
import { create, createConfigMap, createNamespace, nodes, pods } from "./kube/objects.ts";

/** Two nodes that know of each other's pods by a real API server alone; no kubelet reports any address. */
const agent = join(repositoryRoot, "dist/bin/lab-agent");
const policies: Resource = { apiVersion: "networking.k8s.io/v1", plural: "networkpolicies", kind: "NetworkPolicy", namespaced: true };
const samples = Number(process.env.TERWAY_TEST_SAMPLES ?? 20);
const record = process.env.TERWAY_TEST_RECORD;
/** Longer than TCP takes for four attempts, on a machine that stalls. */
const patienceMs = 20_000;
let first: TestNode;
let second: TestNode;
let plane: ControlPlane;
let server: string;
let started = 0;
const stops: (() => void)[] = [];

beforeAll(async () => {
  const { elsewhere: _, ...plan } = defaultPlan();
  const pool = { min_pool_size: 6, max_pool_size: 12 };
  first = await TestNode.create(pool, { bpffs: true, plan: { ...plan, delays: "fast" } });
  second = await first.beside(pool, { bpffs: true });
  plane = await ControlPlane.start({
    ...{ lab: new LabDirectory(first.id), netns: first.machine.netns, agent },
    address: first.machine.primary.ipv4,
  });
  const kubeconfig = await plane.kubeconfig("terway", { user: "terway", groups: ["system:masters"] }, "vpc");
  await createNamespace(plane.client, "test");
  for (const node of [first, second]) await create(plane.client, nodes, undefined, { metadata: { name: node.name } });
  // One vSwitch for each node's zone.
  const conf = JSON.parse(await readFile(join(first.directory, "eni/eni_conf"), "utf8")) as { vswitches: Record<string, string[]> };
  const { zoneId, vSwitchId } = second.machine;
  await createConfigMap(plane.client, "kube-system", "eni-config", {
    eni_conf: JSON.stringify({ ...conf, vswitches: { ...conf.vswitches, [zoneId]: [vSwitchId] } }),
    "10-terway.conf": JSON.stringify({ type: "terway" }),
  });
  await Promise.all([first, second].map((node) => node.start({ kubeconfig })));

  const { pod, address } = await start(second, "server");
  server = address;
  stops.push(await serve(agent, pod.netns, 80));
  const labelled = (app: string) => ({ podSelector: { matchLabels: { app } } });
  const spec = { ...labelled("server"), ingress: [{ from: [labelled("new")] }] };
  await create(plane.client, policies, "test", { metadata: { name: "admit-new" }, spec });
  const { pod: stranger } = await start(first, "stranger");
  await until("the server is isolated", 20_000, async () => (await ask(stranger, 500)).ok === false);
}, 180_000);
afterAll(async () => {
  for (const stop of stops) stop();
  await first?.destroy();
});

/** A pod in the API alone. Names are never used twice, also not by a second try. */
async function createObject(node: TestNode, app: string): Promise<string> {
  started += 1;
  const name = `${app}-${started}`;
  const spec = { nodeName: node.name, containers: [{ name: "c", image: "registry.terway.test/none:1" }] };
  await create(plane.client, pods, "test", { metadata: { name, labels: { app } }, spec });
  return name;
}

/** At once: no kubelet confirms the end of a pod here. */
function deleteObject(name: string): Promise<unknown> {
  return plane.client.call({ method: "DELETE", path: pathOf(pods, "test", name), body: { gracePeriodSeconds: 0 } });
}

/** A pod of the API on this node, with its network. */
async function start(node: TestNode, app: string): Promise<{ pod: Pod; address: string }> {
  const name = await createObject(node, app);
  const object = await read(plane.client, { resource: pods, namespace: "test", name });
  const { uid } = z.object({ metadata: z.object({ uid: z.string() }) }).parse(object).metadata;
  return sandbox(node, name, (id) => `K8S_POD_NAMESPACE=test;K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=${id};K8S_POD_UID=${uid}`);
}

async function sandbox(node: TestNode, name: string, args: (id: string) => string): Promise<{ pod: Pod; address: string }> {
  const pod = await node.pod(name);
  const answer = await node.cni("ADD", pod, { args: args(pod.containerId) });
  if (answer.exitCode !== 0) throw new Error(JSON.stringify(answer.output));
  return { pod, address: addressOf(answer) };
}

/** Its object goes first: who gets its address next must not be taken for it. What takes too long is asked for again, as runtimes do. */
async function end(node: TestNode, pod: Pod): Promise<void> {
  await deleteObject(pod.name);
  await until(`${pod.name} is detached`, 60_000, async () => (await node.cni("DEL", pod)).exitCode === 0);
  await node.removeNetns(pod);
}

/** One connection to the server. */
async function ask({ netns }: Pod, timeoutMs = patienceMs) {
  const [outcome] = await probe(agent, netns, [{ id: "one", proto: "tcp", addr: server, port: 80, timeoutMs }]);
  if (outcome === undefined) throw new Error("no outcome of the probe");
  return outcome;
}

/** Packets that the server's node dropped because it knew nobody of that address. */
async function unclassified(): Promise<number> {
  const { text } = await second.get("/metrics");
  const counts = [...text.matchAll(/^terway_policy_packets\{reason="unclassified"[^}]*\} (\d+)/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** SYNs that were sent again, and resets and unreachables that came back, in the pod's namespace. */
async function mishaps({ netns }: Pod) {
  const [again, resets, unreachable] = await Promise.all([
    netCounter(netns, "snmp", "Tcp", "RetransSegs"),
    netCounter(netns, "snmp", "Tcp", "EstabResets"),
    netCounter(netns, "snmp", "Icmp", "InDestUnreachs"),
  ]);
  return { again, refused: resets + unreachable };
}

test("a server admits a new pod of another node by its label: its address was published when it was allocated", {
  timeout: 60_000 + samples * 20_000,
}, async () => {
  const taken: number[] = [];
  let again = 0;
  const before = await unclassified();
  for (let sample = 0; sample < samples; sample += 1) {
    const { pod } = await start(first, "new");
    const outcome = await ask(pod);
    expect(outcome).toMatchObject({ ok: true });
    taken.push((outcome.rttUs ?? 0) / 1_000);
    const seen = await mishaps(pod);
    expect(seen.refused).toBe(0);
    again += seen.again;
    await end(first, pod);
  }
  const dropped = (await unclassified()) - before;
  const sorted = taken.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(samples * share) - 1] ?? 0;
  const summary = {
    samples,
    kernel: release(),
    medianMs: at(0.5),
    p99Ms: at(0.99),
    mostMs: at(1),
    synsSentAgain: again,
    unclassified: dropped,
  };
  console.log(JSON.stringify(summary));
  // How long it takes is judged by the long run alone: here other tests have the machine.
  if (record === undefined) return;
  expect(summary.p99Ms).toBeLessThanOrEqual(200);
  await mkdir(dirname(join(repositoryRoot, record)), { recursive: true });
  await writeFile(join(repositoryRoot, record), `${JSON.stringify(summary, null, 2)}\n`);
});

test("what comes before the server's node can know is dropped without a word, counted, and admitted as soon as it is known", async () => {
  const before = await unclassified();
  // The node gives it an address, and no object shows it.
  const { pod, address } = await sandbox(first, "early", () => "IgnoreUnknown=1");
  const asking = ask(pod);
  await until("the server's node has dropped its first packet", 20_000, async () => (await unclassified()) > before);
  const name = await createObject(first, "new");
  const status = { podIP: address, podIPs: [{ ip: address }] };
  await mergePatch(plane.client, { resource: pods, namespace: "test", name, subresource: "status" }, { status }, "test");
  expect(await asking).toMatchObject({ ok: true });
  const { again, refused } = await mishaps(pod);
  expect(again).toBeGreaterThan(0);
  expect(refused).toBe(0);
  await deleteObject(name);
});
