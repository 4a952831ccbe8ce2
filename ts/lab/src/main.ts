#!/usr/bin/env node
import { Command, InvalidArgumentError } from "commander";
import { runDemo } from "./demo/demo.ts";
import { labIdSchema } from "./host/lab-directory.ts";
import { runCluster } from "./kubernetes/cluster-command.ts";
import { runControlPlane } from "./kubernetes/control-plane-command.ts";
import { serveLab } from "./lab/server.ts";

/** `terway-lab`: the demo for people, and the server process that a lab starts for itself. */
const program = new Command("terway-lab").description("A VPC in a box: simulated cloud, ENI fabric, nodes with a real container runtime");

const id = ["--id <id>", "run id; everything the lab makes carries it", parseId, "demo"] as const;

program
  .command("demo")
  .description("Build a VPC and two nodes, run pods on them, measure that they reach each other, remove everything")
  .option(...id)
  .option("--keep", "leave everything running and say how to look around")
  .option("--down", "remove what --keep or a crash left")
  .option("--runtime <name>", "container runtime of the nodes: debian or containerd-2", parseRuntime, "debian" as const)
  .option("--kubernetes", "real Pods on a real cluster instead of pods that the demo makes itself")
  .action(async (options: { id: string; keep?: true; down?: true; runtime: "debian" | "containerd-2"; kubernetes?: true }) => {
    const mode = options.down === true ? "down" : options.keep === true ? "keep" : "run";
    const { id, runtime, kubernetes = false } = options;
    process.exitCode = await runDemo({ id, mode, runtime, kubernetes }, process.stdout);
  });

program
  .command("cluster")
  .description("Bring a whole Kubernetes cluster up in a VPC, with terwayd on its nodes, and leave it running")
  .option("--id <id>", "run id; everything the cluster makes carries it", parseId, "cluster")
  .option("--nodes <count>", "1 to 9", parseNodes, 2)
  .option("--down", "remove it, also what a crash left")
  .option("--runtime <name>", "container runtime of the nodes: debian or containerd-2", parseRuntime, "debian" as const)
  .option("--proxy <mode>", "kube-proxy's mode: nftables or iptables", parseProxy, "nftables" as const)
  .option("--terway <how>", "chart: installed by Helm; process: a process of each node", parseTerway, "chart" as const)
  .action(
    async (options: {
      id: string;
      nodes: number;
      down?: true;
      runtime: "debian" | "containerd-2";
      proxy: "nftables" | "iptables";
      terway: "chart" | "process";
    }) => {
      process.exitCode = await runCluster({ ...options, down: options.down === true }, process.stdout);
    },
  );

program
  .command("control-plane")
  .description("Leave a Kubernetes API server with its etcd running, without nodes")
  .option("--id <id>", "run id; everything it makes carries it", parseId, "plane")
  .option("--down", "remove it, also what a crash left")
  .action(async (options: { id: string; down?: true }) => {
    process.exitCode = await runControlPlane({ id: options.id, down: options.down === true }, process.stdout);
  });

program
  .command("serve", { hidden: true })
  .description("The lab's own server; started inside the VPC's namespace")
  .option(...id)
  .action((options: { id: string }) => serveLab(options.id));

function parseId(text: string): string {
  const parsed = labIdSchema.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError("1 to 16 lower-case letters and digits.");
  return parsed.data;
}

function parseRuntime(text: string): "debian" | "containerd-2" {
  if (text !== "debian" && text !== "containerd-2") throw new InvalidArgumentError("debian or containerd-2.");
  return text;
}

function parseNodes(text: string): number {
  if (!/^[1-9]$/.test(text)) throw new InvalidArgumentError("a number from 1 to 9.");
  return Number(text);
}

function parseProxy(text: string): "nftables" | "iptables" {
  if (text !== "nftables" && text !== "iptables") throw new InvalidArgumentError("nftables or iptables.");
  return text;
}

function parseTerway(text: string): "chart" | "process" {
  if (text !== "chart" && text !== "process") throw new InvalidArgumentError("chart or process.");
  return text;
}

// Whoever reads the output may go early (`| head`); what was built must be removed all the same.
process.stdout.on("error", () => {});

await program.parseAsync();
