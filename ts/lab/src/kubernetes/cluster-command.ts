import { type LabRunOptions, runWithLab } from "../demo/lab-run.ts";
import type { Output, Progress } from "../demo/progress.ts";
import { Lab } from "../lab/lab.ts";
import { containerRuntime, missingFiles, type RuntimeName } from "../node/runtime.ts";
import { installChart } from "./chart.ts";
import { KubernetesCluster, planOf } from "./cluster.ts";
import type { ProxyMode } from "./kube-proxy.ts";

export interface ClusterCommandOptions {
  readonly id: string;
  readonly nodes: number;
  readonly down: boolean;
  readonly runtime: RuntimeName;
  readonly proxy: ProxyMode;
  /** By its chart, or as a process of each node, which needs no image. */
  readonly terway: "chart" | "process";
}

/** Free addresses that each node keeps at least and at most. */
const pool = { min: 4, max: 16 };

/** `npm run cluster`: builds a cluster and leaves it running, or removes it. Answers the exit status. */
export function runCluster(options: ClusterCommandOptions, output: Output): Promise<number> {
  const { id, down } = options;
  const run: LabRunOptions = { id, mode: down ? "down" : "keep" };
  return runWithLab(run, { what: "cluster", downCommand: downCommand(id), used: [], run: (progress) => build(options, progress) }, output);
}

async function build({ id, nodes, runtime: runtimeName, proxy, terway }: ClusterCommandOptions, progress: Progress): Promise<boolean> {
  const runtime = containerRuntime(runtimeName);
  const missing = await missingFiles(runtime);
  if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}; npm run bootstrap installs them`);
  if (terway === "chart" && runtime.generation === 2) {
    throw new Error("the chart's pods ask for a seccomp profile, and this runc is built without: --terway process, or --runtime debian");
  }
  const plan = planOf(nodes);
  progress.say("\nThe cluster:");
  const lab = await progress.step("VPC with cloud API, metadata and machines", () => Lab.create(id, plan));
  const cluster = await progress.step(`control plane, ${nodes} ${nodes === 1 ? "node" : "nodes"} with kubelet and kube-proxy`, () =>
    KubernetesCluster.start(lab, { plan, runtime, proxy }),
  );
  if (terway === "chart") {
    await progress.step("helm install terway, nodes Ready", () => installChart(cluster, runtime, pool));
  } else {
    await progress.step("terwayd: pools warm, nodes Ready", () => cluster.startTerway(pool));
  }
  await lab.keep();
  const [node] = cluster.nodes;
  const lines = [
    `\nThe cluster "${id}" is running. Use it:`,
    "",
    `  ${cluster.wrapper("kubectl")} get pods -A -o wide`,
    ...(terway === "chart" ? [`  ${cluster.wrapper("kubectl")} -n kube-system exec ds/terway-eniip -- terway-cli mapping`] : []),
    `  export KUBECONFIG=${cluster.plane.admin}      # for your own kubectl`,
    "",
    "  # the lab's own image, of which the nodes have a copy: an echo server on TCP and UDP port 7",
    `  ${cluster.wrapper("kubectl")} create deployment web --replicas 4 --image registry.terway.test/lab-agent:1`,
    ...(node === undefined ? [] : [`  # a shell on ${node.on.name}`, `  ${node.on.node.command(["bash"]).join(" ")}`]),
    "",
    `  # the logs of every program: ${lab.directory.log("*")}`,
    `Remove it: ${downCommand(id)}`,
  ];
  progress.say(lines.join("\n"));
  return true;
}

function downCommand(id: string): string {
  return `npm run cluster -- --down${id === "cluster" ? "" : ` --id ${id}`}`;
}
