import { mkdir, writeFile } from "node:fs/promises";
import { type Mapping, mappingSchema } from "@terway/model";
import { type ProcessRecord, signal, waitForEnd } from "../host/process.ts";
import { requestJson } from "../host/unix-http.ts";
import { type Containerd, startContainerd } from "../node/containerd.ts";
import type { LabNode } from "../node/node.ts";
import { type PodSpec, type RunningPod, removePod, runPod } from "../node/pod.ts";
import type { ContainerRuntime } from "../node/runtime.ts";
import { installTerway, startTerwayd, stopTerwayd, type TerwaydConfig, waitForConflist } from "../node/terwayd.ts";
import { until } from "../node/until.ts";
import type { Lab } from "./lab.ts";
import type { Machine, World } from "./world.ts";

/** Path of the daemon's socket on the node. */
export const daemonSocket = "/run/eni/terway.socket";

/** Where the node's daemon finds Kubernetes objects. */
const objectDirectory = "/etc/eni/objects";

/** A node as a cluster has it: a machine with a container runtime and terwayd. */
export class ClusterNode {
  readonly machine: Machine;
  /** Another one after each {@link reboot}. */
  node: LabNode;
  /** Another one after each {@link restartRuntime}. */
  containerd: Containerd;
  daemon: ProcessRecord | undefined;
  /** Kubeconfig on the node, by which its daemon finds Kubernetes objects; without one it reads them from a directory. */
  kubeconfig: string | undefined;

  readonly #runtime: ContainerRuntime;

  private constructor(machine: Machine, runtime: ContainerRuntime, node: LabNode, containerd: Containerd) {
    this.machine = machine;
    this.#runtime = runtime;
    this.node = node;
    this.containerd = containerd;
  }

  static async start(lab: Lab, machine: Machine, runtime: ContainerRuntime): Promise<ClusterNode> {
    const { node, containerd } = await lab.startNode(machine, runtime);
    return new ClusterNode(machine, runtime, node, containerd);
  }

  /** Kills containerd and starts it again; its pods go on meanwhile. */
  async restartRuntime(): Promise<void> {
    const { process, cri } = this.containerd;
    await signal(process, "SIGKILL");
    if (!(await waitForEnd(process, 10_000))) throw new Error(`containerd on ${this.name} still runs 10 s after SIGKILL`);
    cri.close();
    this.containerd = await startContainerd(this.node, this.#runtime, []);
  }

  /** Pulls the plug and boots again; the runtime runs then, and nothing else does. */
  async reboot(lab: Lab): Promise<void> {
    this.containerd.cri.close();
    await this.node.stop();
    this.daemon = undefined;
    this.node = await lab.reboot(this.machine);
    this.containerd = await startContainerd(this.node, this.#runtime, []);
  }

  get name(): string {
    return this.machine.name;
  }

  async install(config: TerwaydConfig): Promise<void> {
    await installTerway(this.node, config);
  }

  /** Labels of the node's Kubernetes object, which a daemon reads when it starts. */
  async label(labels: Readonly<Record<string, string>>): Promise<void> {
    await mkdir(this.node.path(objectDirectory), { recursive: true });
    const object = { apiVersion: "v1", kind: "Node", metadata: { name: this.name, labels } };
    await writeFile(this.node.path(`${objectDirectory}/node.json`), JSON.stringify(object));
  }

  async startDaemon(env: Readonly<Record<string, string>> = {}, args: readonly string[] = []): Promise<ProcessRecord> {
    await mkdir(this.node.path(objectDirectory), { recursive: true });
    const objects = this.kubeconfig === undefined ? ["--objects", objectDirectory] : ["--kubeconfig", this.kubeconfig];
    this.daemon = await startTerwayd(this.node, { env, args: [...objects, ...args] });
    return this.daemon;
  }

  /** Until this daemon serves, the conflist is written and the runtime says that its network is ready. */
  async warm(timeoutMs: number): Promise<void> {
    if (this.daemon === undefined) throw new Error(`terwayd was not started on ${this.name}`);
    await waitForConflist(this.node, this.daemon, timeoutMs);
    // After a restart the conflist is there already, and says nothing of this daemon.
    const serves = () =>
      this.mapping().then(
        () => true,
        () => false,
      );
    await until(`terwayd on ${this.name} serves`, timeoutMs, serves, this.node.log("terwayd"));
    await until(`the runtime on ${this.name} says NetworkReady`, 20_000, async () => (await this.containerd.cri.networkReady()).ready);
  }

  async stopDaemon(): Promise<void> {
    if (this.daemon !== undefined) await stopTerwayd(this.node, this.daemon);
    this.daemon = undefined;
  }

  runPod(spec: PodSpec): Promise<RunningPod> {
    return runPod(this.node, this.containerd.cri, spec);
  }

  removePod(pod: Pick<RunningPod, "sandboxId">): Promise<void> {
    return removePod(this.containerd.cri, pod.sandboxId);
  }

  /** What cloud, journal and kernel say of the node's addresses, by the daemon. */
  async mapping(): Promise<Mapping> {
    return mappingSchema.parse(await requestJson(this.node.path(daemonSocket), "GET", "/v1/admin/mapping"));
  }
}

/** The `eni_conf` for a machine of this world: its own vSwitch, both families. */
export function terwaydConfig(world: World, machine: Machine, pool: { min: number; max: number }): TerwaydConfig {
  return {
    accessKeyId: world.accessKeyId,
    accessKeySecret: world.accessKeySecret,
    zoneId: machine.zoneId,
    vSwitchIds: [machine.vSwitchId],
    securityGroupId: world.securityGroupId,
    serviceCidr: "172.16.0.0/16,fd00:96::/112",
    ipStack: "dual",
    minPoolSize: pool.min,
    maxPoolSize: pool.max,
  };
}
