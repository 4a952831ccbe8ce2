import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type KubeClient, pathOf, type Resource } from "@terway/kube";
import { z } from "zod";
import type { ProcessRecord } from "../host/process.ts";
import { ClusterNode, terwaydConfig } from "../lab/cluster-node.ts";
import type { Lab } from "../lab/lab.ts";
import { defaultPlan, type LabPlan } from "../lab/plan.ts";
import type { Machine } from "../lab/world.ts";
import type { ContainerRuntime } from "../node/runtime.ts";
import { until } from "../node/until.ts";
import { ControlPlane } from "./control-plane.ts";
import { type ProxyMode, startKubeProxy } from "./kube-proxy.ts";
import { hideMachineSettings, installKubelet, startKubelet, writeOnNode } from "./kubelet.ts";

export interface ClusterOptions {
  readonly plan: LabPlan;
  readonly runtime: ContainerRuntime;
  readonly proxy: ProxyMode;
}

/** Free addresses that each node keeps at least and at most. */
export interface PoolSize {
  readonly min: number;
  readonly max: number;
}

/** Keys of the nodes' configuration beside the lab's own. */
export interface TerwayKeys {
  readonly eniConf?: Readonly<Record<string, unknown>>;
  /** Of `10-terway.conf`. */
  readonly cniConf?: Readonly<Record<string, unknown>>;
}

const terwaydKubeconfig = "/etc/eni/kubeconfig";

const nodes: Resource = { apiVersion: "v1", plural: "nodes", kind: "Node", namespaced: false };
const nodeListSchema = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({ conditions: z.array(z.object({ type: z.string(), status: z.string(), message: z.string() })).default([]) }),
    }),
  ),
});

/** The lab's usual plan with this many nodes, in two zones by turns. */
export function planOf(nodeCount: number): LabPlan {
  const plan = defaultPlan();
  const machine = (index: number) => ({
    name: `node-${String.fromCharCode("a".charCodeAt(0) + index)}`,
    instanceType: "ecs.g7.xlarge",
    vSwitch: index % 2 === 0 ? "a" : "b",
  });
  return { ...plan, nodes: Array.from({ length: nodeCount }, (_, index) => machine(index)) };
}

/** A node with everything that a cluster's node has. */
export interface KubernetesNode {
  readonly on: ClusterNode;
  kubelet: ProcessRecord;
}

/**
 * A whole Kubernetes cluster in a lab: the control plane on the machine elsewhere in the VPC, as a managed one is, and on each node containerd, kubelet
 * and kube-proxy. Without terwayd its nodes are not Ready; {@link startTerway} starts it as a process of each node,
 * `installChart` installs it as people do.
 */
export class KubernetesCluster {
  readonly lab: Lab;
  readonly plane: ControlPlane;
  readonly nodes: readonly KubernetesNode[];
  readonly #proxy: ProxyMode;

  private constructor(lab: Lab, plane: ControlPlane, nodes: readonly KubernetesNode[], proxy: ProxyMode) {
    this.lab = lab;
    this.#proxy = proxy;
    this.plane = plane;
    this.nodes = nodes;
  }

  get client(): KubeClient {
    return this.plane.client;
  }

  /** Control plane and machines of a lab that is there; resolves when every node is registered. */
  static async start(lab: Lab, options: ClusterOptions): Promise<KubernetesCluster> {
    const { elsewhere } = lab.world;
    if (elsewhere === undefined) throw new Error("the plan has no machine elsewhere, which the control plane needs");
    // Side by side: importing images takes as long as the API server's start.
    const [plane, machines] = await Promise.all([
      ControlPlane.start({ lab: lab.directory, netns: elsewhere.netns, address: elsewhere.primary.ipv4, agent: lab.agent }),
      Promise.all(lab.world.nodes.map((machine: Machine) => ClusterNode.start(lab, machine, options.runtime))),
    ]);
    const started = machines.map(async (on): Promise<KubernetesNode> => {
      await installKubelet(plane, on);
      return { on, kubelet: await startKubelet(plane, on, lab.world) };
    });
    const [kubernetesNodes] = await Promise.all([Promise.all(started), plane.startControllers()]);
    const cluster = new KubernetesCluster(lab, plane, kubernetesNodes, options.proxy);
    await cluster.#registered();
    await Promise.all(machines.map((on) => startKubeProxy(plane, on, options.proxy)));
    await cluster.#writeWrappers();
    return cluster;
  }

  /** terwayd as a process of each node, with the lab's credentials; resolves when the nodes are Ready. */
  async startTerway(pool: PoolSize, { eniConf = {}, cniConf = {} }: TerwayKeys = {}): Promise<void> {
    for (const { on } of this.nodes) {
      await on.install({ ...terwaydConfig(this.lab.world, on.machine, pool), extra: eniConf });
      if (Object.keys(cniConf).length > 0)
        await writeOnNode(on.node, "/etc/eni/10-terway.conf", JSON.stringify({ type: "terway", ...cniConf }));
      await this.introduce(on);
      await on.startDaemon();
    }
    await Promise.all(this.nodes.map(({ on }) => on.warm(60_000)));
    await this.ready();
  }

  /** Gives the node a kubeconfig for its daemon. As administrator: what rights the daemon needs is the chart's to say, and is proven where the chart is installed. */
  async introduce(on: ClusterNode): Promise<void> {
    const kubeconfig = await this.plane.kubeconfig(`terwayd-${on.name}`, { user: "terwayd", groups: ["system:masters"] }, "vpc");
    await writeOnNode(on.node, terwaydKubeconfig, await readFile(kubeconfig, "utf8"));
    on.kubeconfig = terwaydKubeconfig;
  }

  /** Until every node's condition Ready is True. */
  async ready(): Promise<void> {
    let notReady: string[] = [];
    const log = this.nodes[0]?.on.node.log("kubelet");
    await until(
      "every node is Ready",
      60_000,
      async () => {
        const { items } = nodeListSchema.parse(await this.client.call({ method: "GET", path: pathOf(nodes) }));
        const ready = ({ type, status }: { type: string; status: string }) => type === "Ready" && status === "True";
        notReady = items.filter(({ status }) => !status.conditions.some(ready)).map(({ metadata }) => metadata.name);
        return notReady.length === 0;
      },
      log,
    );
  }

  /** Pulls the node's plug and boots it again: its disk is as it was, nothing else is. Resolves when all its programs run again. */
  async reboot(node: KubernetesNode): Promise<void> {
    const { on } = node;
    await on.reboot(this.lab);
    await hideMachineSettings(on.node);
    await this.restartKubelet(node);
    await startKubeProxy(this.plane, on, this.#proxy);
    await on.startDaemon();
  }

  async restartKubelet(node: KubernetesNode): Promise<void> {
    node.kubelet = await startKubelet(this.plane, node.on, this.lab.world);
  }

  async #registered(): Promise<void> {
    const { client } = this.plane;
    for (const { on } of this.nodes) {
      const path = pathOf(nodes, undefined, on.name);
      const there = () =>
        client.call({ method: "GET", path }).then(
          () => true,
          () => false,
        );
      await until(`node ${on.name} is registered`, 60_000, there, on.node.log("kubelet"));
    }
  }

  /** `kubectl` and `helm` that speak to this cluster, wherever they are called. */
  async #writeWrappers(): Promise<void> {
    for (const name of ["kubectl", "helm"] as const) {
      const file = this.wrapper(name);
      const homes = ["CACHE", "CONFIG", "DATA"]
        .map((kind) => `export HELM_${kind}_HOME=${join(this.lab.directory.path, "helm")}\n`)
        .join("");
      await writeFile(file, `#!/bin/sh\n${homes}KUBECONFIG=${this.plane.admin} exec ${this.plane.program(name)} "$@"\n`);
      await chmod(file, 0o755);
    }
  }

  /** Path of the wrapper. */
  wrapper(name: "kubectl" | "helm"): string {
    return join(this.lab.directory.path, "bin", name);
  }
}
