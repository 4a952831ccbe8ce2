import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defaultPlan, type LabPlan, probe, repositoryRoot } from "@terway/lab";
import { serve } from "../../../ts/lab/src/lab/group-matrix.ts";
import type { ApiCluster, ApiPod } from "../../../ts/policy/src/testing/api.ts";
import { addressesOf, isExpected, type Party } from "../../conformance-policy/expected.ts";
import { ObjectFiles } from "../../conformance-policy/objects.ts";
import { podKey } from "../../conformance-policy/scene.ts";
import { type Pod, TestNode } from "./test-node.ts";

const fixturePods = ["x", "y"].flatMap((namespace) =>
  ["a", "b"].map((name) => ({ namespace, name, labels: { app: name }, ports: [], hostNetwork: false, finished: false })),
);
const fixtureNamespaces = ["x", "y"].map((name) => ({ name, labels: { "kubernetes.io/metadata.name": name } }));
const agent = join(repositoryRoot, "dist/bin/lab-agent");
const ports = [80, 81] as const;
const protocols = ["TCP", "UDP"] as const;
/** Longer than an answer takes on a busy machine; what is dropped is waited for so long. */
const patienceMs = 600;

/** One connection that was tried. */
export interface Tried {
  /** For people: `x/a → y/b tcp/80 over IPv6`. */
  readonly path: string;
  readonly expected: boolean;
  readonly passed: boolean;
}

export interface PolicyWorldOptions {
  /** Another than the plan's: how many addresses the node can have. */
  readonly instanceType?: string;
  /** Of the daemon. */
  readonly args?: readonly string[];
  /** Nothing is ever enforced. */
  readonly disabled?: boolean;
  /** With the node's directory, before the daemon starts; whether it enforces is the test's affair then. */
  readonly before?: (directory: string) => Promise<void>;
}

function oneNode(instanceType: string): LabPlan {
  const { elsewhere: _, ...plan } = defaultPlan();
  return { ...plan, nodes: plan.nodes.slice(0, 1).map((node) => ({ ...node, instanceType })), delays: "fast" };
}

/** Pods on a node with terwayd, which learns its objects from files; the truth comes from the evaluator written from the API's text. */
export class PolicyWorld {
  readonly node: TestNode;
  readonly pods = new Map<string, Pod>();
  cluster: ApiCluster = { namespaces: [...fixtureNamespaces], pods: [], policies: [] };
  readonly #stops: (() => void)[] = [];
  readonly #objects: ObjectFiles;

  private constructor(node: TestNode) {
    this.node = node;
    this.#objects = new ObjectFiles(join(node.directory, "objects"));
  }

  static async create(conf: Record<string, unknown> = {}, options: PolicyWorldOptions = {}): Promise<PolicyWorld> {
    const { instanceType, args = [], before, disabled = false } = options;
    const plan = instanceType === undefined ? {} : { plan: oneNode(instanceType) };
    const world = new PolicyWorld(await TestNode.create({ ip_stack: "dual", max_pool_size: 10, ...conf }, { bpffs: true, ...plan }));
    if (disabled) await writeFile(join(world.node.directory, "eni/disable_network_policy"), "true");
    await before?.(world.node.directory);
    await world.node.start({ args });
    const { stdout } = await world.node.cli("show", "network_service");
    if (before === undefined && !disabled && !/network_policy +(enforced|waiting)/.test(stdout))
      throw new Error(`the node does not enforce NetworkPolicy:\n${stdout}`);
    await world.write({ ...world.cluster, pods: fixturePods.map((pod) => ({ ...pod, addresses: [] })) });
    for (const pod of fixturePods) await world.add(pod);
    return world;
  }

  /** A pod of the cluster starts on the node, with servers on its ports. */
  async add(pod: Omit<ApiPod, "addresses">): Promise<ApiPod> {
    const key = `${pod.namespace}/${pod.name}`;
    const sandbox = await this.node.pod(pod.name);
    this.pods.set(key, sandbox);
    const addresses = await this.addAgain(key);
    for (const port of ports) this.#stops.push(await serve(agent, sandbox.netns, port));
    const running = { ...pod, addresses };
    this.cluster = { ...this.cluster, pods: [...this.cluster.pods, running] };
    return running;
  }

  /** The same ADD again. It ends when all that the files say by now is in the kernel; answers the addresses. */
  async addAgain(key: string): Promise<string[]> {
    const sandbox = this.pods.get(key);
    const [namespace, name] = key.split("/");
    const args = `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=${sandbox?.containerId}`;
    const answer = await this.node.cni("ADD", sandbox, { args });
    if (answer.exitCode !== 0) throw new Error(`ADD ${key}: ${JSON.stringify(answer.output)}`);
    const ips = (answer.output?.ips ?? []) as { address: string }[];
    return ips.map((ip) => ip.address.split("/")[0] ?? "");
  }

  /** The cluster holds exactly this, and the node enforces it. */
  async settle(cluster: ApiCluster): Promise<void> {
    await this.write(cluster);
    const [first] = this.pods.keys();
    if (first !== undefined) await this.addAgain(first);
  }

  write(cluster: ApiCluster): Promise<void> {
    return this.#objects.write(cluster, () => this.node.name);
  }

  /** Where the pod `x/a` for example is. */
  netnsOf(key: string): string {
    return this.pods.get(key)?.netns ?? "";
  }

  podOf(key: string): ApiPod {
    const pod = this.cluster.pods.find((one) => podKey(one) === key);
    if (pod === undefined) throw new Error(`no pod ${key}`);
    return pod;
  }

  ipv4Of(key: string): string {
    return this.podOf(key).addresses.find((address) => !address.includes(":")) ?? "";
  }

  /** One TCP connection from a network namespace to a pod. */
  async reaches(netns: string, to: string, port = 80): Promise<boolean> {
    const [outcome] = await probe(agent, netns, [{ id: "one", proto: "tcp", addr: this.ipv4Of(to), port, timeoutMs: patienceMs }]);
    return outcome?.ok === true;
  }

  /** Every pod, and the node, tries every pod over both families. */
  async measure(cluster: ApiCluster): Promise<Tried[]> {
    const pods = cluster.pods.map((pod): Party => ({ kind: "pod", key: podKey(pod), node: this.node.name }));
    const { ipv4, ipv6 } = this.node.machine.primary;
    const node: Party = { kind: "node", key: this.node.name, addresses: [ipv4, ipv6] };
    const rows = await Promise.all([...pods, node].map((from) => this.#measureFrom(cluster, from, pods)));
    return rows.flat();
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    for (const pod of this.pods.values()) await this.node.end(pod);
    await this.node.destroy();
  }

  async #measureFrom(cluster: ApiCluster, from: Party, targets: readonly Party[]): Promise<Tried[]> {
    const paths = targets.flatMap((to) =>
      addressesOf(cluster, to).flatMap((addr) =>
        protocols.flatMap((protocol) => ports.map((port) => ({ to, addr, protocol, port, timeoutMs: patienceMs }))),
      ),
    );
    const probes = paths.map(({ addr, protocol, port, timeoutMs }, index) => ({
      ...{ id: String(index), addr, port, timeoutMs },
      proto: protocol === "TCP" ? ("tcp" as const) : ("udp" as const),
    }));
    const outcomes = await probe(agent, this.pods.get(from.key)?.netns ?? this.node.machine.netns, probes);
    return paths.map(({ to, addr, protocol, port }, index) => ({
      path: `${from.key} → ${to.key} ${protocol}/${port} to ${addr}`,
      expected: isExpected(cluster, from, to, addr, protocol, port),
      passed: outcomes[index]?.ok === true,
    }));
  }
}
