import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { defaultPlan, inNetNamespace, repositoryRoot, until } from "@terway/lab";
import { exclusiveModeLabel } from "@terway/model";
import type { ApiCluster, ApiPod } from "../../ts/policy/src/testing/api.ts";
import { type Pod, TestNode } from "../daemon/support/test-node.ts";
import type { Party } from "./expected.ts";
import { Members } from "./members.ts";
import type { Mode } from "./mode.ts";
import { ObjectFiles } from "./objects.ts";
import { Prober } from "./prober.ts";
import { familyOf, namespaces, podKey, pods, type Surroundings, servedPorts } from "./scene.ts";

const agent = join(repositoryRoot, "dist/bin/lab-agent");

export type Stack = "ipv4" | "ipv6" | "dual";

export interface GroundOptions {
  readonly stack: Stack;
  /** Default: veth pairs. */
  readonly mode?: Mode;
  /** Default true. */
  readonly enforced?: boolean;
}

const veth: Mode = { name: "veth", eniConf: {}, cniConf: {}, enis: "shared" };

/** The scene's pods on two nodes with terwayd, and a machine outside the cluster; each party has a prober, and all but the nodes have servers. */
export class Ground {
  readonly nodes: readonly TestNode[];
  readonly parties: Party[] = [];
  readonly surroundings: Surroundings;
  /** Without policies, labels as the scene has them. */
  base: ApiCluster = { namespaces: [...namespaces], pods: [], policies: [] };
  readonly #stack: Stack;
  readonly #objects: ObjectFiles;
  /** Of pods that are members of a trunk. */
  readonly #members: Members | undefined;
  readonly #probers = new Map<string, Prober>();
  readonly #sandboxes = new Map<string, { readonly node: TestNode; readonly pod: Pod }>();
  readonly #ends: (() => void)[] = [];

  private constructor(nodes: readonly TestNode[], stack: Stack, outside: readonly string[], enis: Mode["enis"]) {
    this.nodes = nodes;
    this.#stack = stack;
    const addresses = ({ machine }: TestNode) => [machine.primary.ipv4, machine.primary.ipv6];
    this.surroundings = { outside, nodes: nodes.map((node) => ({ name: node.name, addresses: addresses(node) })) };
    const objects = join(nodes[0]?.directory ?? "", "objects");
    this.#objects = new ObjectFiles(objects);
    this.#members = enis === "members" ? new Members(objects) : undefined;
  }

  static async create({ stack, mode = veth, enforced = true }: GroundOptions): Promise<Ground> {
    const keys = {
      ip_stack: stack,
      ...(mode.enis === "shared" ? { max_pool_size: 8 } : { min_pool_size: 0, max_pool_size: 1 }),
      ...mode.eniConf,
    };
    const plan = defaultPlan();
    // Adapters for the pods of a node, and its own; members of a trunk are no adapters.
    const nodes = mode.enis === "exclusive" ? plan.nodes.map((node) => ({ ...node, instanceType: "ecs.g7.8xlarge" })) : plan.nodes;
    // The VPC's own groups track connections; here only NetworkPolicy may say what passes.
    const first = await TestNode.create(keys, { bpffs: true, plan: { ...plan, nodes, delays: "fast", securityGroups: false } });
    const { elsewhere } = first.lab.world;
    const addresses = [elsewhere?.primary.ipv4, elsewhere?.primary.ipv6].flatMap((one) => one ?? []);
    const ground = new Ground(
      [first, await first.beside(keys, { bpffs: true })],
      stack,
      addresses.filter((address) => isOf(stack, address)),
      mode.enis,
    );
    try {
      await ground.#configure(mode.cniConf);
      if (mode.enis === "exclusive") await ground.#labelNodes({ [exclusiveModeLabel]: "eniOnly" });
      if (!enforced) await ground.switchEnforcement(false);
      await ground.#start(elsewhere?.netns ?? "");
      await ground.awaitEnforcement(enforced);
      return ground;
    } catch (error) {
      await ground.close();
      throw error;
    }
  }

  /** Of a pod. */
  netnsOf(key: string): string {
    return this.#sandboxes.get(key)?.pod.netns ?? "";
  }

  prober({ key }: Party): Prober {
    const prober = this.#probers.get(key);
    if (prober === undefined) throw new Error(`nobody probes from ${key}`);
    return prober;
  }

  /** The cluster holds exactly this, and every node has taken it in: a repeated ADD ends when all that the objects say by then is in the kernel. */
  async settle(cluster: ApiCluster): Promise<void> {
    await this.#write(cluster);
    await Promise.all(this.nodes.map((node) => this.#flush(node)));
  }

  /** By the key of the nodes' configuration, which they look at every few seconds. */
  async switchEnforcement(on: boolean): Promise<void> {
    for (const node of this.nodes) await writeFile(join(node.directory, "eni/disable_network_policy"), on ? "false" : "true");
  }

  /** Until each node says that it does, or does not. */
  async awaitEnforcement(on: boolean): Promise<void> {
    const said = async (node: TestNode) => /network_policy +(.*)/.exec((await node.cli("show", "network_service")).stdout)?.[1] ?? "";
    for (const node of this.nodes) {
      await until(`NetworkPolicy on ${node.name} is ${on ? "enforced" : "off"}`, 30_000, async () =>
        (await said(node)).startsWith(on ? "enforced" : "off"),
      );
    }
  }

  /** How the nodes connect pods, as they say it. Throws when the kernel lacks what is configured and they use something else. */
  async mode(): Promise<string> {
    const modes = await Promise.all(
      this.nodes.map(async (node) => {
        const instead = (await node.cli("events")).stdout.split("\n").find((line) => line.includes("VirtualModeChanged"));
        if (instead !== undefined) throw new Error(`${node.name}: ${instead.trim()}\nA guest has every mode: --guest 6.12`);
        const { stdout } = await node.cli("show", "network_service");
        const kind = /node_mode +(\S+)/.exec(stdout)?.[1];
        if (kind === "exclusive") return kind;
        const trunkMember = /trunk_member_mode +(\S+)/.exec(stdout)?.[1];
        const shared = /shared_mode +(\S+)/.exec(stdout)?.[1] ?? "unknown";
        const used =
          this.#members === undefined ? shared : `${trunkMember === "vlan" ? "vlan" : `${trunkMember} with the tag filter`} of a trunk`;
        return /fast_path +true/.test(stdout) ? `${used} with the fast path` : used;
      }),
    );
    return [...new Set(modes)].join(" and ");
  }

  async close(): Promise<void> {
    for (const end of this.#ends) end();
    await this.nodes[0]?.destroy();
  }

  async #configure(cniConf: Mode["cniConf"]): Promise<void> {
    if (Object.keys(cniConf).length === 0) return;
    const text = JSON.stringify({ type: "terway", ...cniConf });
    for (const { directory } of this.nodes) await writeFile(join(directory, "eni/10-terway.conf"), text);
  }

  /** All nodes hear of the same objects. */
  async #labelNodes(labels: Readonly<Record<string, string>>): Promise<void> {
    for (const { name } of this.nodes) {
      const object = { apiVersion: "v1", kind: "Node", metadata: { name, labels } };
      await writeFile(join(this.nodes[0]?.directory ?? "", `objects/node-${name}.json`), JSON.stringify(object));
    }
  }

  async #start(outsideNetns: string): Promise<void> {
    const [first] = this.nodes;
    const objects = join(first?.directory ?? "", "objects");
    for (const node of this.nodes) await this.#members?.attachTrunk(node);
    await Promise.all(this.nodes.map((node) => node.start({ args: node === first ? [] : ["--objects", objects] })));
    await this.#write({ ...this.base, pods: pods.map((pod) => ({ ...pod, addresses: [] })) });
    const added = await Promise.all(this.nodes.map((node, place) => this.#addPods(node, place)));
    const running = added.flat();
    this.base = { ...this.base, pods: pods.flatMap((pod) => running.find((one) => podKey(one) === podKey(pod)) ?? []) };
    for (const [place, { name, addresses }] of this.surroundings.nodes.entries()) {
      this.#join({ kind: "node", key: name, addresses }, this.nodes[place]?.machine.netns ?? "");
    }
    const outside: Party = { kind: "outside", key: "outside", addresses: this.surroundings.outside };
    this.#join(outside, outsideNetns);
    await this.#serve(outside.key, outsideNetns);
  }

  /** Every second of the scene's pods, one after another. */
  async #addPods(node: TestNode, place: number): Promise<ApiPod[]> {
    const added: ApiPod[] = [];
    for (const pod of pods.filter((_, index) => index % this.nodes.length === place)) {
      const key = podKey(pod);
      const sandbox = await node.pod(pod.name);
      this.#sandboxes.set(key, { node, pod: sandbox });
      await this.#members?.give(node, pod.namespace, pod.name, (address) => isOf(this.#stack, address));
      added.push({ ...pod, addresses: await this.#add(key) });
      this.#join({ kind: "pod", key, node: node.name }, sandbox.netns);
      await this.#serve(key, sandbox.netns);
    }
    return added;
  }

  #join(party: Party, netns: string): void {
    const prober = new Prober(agent, netns);
    this.#ends.push(prober.stop);
    this.#probers.set(party.key, prober);
    this.parties.push(party);
  }

  async #serve(name: string, netns: string): Promise<void> {
    const ports = servedPorts.join(",");
    const [file = "", ...args] = inNetNamespace(netns, [agent, "serve", "--tcp", ports, "--udp", ports, "--sctp", ports]);
    const server = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, POD_NAME: name } });
    await createInterface({ input: server.stdout })[Symbol.asyncIterator]().next();
    this.#ends.push(() => server.kill("SIGTERM"));
  }

  /** ADD, the first or a repeated one; answers the pod's addresses. */
  async #add(key: string): Promise<string[]> {
    const sandbox = this.#sandboxes.get(key);
    if (sandbox === undefined) throw new Error(`${key} runs on no node`);
    const { node, pod } = sandbox;
    const [namespace, name] = key.split("/");
    const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=${pod.containerId}`;
    let answer = await node.cni("ADD", pod, { args });
    // An ENI that is made for the pod may take longer than one call; a runtime comes again.
    for (let left = 5; left > 0 && answer.output?.code === 11; left -= 1) answer = await node.cni("ADD", pod, { args });
    if (answer.exitCode !== 0) throw new Error(`ADD ${key}: ${JSON.stringify(answer.output)}`);
    const ips = (answer.output?.ips ?? []) as { address: string }[];
    return ips.map((ip) => ip.address.split("/")[0] ?? "");
  }

  async #flush(node: TestNode): Promise<void> {
    const [key] = [...this.#sandboxes].find(([, sandbox]) => sandbox.node === node) ?? [];
    if (key !== undefined) await this.#add(key);
  }

  #write(cluster: ApiCluster): Promise<void> {
    const nameOf = (pod: ApiPod) => {
      const index = pods.findIndex((one) => podKey(one) === podKey(pod));
      // Beside the scene's pods only objects are written, for which no node does anything.
      return index < 0 ? "elsewhere" : (this.nodes[index % this.nodes.length]?.name ?? "");
    };
    return this.#objects.write(cluster, nameOf);
  }
}

function isOf(stack: Stack, address: string): boolean {
  return stack === "dual" || stack === `ipv${familyOf(address)}`;
}
