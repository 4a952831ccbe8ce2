import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { probe, repositoryRoot } from "@terway/lab";
import { serve } from "../../ts/lab/src/lab/group-matrix.ts";
import type { ApiCluster, ApiPod } from "../../ts/policy/src/testing/api.ts";
import { isAllowed } from "../../ts/policy/src/testing/evaluator.ts";
import { type Pod, TestNode } from "../daemon/support/test-node.ts";
import { fixtureNamespaces, fixturePods } from "./cases.ts";

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

/** Pods on a node with terwayd, which learns its objects from files; the truth comes from the evaluator written from the API's text. */
export class PolicyWorld {
  readonly node: TestNode;
  readonly pods = new Map<string, Pod>();
  cluster: ApiCluster = { namespaces: [...fixtureNamespaces], pods: [], policies: [] };
  readonly #stops: (() => void)[] = [];
  #written = new Set<string>();

  private constructor(node: TestNode) {
    this.node = node;
  }

  static async create(conf: Record<string, unknown> = {}): Promise<PolicyWorld> {
    const world = new PolicyWorld(await TestNode.create({ ip_stack: "dual", max_pool_size: 10, ...conf }, { bpffs: true }));
    await world.node.start();
    const { stdout } = await world.node.cli("show", "network_service");
    if (!/network_policy +(enforced|waiting)/.test(stdout)) throw new Error(`the node does not enforce NetworkPolicy:\n${stdout}`);
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

  async write({ namespaces, pods, policies }: ApiCluster): Promise<void> {
    const files = new Map<string, unknown>();
    for (const { name, labels } of namespaces) {
      files.set(`namespace-${name}`, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    }
    for (const pod of pods) files.set(`pod-${pod.namespace}-${pod.name}`, podObject(pod));
    for (const policy of policies) {
      const { namespace, name } = policy.metadata;
      files.set(`policy-${namespace}-${name}`, { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", ...policy });
    }
    const directory = join(this.node.directory, "objects");
    for (const [name, object] of files) {
      await writeFile(join(directory, `${name}.new`), JSON.stringify(object));
      await rename(join(directory, `${name}.new`), join(directory, `${name}.json`));
    }
    for (const name of this.#written) if (!files.has(name)) await rm(join(directory, `${name}.json`));
    this.#written = new Set(files.keys());
  }

  /** Every pod tries every other over both families, and the node tries every pod. */
  async measure(cluster: ApiCluster): Promise<Tried[]> {
    const rows = await Promise.all([
      ...cluster.pods.map((from) => this.#measureFrom(cluster, from)),
      this.#measureFrom(cluster, undefined),
    ]);
    return rows.flat();
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    for (const pod of this.pods.values()) await this.node.end(pod);
    await this.node.destroy();
  }

  async #measureFrom(cluster: ApiCluster, from: ApiPod | undefined): Promise<Tried[]> {
    const name = from === undefined ? "the node" : `${from.namespace}/${from.name}`;
    const netns = from === undefined ? this.node.machine.netns : (this.pods.get(name)?.netns ?? "");
    const asked = cluster.pods.flatMap((to) => {
      if (from !== undefined && to.namespace === from.namespace && to.name === from.name) return [];
      return to.addresses.flatMap((address) =>
        protocols.flatMap((protocol) =>
          ports.map((port) => ({ to, address, protocol, port, expected: expectedOf(cluster, from, to, address, protocol, port) })),
        ),
      );
    });
    const probes = asked.map(({ address, protocol, port }, index) => ({
      id: String(index),
      proto: protocol === "TCP" ? ("tcp" as const) : ("udp" as const),
      addr: address,
      port,
      timeoutMs: patienceMs,
    }));
    const outcomes = await probe(agent, netns, probes);
    return asked.map(({ to, address, protocol, port, expected }, index) => ({
      path: `${name} → ${to.namespace}/${to.name} ${protocol}/${port} over ${address.includes(":") ? "IPv6" : "IPv4"}`,
      expected,
      passed: outcomes[index]?.ok === true,
    }));
  }
}

/** What passes is what the one side may send and the other may get; the node always may. */
function expectedOf(
  cluster: ApiCluster,
  from: ApiPod | undefined,
  to: ApiPod,
  address: string,
  protocol: "TCP" | "UDP",
  port: number,
): boolean {
  if (from === undefined) return true;
  const own = from.addresses.find((one) => one.includes(":") === address.includes(":")) ?? "";
  return (
    isAllowed(cluster, "egress", from, { address, pod: to }, protocol, port) &&
    isAllowed(cluster, "ingress", to, { address: own, pod: from }, protocol, port)
  );
}

function podObject({ namespace, name, labels, ports: named, addresses }: ApiPod) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels },
    spec: {
      containers: [
        { name: "main", ports: named.map(({ name: port, protocol, port: number }) => ({ name: port, protocol, containerPort: number })) },
      ],
    },
    status: { phase: "Running", ...(addresses.length === 0 ? {} : { podIPs: addresses.map((ip) => ({ ip })) }) },
  };
}
