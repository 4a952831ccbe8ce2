import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { defaultPlan, inNetNamespace, LabDirectory, type ProcessRecord, run, signal, until, waitForEnd } from "@terway/lab";
import { z } from "zod";
import { type Daemon, type Pod, TestNode } from "../../test/daemon/support/test-node.ts";
import { describeMachine, type Machine } from "../machine.ts";

export interface MemoryOptions {
  /** Pods of the node itself, with links, addresses and verdict programs in the kernel. */
  readonly nodePods: number;
  /** Pods of the rest of the cluster, a point of the curve for each. */
  readonly clusterPods: readonly number[];
  readonly policies: number;
  /** Pods of the cluster that change in a second while it is measured. */
  readonly changesPerSecond: number;
  readonly churnMs: number;
}

export const fullOptions: MemoryOptions = {
  nodePods: 250,
  clusterPods: [0, 10_000, 25_000, 50_000],
  policies: 1000,
  changesPerSecond: 50,
  churnMs: 30_000,
};
/** Shows that it runs; its figures say nothing. */
export const smokeOptions: MemoryOptions = { nodePods: 4, clusterPods: [100], policies: 10, changesPerSecond: 20, churnMs: 1_000 };

export interface MemoryPoint {
  readonly clusterPods: number;
  /** From the process's start until it calls itself ready, with the journal of the pods that run. */
  readonly readyMs: number;
  /** Processor time of the process until then, user and system: what does not depend on the machine's other load. */
  readonly readyCpuMs: number;
  /** Resident, at the worst moment since the start. */
  readonly peakMiB: number;
  /** Resident, at the end of the churn. */
  readonly restMiB: number;
  /** Of JavaScript objects, at the end of the churn. */
  readonly heapMiB: number;
}

export interface MemoryResult {
  readonly bench: "memory";
  readonly version: 1;
  readonly machine: Machine;
  readonly options: MemoryOptions;
  readonly points: readonly MemoryPoint[];
}

const port = 8001;
const server = fileURLToPath(new URL("./api-server.ts", import.meta.url));
const clusterKinds = ["pods", "namespaces", "networkpolicies"] as const;

/** One daemon after the other on a node full of pods, before API servers of growing clusters. */
export async function runMemory(options: MemoryOptions, say: (line: string) => void): Promise<MemoryResult> {
  const plan = defaultPlan();
  const { elsewhere: _, ...rest } = plan;
  const nodes = plan.nodes.slice(0, 1).map((machine) => ({ ...machine, instanceType: "ecs.g7.32xlarge" }));
  const vSwitches = plan.vSwitches.map((one) => (one.name === "a" ? { ...one, cidr: "10.0.16.0/20" } : one));
  const conf = { max_pool_size: 20, min_pool_size: 10, ip_pool_sync_period: "120s" };
  const node = await TestNode.create(conf, { bpffs: true, plan: { ...rest, vSwitches, nodes, delays: "fast" } });
  const pods: Pod[] = [];
  try {
    const points: MemoryPoint[] = [];
    for (const clusterPods of options.clusterPods) {
      const api = await startServer(node, options, clusterPods);
      const point = await measure(node, options, clusterPods, pods, say);
      points.push(point);
      say(`${clusterPods} pods in the cluster: peak ${point.peakMiB.toFixed(0)} MiB, ready after ${point.readyMs.toFixed(0)} ms`);
      await signal(api, "SIGTERM");
      await waitForEnd(api, 5_000);
    }
    return { bench: "memory", version: 1, machine: describeMachine(), options, points };
  } finally {
    for (const pod of pods) await node.removeNetns(pod).catch(() => {});
    await node.destroy();
  }
}

async function measure(
  node: TestNode,
  options: MemoryOptions,
  clusterPods: number,
  pods: Pod[],
  say: (line: string) => void,
): Promise<MemoryPoint> {
  const kubeconfig = join(node.directory, "kubeconfig");
  const started = performance.now();
  const daemon = await node.start({ kubeconfig, unawaited: true });
  await node.ready(daemon);
  const readyMs = performance.now() - started;
  const readyCpuMs = await processorMs(daemon);
  if (pods.length < options.nodePods) say(`${options.nodePods} pods for the node`);
  while (pods.length < options.nodePods) {
    const pod = await node.pod(`own-${pods.length}`);
    pods.push(pod);
    await node.add(pod);
  }
  await until("the daemon has heard the whole cluster", 600_000, async () => {
    const listed = z
      .record(z.string(), z.number())
      .parse(JSON.parse(await inMachine(node, ["curl", "-s", `http://127.0.0.1:${port}/listed`])));
    return clusterKinds.every((kind) => (listed[kind] ?? 0) > 0);
  });
  await sleep(options.churnMs);
  const metrics = (await node.get("/metrics")).text;
  const [, heap = "0"] = /^nodejs_heap_size_used_bytes (\S+)/m.exec(metrics) ?? [];
  const { peakMiB, restMiB } = await memoryOf(daemon);
  await daemon.stop();
  return { clusterPods, readyMs, readyCpuMs, peakMiB, restMiB, heapMiB: Number(heap) / 2 ** 20 };
}

async function startServer(
  node: TestNode,
  { nodePods, policies, changesPerSecond }: MemoryOptions,
  clusterPods: number,
): Promise<ProcessRecord> {
  const eniConf = await readFile(join(node.directory, "eni/eni_conf"), "utf8");
  const sizes = { port, "own-pods": nodePods, pods: clusterPods, policies, changes: changesPerSecond };
  const args = Object.entries(sizes).map(([name, value]) => `--${name}=${value}`);
  const lab = new LabDirectory(node.id);
  const argv = [process.execPath, server, `--node=${node.name}`, `--eni-conf=${eniConf}`, ...args];
  const record = await lab.start("api-server", inNetNamespace(node.machine.netns, argv));
  await until(
    "the API server listens",
    20_000,
    async () => (await inMachine(node, ["curl", "-s", `http://127.0.0.1:${port}/listed`]).catch(() => "")) !== "",
  );
  const cluster = { name: "c", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } };
  const context = { name: "c", context: { cluster: "c", user: "u" } };
  const kubeconfig = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [cluster],
    users: [{ name: "u", user: {} }],
    contexts: [context],
    "current-context": "c",
  };
  await writeFile(join(node.directory, "kubeconfig"), JSON.stringify(kubeconfig));
  return record;
}

async function inMachine(node: TestNode, argv: readonly string[]): Promise<string> {
  return (await run(inNetNamespace(node.machine.netns, argv))).stdout;
}

/** In ticks of the kernel's clock for user space, which is 100 a second on every architecture. */
async function processorMs({ child }: Daemon): Promise<number> {
  const stat = await readFile(`/proc/${child.pid}/stat`, "utf8");
  // Behind the name, which may hold anything; utime and stime are fields 14 and 15 (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

async function memoryOf({ child }: Daemon): Promise<{ peakMiB: number; restMiB: number }> {
  const status = await readFile(`/proc/${child.pid}/status`, "utf8");
  const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
  return { peakMiB: mib("VmHWM"), restMiB: mib("VmRSS") };
}
