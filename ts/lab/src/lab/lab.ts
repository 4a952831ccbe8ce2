import { chmod, copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { vpcNamespaceName } from "../fabric/vpc.ts";
import { serveArguments } from "../host/agent.ts";
import { LabDirectory } from "../host/lab-directory.ts";
import { logTail } from "../host/log-tail.ts";
import { createNetNamespace, inNetNamespace } from "../host/netns.ts";
import { identify, isAlive, type ProcessRecord } from "../host/process.ts";
import { agentImage, type Containerd, pauseImage, startContainerd } from "../node/containerd.ts";
import { writeProgramImage } from "../node/image.ts";
import { LabNode, repositoryRoot } from "../node/node.ts";
import { losePower } from "../node/power-loss.ts";
import { configurePrimaryInterface } from "../node/primary-interface.ts";
import type { ContainerRuntime } from "../node/runtime.ts";
import { until } from "../node/until.ts";
import { CloudControl } from "./cloud-control.ts";
import type { LabPlan } from "./plan.ts";
import { type Machine, type World, worldSchema } from "./world.ts";

/**
 * A running lab, seen from the process that builds it: a server (the simulated cloud and the fabric) in the VPC's namespace, machines in theirs.
 * Everything outlives this process; `sweep(id)` removes it.
 */
export class Lab {
  readonly directory: LabDirectory;
  readonly world: World;
  /** The program `lab-agent` as the lab's machines see it. */
  readonly agent: string;
  readonly cloud: CloudControl;

  private constructor(directory: LabDirectory, world: World) {
    this.directory = directory;
    this.world = world;
    this.agent = agentOf(directory);
    this.cloud = new CloudControl(directory.controlSocket);
  }

  /** Makes the VPC, its vSwitches and machines; resolves when their primary ENIs are configured. The id must be free. */
  static async create(id: string, plan: LabPlan): Promise<Lab> {
    const directory = new LabDirectory(id);
    const owner = await identify(process.pid);
    if (owner === undefined) throw new Error("this process does not see itself in /proc");
    await directory.create(owner);
    // A copy: a rebuild must not pull the program away under a running lab.
    await copyFile(join(repositoryRoot, "dist/bin/lab-agent"), agentOf(directory));
    await chmod(agentOf(directory), 0o755);
    await writeFile(join(directory.path, "plan.json"), JSON.stringify(plan, undefined, 2));
    const vpc = await createNetNamespace(vpcNamespaceName(id));
    const main = fileURLToPath(new URL("../main.ts", import.meta.url));
    const server = await directory.start("server", inNetNamespace(vpc.path, [process.execPath, main, "serve", "--id", id]));
    const world = await awaitWorld(directory, server);
    const lab = new Lab(directory, world);
    for (const machine of [...world.nodes, ...(world.elsewhere === undefined ? [] : [world.elsewhere])]) {
      await configurePrimaryInterface(primaryInterface(machine));
    }
    if (world.elsewhere !== undefined) await lab.serve(world.elsewhere.name, world.elsewhere.netns);
    return lab;
  }

  /** Boots a machine. */
  boot(machine: Machine): Promise<LabNode> {
    return LabNode.start({ lab: this.directory, name: machine.name, netns: machine.netns, agent: this.agent });
  }

  /** Boots a machine again after its power was lost: its disk is as it was, its memory and its network are not. */
  async reboot(machine: Machine): Promise<LabNode> {
    await losePower(machine.netns);
    await configurePrimaryInterface(primaryInterface(machine));
    return this.boot(machine);
  }

  /** Boots a machine and starts its container runtime, with the lab's images. */
  async startNode(machine: Machine, runtime: ContainerRuntime): Promise<{ node: LabNode; containerd: Containerd }> {
    const node = await this.boot(machine);
    const images = [join(node.sharedDirectory, "pause.tar"), join(node.sharedDirectory, "agent.tar")] as const;
    await writeProgramImage(images[0], pauseImage, this.agent, ["pause"]);
    await writeProgramImage(images[1], agentImage, this.agent, serveArguments);
    const containerd = await startContainerd(node, runtime, images);
    return { node, containerd };
  }

  /** From now on the lab is meant to stay, also when this process ends. */
  keep(): Promise<void> {
    return this.directory.keep();
  }

  /** `lab-agent serve` in a machine's own network namespace, for probes of the machine itself. */
  serve(name: string, netns: string): Promise<ProcessRecord> {
    return this.directory.start(`agent-${name}`, inNetNamespace(netns, [this.agent, ...serveArguments]), { POD_NAME: name });
  }
}

function agentOf(directory: LabDirectory): string {
  return join(directory.path, "bin", "lab-agent");
}

async function awaitWorld(directory: LabDirectory, server: ProcessRecord): Promise<World> {
  const file = join(directory.path, "world.json");
  let text: string | undefined;
  await until(
    `the lab's server is ready`,
    20_000,
    async () => {
      if (!(await isAlive(server))) throw new Error(`the lab's server ended: ${await logTail(directory.log("server"))}`);
      text = await readFile(file, "utf8").catch(() => undefined);
      return text !== undefined;
    },
    directory.log("server"),
  );
  return worldSchema.parse(JSON.parse(text ?? ""));
}

function primaryInterface({ netns, primary }: Machine) {
  return {
    netns,
    ipv4: primary.ipv4,
    ipv4PrefixLength: primary.ipv4PrefixLength,
    ipv4Gateway: primary.ipv4Gateway,
    ipv6: { address: primary.ipv6, prefixLength: primary.ipv6PrefixLength, gateway: primary.ipv6Gateway },
  };
}
