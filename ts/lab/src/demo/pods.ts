import type { ClusterNode } from "../lab/cluster-node.ts";
import type { RunningPod } from "../node/pod.ts";
import { attachedLines } from "../node/terwayd.ts";
import type { Endpoint } from "./matrix.ts";
import { table } from "./table.ts";

export interface DemoPod extends Omit<RunningPod, "sandboxMs"> {
  readonly on: ClusterNode;
  readonly ipv4: string;
  readonly ipv6: string;
  /** How long its start took, as {@link StartTime} says. */
  readonly startMs: number;
}

/** What the time of a pod's start means: the RunPodSandbox call alone, or everything from the Pod's creation until all of them were Ready. */
export type StartTime = "sandbox" | "all Ready";

export function podName(on: ClusterNode, index: number): string {
  return `web-${on.name.replace(/^node-/, "")}-${index}`;
}

/** Starts pods on a node, one after the other as a kubelet does for one workload. */
export async function startPods(on: ClusterNode, count: number): Promise<DemoPod[]> {
  const pods: DemoPod[] = [];
  for (let index = 0; index < count; index += 1) {
    const { sandboxMs, ...pod } = await on.runPod({ namespace: "demo", name: podName(on, index) });
    pods.push(demoPod(on, pod, sandboxMs));
  }
  return pods;
}

export function demoPod(on: ClusterNode, pod: Omit<RunningPod, "sandboxMs">, startMs: number): DemoPod {
  const ipv4 = pod.addresses.find((address) => !address.includes(":"));
  const ipv6 = pod.addresses.find((address) => address.includes(":"));
  if (ipv4 === undefined || ipv6 === undefined) {
    throw new Error(`pod ${pod.name} has no address of both families: ${pod.addresses.join(", ")}`);
  }
  return { ...pod, on, ipv4, ipv6, startMs };
}

export function podEndpoint(pod: DemoPod): Endpoint {
  const { name, ipv4, ipv6, on } = pod;
  return { name, kind: "pod", node: on.name, ipv4, ipv6, netns: on.node.path(pod.netns) };
}

/** The table of pods: addresses by the runtime, ENI by the daemon's journal, times measured. */
export async function renderPods(nodes: readonly ClusterNode[], pods: readonly DemoPod[], time: StartTime): Promise<string> {
  const rows: string[][] = [];
  for (const on of nodes) {
    const [mapping, attached] = [await on.mapping(), await attachedLines(on.node)];
    for (const pod of pods.filter((one) => one.on === on)) {
      const lease = mapping.leases.find((one) => one.id === `${pod.sandboxId}/eth0`);
      const line = attached.find((one) => one.pod === `${pod.namespace}/${pod.name}`);
      rows.push([
        on.name,
        pod.name,
        pod.ipv4,
        pod.ipv6,
        lease?.eniId ?? "?",
        line?.hostIfName ?? "?",
        line === undefined ? "?" : line.ms.toFixed(1),
        pod.startMs.toFixed(0),
      ]);
    }
  }
  return table(["node", "pod", "IPv4", "IPv6", "ENI", "host interface", "ADD ms", `${time} ms`], rows);
}
