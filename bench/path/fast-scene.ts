import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inNetNamespace, Lab, type LabNode, repositoryRoot, run, sweep } from "@terway/lab";
import { hostPlace, labId, layFloor, type Machine, machineOf, type Pair, PodNode, planOf } from "./scene.ts";

const agent = join(repositoryRoot, "dist/bin/lab-agent");
/** What kube-proxy writes for so many Services is on a node. */
const services = 1000;

/** Every pod is isolated both ways, and may talk with everybody: a first packet asks the rules, and the others its flow. */
const policy = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { namespace: "bench", name: "everybody" },
  spec: {
    podSelector: {},
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ from: [{ ipBlock: { cidr: "0.0.0.0/0" } }, { ipBlock: { cidr: "::/0" } }] }],
    egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0" } }, { ipBlock: { cidr: "::/0" } }] }],
  },
};

/** Two nodes with the fast path and NetworkPolicy, two without either, and the hops of the fast path laid by hand. */
export class FastScene {
  readonly #lab: Lab;
  readonly #fast: readonly [PodNode, PodNode];
  readonly #plain: readonly [PodNode, PodNode];
  readonly #floor: Pair;

  private constructor(lab: Lab, fast: readonly [PodNode, PodNode], plain: readonly [PodNode, PodNode], floor: Pair) {
    this.#lab = lab;
    this.#fast = fast;
    this.#plain = plain;
    this.#floor = floor;
  }

  static async create(mostPods: number): Promise<FastScene> {
    await sweep(labId);
    const lab = await Lab.create(labId, planOf(["fast-a", "fast-b", "plain-a", "plain-b", "floor-a", "floor-b"]));
    const machine = (name: string) => machineOf(lab, name);
    const fast = (name: string) =>
      PodNode.start(lab, machine(name), mostPods, { args: [], keys: { eniip_virtual_type: "datapathv2" } }, (node) =>
        writeObjects(node, mostPods),
      );
    const plain = (name: string) => PodNode.start(lab, machine(name), mostPods, { args: [] });
    const fastNodes = [await fast("fast-a"), await fast("fast-b")] as const;
    const plainNodes = [await plain("plain-a"), await plain("plain-b")] as const;
    const [from, to] = await Promise.all([layFastFloor(machine("floor-a")), layFastFloor(machine("floor-b"))]);
    return new FastScene(lab, fastNodes, plainNodes, { name: "floor", from, to });
  }

  fill(count: number): Promise<unknown> {
    return Promise.all([...this.#fast, ...this.#plain].map((node) => node.fill(count)));
  }

  /** Says what the fast nodes are, for the reader of the log; throws when they are not. */
  async proof(): Promise<string> {
    const [a] = this.#fast;
    const shown = await a.run([join(repositoryRoot, "dist/terway-cli"), "show", "network_service"]);
    const lines = shown.split("\n").filter((line) => /fast_path|network_policy/.test(line));
    if (!/fast_path\s+true/.test(shown) || !/network_policy\s+enforced/.test(shown))
      throw new Error(`the nodes are not as they must be:\n${shown}`);
    return lines.map((line) => line.trim().replace(/\s+/g, " ")).join("; ");
  }

  async across(pods: number): Promise<Pair[]> {
    const [a, b] = this.#fast;
    const [plainA, plainB] = this.#plain;
    return [
      { name: "host", from: hostPlace(a.machine), to: hostPlace(b.machine) },
      this.#floor,
      { name: "plain", from: await plainA.pod(pods - 1), to: await plainB.pod(pods - 1) },
      { name: "fast", from: await a.pod(pods - 1), to: await b.pod(pods - 1) },
    ];
  }

  /** Two pods of a node; the nodes beside them, in the same rounds. */
  async within(pods: number): Promise<Pair[]> {
    const [a, b] = this.#fast;
    const [plainA] = this.#plain;
    return [
      { name: "host", from: hostPlace(a.machine), to: hostPlace(b.machine) },
      { name: "plain", from: await plainA.pod(pods - 1), to: await plainA.pod(pods - 2) },
      { name: "fast", from: await a.pod(pods - 1), to: await a.pod(pods - 2) },
    ];
  }

  /** As kube-proxy in nftables mode has them: every packet meets the chains, every first one the maps. */
  async addServices(): Promise<void> {
    const lines = ["ip", "ip6"].flatMap(proxyRules);
    for (const node of this.#fast) await node.run(["nft", "-f", "-"], lines.join("\n"));
  }

  async close(): Promise<void> {
    for (const node of [...this.#fast, ...this.#plain]) node.close();
    const left = await sweep(this.#lab.directory.id);
    if (left.length > 0) throw new Error(`the bench left behind: ${JSON.stringify(left)}`);
  }
}

/** Answers the flags that have the daemon read them. */
async function writeObjects(node: LabNode, pods: number): Promise<readonly string[]> {
  const where = "/var/lib/objects";
  const directory = node.path(where);
  await mkdir(directory, { recursive: true });
  const write = (name: string, object: unknown) => writeFile(join(directory, `${name}.json`), JSON.stringify(object));
  await write("namespace", { apiVersion: "v1", kind: "Namespace", metadata: { name: "bench", labels: {} } });
  await write("policy", policy);
  for (let number = 0; number < pods; number += 1) {
    const metadata = { namespace: "bench", name: `pod-${number}`, labels: {} };
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata,
      spec: { nodeName: node.name, containers: [{ name: "main" }] },
      status: { phase: "Running" },
    };
    await write(`pod-${number}`, pod);
  }
  return ["--objects", where];
}

/** The hops of the fast path with nothing to decide on the way. */
async function layFastFloor(machine: Machine) {
  const places = await layFloor(machine, false);
  const { ipv4Gateway, ipv6Gateway } = machine.primary;
  const gateways = ["--ipv4-gateway", ipv4Gateway, "--ipv6-gateway", ipv6Gateway];
  await run(inNetNamespace(machine.netns, [agent, "floor", "--eni", "eth0", "--pod", "flr", ...gateways]));
  return places;
}

/** The chains of kube-proxy's nftables mode with their priorities, maps with an element for each Service, and a chain for each. */
function proxyRules(family: string): string[] {
  const address = (number: number) => (family === "ip" ? `172.16.${number >> 8}.${number & 255}` : `fd00:96::${(number + 1).toString(16)}`);
  const backend = (number: number) =>
    family === "ip" ? `10.200.${number >> 8}.${number & 255}` : `fd00:0:0:1ff::${(number + 1).toString(16)}`;
  const numbers = Array.from({ length: services }, (_, number) => number);
  const to = (number: number) => (family === "ip" ? `${backend(number)}:80` : `[${backend(number)}]:80`);
  const elements = numbers.map((number) => `${address(number)} . tcp . 80 : goto service-${number}`);
  return [
    `table ${family} proxy {`,
    ...numbers.map((number) => `chain service-${number} { meta l4proto tcp dnat to ${to(number)}; }`),
    `map service-ips { type ${family === "ip" ? "ipv4_addr" : "ipv6_addr"} . inet_proto . inet_service : verdict; elements = { ${elements.join(", ")} } }`,
    `chain services { ${family} daddr . meta l4proto . th dport vmap @service-ips; }`,
    "chain check { ct state invalid drop; }",
    "chain filter-forward { type filter hook forward priority -110; ct state new jump check; }",
    "chain filter-output { type filter hook output priority -110; ct state new jump check; }",
    "chain filter-input { type filter hook input priority -110; ct state new jump check; }",
    "chain nat-prerouting { type nat hook prerouting priority -100; jump services; }",
    "chain nat-output { type nat hook output priority -100; jump services; }",
    "chain nat-postrouting { type nat hook postrouting priority 100; mark and 0x4000 == 0x4000 masquerade; }",
    "}",
  ];
}
