import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type CompiledPod, PolicyCompiler } from "@terway/policy";
import { describeMachine, type Machine } from "../machine.ts";
import { median } from "../statistics.ts";
import { type Cluster, type ClusterShape, generateCluster } from "./cluster.ts";

export interface PolicyOptions {
  readonly shape: ClusterShape;
  readonly changes: number;
}

export const fullOptions: PolicyOptions = {
  shape: { namespaces: 25_000, policiesPerNamespace: 3, podsPerNamespace: 4, selectorsPerPolicy: 2, crossing: 0.2, seed: 1 },
  changes: 200,
};
/** Enough to see that everything runs and that the result has its form; its figures say nothing. */
export const smokeOptions: PolicyOptions = { shape: { ...fullOptions.shape, namespaces: 200 }, changes: 5 };

export const changeKinds = ["pod added", "pod relabelled", "namespace relabelled", "policy changed"] as const;
type ChangeKind = (typeof changeKinds)[number];

export interface PolicyResult {
  readonly bench: "policy";
  readonly version: 1;
  readonly machine: Machine;
  readonly options: PolicyOptions;
  readonly cluster: { readonly namespaces: number; readonly policies: number; readonly pods: number };
  readonly compiled: {
    readonly identities: number;
    readonly sets: number;
    readonly seconds: number;
    /** Of the process, garbage collection on other threads included. */
    readonly cpuSeconds: number;
    readonly heapMiB: number;
    readonly peakRssMiB: number;
  };
  readonly changes: readonly { readonly kind: ChangeKind; readonly ms: readonly number[]; readonly podsTouched: number }[];
}

/** Compiles a whole cluster, then changes it one object at a time. */
export async function runPolicy(options: PolicyOptions, say: (line: string) => void): Promise<PolicyResult> {
  say("making the cluster's objects");
  const cluster = generateCluster(options.shape);
  const before = heapMiB();
  say(`compiling ${cluster.policies.length} policies for ${cluster.pods.length} pods in ${cluster.namespaces.length} namespaces`);
  const compiler = new PolicyCompiler();
  const started = performance.now();
  const cpu = process.cpuUsage();
  for (const { name, labels } of cluster.namespaces) compiler.setNamespace(name, labels);
  for (const pod of cluster.pods) compiler.setPod(pod);
  for (const policy of cluster.policies) compiler.setPolicy(policy);
  const { changed } = compiler.take();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const compiled = {
    identities: new Set(changed.map(({ identity }) => identity.id)).size,
    sets: new Set(changed.flatMap(setIds)).size,
    seconds,
    cpuSeconds: (user + system) / 1e6,
    heapMiB: heapMiB() - before,
    peakRssMiB: process.resourceUsage().maxRSS / 1024,
  };
  say(`${options.changes} changes of each kind`);
  const changes = changeKinds.map((kind) => measureChanges(compiler, cluster, kind, options.changes));
  const size = { namespaces: cluster.namespaces.length, policies: cluster.policies.length, pods: cluster.pods.length };
  return { bench: "policy", version: 1, machine: describeMachine(), options, cluster: size, compiled, changes };
}

function setIds({ ingress, egress }: CompiledPod): string[] {
  return [ingress?.id, egress?.id].filter((id) => id !== undefined);
}

/** Spread over the cluster; the kinds touch different objects. */
function measureChanges(compiler: PolicyCompiler, cluster: Cluster, kind: ChangeKind, count: number): PolicyResult["changes"][number] {
  const ms: number[] = [];
  const touched: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const pick = <T>(list: readonly T[]): T => {
      const item = list[Math.floor(((index + 0.5) / count) * list.length)];
      if (item === undefined) throw new RangeError("the cluster is empty");
      return item;
    };
    const pod = pick(cluster.pods);
    const namespace = pick(cluster.namespaces);
    const policy = pick(cluster.policies);
    const started = performance.now();
    if (kind === "pod added") compiler.setPod({ ...pod, name: `${pod.name}-more`, addresses: [`11.0.${index >> 8}.${index & 255}`] });
    if (kind === "pod relabelled") compiler.setPod({ ...pod, labels: { ...pod.labels, app: "app-1" } });
    if (kind === "namespace relabelled") compiler.setNamespace(namespace.name, { ...namespace.labels, team: "team-7" });
    if (kind === "policy changed") compiler.setPolicy({ ...policy, ingress: [] });
    touched.push(compiler.take().changed.length);
    ms.push(performance.now() - started);
  }
  return { kind, ms, podsTouched: median(touched) };
}

/** After a full collection: what is garbage belongs to nobody. */
function heapMiB(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
