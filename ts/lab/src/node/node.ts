import { access, mkdir, readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { cgroupHierarchies, createCgroup, labCgroup, removeCgroups } from "../host/cgroup.ts";
import { type CommandOptions, type CommandResult, run } from "../host/command.ts";
import type { LabDirectory } from "../host/lab-directory.ts";
import { logTail } from "../host/log-tail.ts";
import { inNetNamespace, setSysctls } from "../host/netns.ts";
import { patient } from "../host/patience.ts";
import { childrenOf, identify, isAlive, type ProcessRecord, signal, waitForEnd } from "../host/process.ts";
import { cacheDirectory } from "./runtime.ts";

export const repositoryRoot = fileURLToPath(new URL("../../../../", import.meta.url)).replace(/\/$/, "");

export interface NodeOptions {
  readonly lab: LabDirectory;
  readonly name: string;
  /** The instance's network namespace, with its primary ENI as `eth0`. */
  readonly netns: string;
  /** The program `lab-agent`, which becomes process 1. */
  readonly agent: string;
}

/**
 * A machine made of namespaces: network, mount, pid, uts and ipc of its own, and a root file system that is a copy-on-write view of the
 * host's. It lives exactly as long as its process 1.
 */
export class LabNode {
  readonly name: string;
  readonly netns: string;
  /** Host number of the node's process 1. */
  readonly pid1: ProcessRecord;
  readonly #lab: LabDirectory;

  private constructor(options: { lab: LabDirectory; name: string; netns: string; pid1: ProcessRecord }) {
    this.#lab = options.lab;
    this.name = options.name;
    this.netns = options.netns;
    this.pid1 = options.pid1;
  }

  static async start(options: NodeOptions): Promise<LabNode> {
    const { lab, name, netns } = options;
    const directory = lab.node(name);
    await mkdir(directory, { recursive: true });
    // Of an earlier boot: the kernel forgets groups with the power, and a kubelet asks the runtime for a while after each that it finds.
    await rm(join(directory, "ready"), { force: true });
    await removeCgroups(podCgroup(lab.id, name), 10_000);
    await createCgroup(`${nodeCgroup(lab.id, name)}/system`);
    await createCgroup(podCgroup(lab.id, name));
    // What every Kubernetes node must have set before a kubelet starts on it.
    await setSysctls(netns, { "net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1 });
    const namespaces = ["--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--propagation", "private"];
    const init = [script("init.sh"), name, directory, repositoryRoot, options.agent];
    const shell = await lab.start(
      `node-${name}`,
      [script("enter.sh"), ...inNetNamespace(netns, ["unshare", ...namespaces, "--", ...init])],
      { TERWAY_CACHE: cacheDirectory(), TERWAY_CGROUPS: await systemGroups(lab.id, name) },
    );
    const end = performance.now() + patient(10_000);
    while (!(await exists(join(directory, "ready")))) {
      if (!(await isAlive(shell))) throw new Error(`node ${name} did not come up: ${await logTail(lab.log(`node-${name}`))}`);
      if (performance.now() > end) throw new Error(`node ${name} was not ready in time: ${await logTail(lab.log(`node-${name}`))}`);
      await sleep(10);
    }
    const [first] = await childrenOf(shell.pid);
    const pid1 = first === undefined ? undefined : await identify(first);
    if (pid1 === undefined) throw new Error(`node ${name} has no process 1: ${await logTail(lab.log(`node-${name}`))}`);
    return new LabNode({ lab, name, netns, pid1 });
  }

  /** A node that another process started. */
  static existing(options: { lab: LabDirectory; name: string; netns: string; pid1: ProcessRecord }): LabNode {
    return new LabNode(options);
  }

  /** The command line that runs `argv` on the node, as a shell there would. */
  command(argv: readonly string[]): string[] {
    return ["nsenter", "-t", String(this.pid1.pid), "-m", "-u", "-i", "-n", "-p", "--", ...argv];
  }

  run(argv: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    return run(this.command(argv), options);
  }

  /** Starts a daemon on the node, in the node's own group, with its output in the lab's log directory. Answers the daemon itself. */
  async start(name: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ProcessRecord> {
    const groups = await systemGroups(this.#lab.id, this.name);
    const outer = await this.#lab.start(`${this.name}-${name}`, [script("enter.sh"), ...this.command(argv)], {
      ...env,
      TERWAY_CGROUPS: groups,
    });
    // nsenter cannot enter a pid namespace itself: it starts the daemon as its child and waits for it. Signals must go to the child.
    while (await isAlive(outer)) {
      const program = await readlink(`/proc/${outer.pid}/exe`).catch(() => "");
      const [child] = program.endsWith("/nsenter") ? await childrenOf(outer.pid) : [];
      const inner = child === undefined ? undefined : await identify(child);
      if (inner !== undefined) return inner;
      await sleep(1);
    }
    return outer;
  }

  log(name: string): string {
    return this.#lab.log(`${this.name}-${name}`);
  }

  /** A file of the node, as this process can open it. */
  path(pathOnNode: string): string {
    // /var/run is a link to /run, and an absolute link would lead back to this process's own root.
    return `/proc/${this.pid1.pid}/root${pathOnNode.replace(/^\/var\/run\//, "/run/")}`;
  }

  /** A directory that the host and the node see under the same name. */
  get sharedDirectory(): string {
    return this.#lab.node(this.name);
  }

  /** Parent group for the node's pods, as the CRI wants it. */
  get podCgroup(): string {
    return `/${podCgroup(this.#lab.id, this.name)}`;
  }

  /** Pulls the plug: every process and every mount of the node goes with its process 1. */
  async stop(): Promise<void> {
    await signal(this.pid1, "SIGKILL");
    if (!(await waitForEnd(this.pid1, 10_000))) throw new Error(`node ${this.name} is still there 10 s after SIGKILL`);
  }
}

function nodeCgroup(id: string, name: string): string {
  return `${labCgroup(id)}/${name}`;
}

function podCgroup(id: string, name: string): string {
  return `${nodeCgroup(id, name)}/pods`;
}

async function systemGroups(id: string, name: string): Promise<string> {
  return (await cgroupHierarchies()).map((hierarchy) => join(hierarchy, nodeCgroup(id, name), "system")).join("\n");
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
