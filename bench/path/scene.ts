import { join } from "node:path";
import { createNetNamespace, inNetNamespace, Lab, type LabNode, type LabPlan, repositoryRoot, run, sweep } from "@terway/lab";
import { terwayContender } from "../add/contender.ts";
import { startDaemon } from "../add/daemon.ts";
import { type Driver, startDriver } from "../driver.ts";
import { namespacePlace, type Place } from "./places.ts";

export const labId = "path";
export const families = ["ipv4", "ipv6"] as const;
export type Family = (typeof families)[number];

/** One VPC with these nodes; the cloud answers at once, it is not what is measured. */
export function planOf(names: readonly string[]): LabPlan {
  return {
    regionId: "cn-hangzhou",
    cidr: "10.0.0.0/8",
    ipv6Cidr: "fd00:0:0:100::/56",
    vSwitches: [{ name: "pods", zoneId: "cn-hangzhou-h", cidr: "10.1.0.0/16", ipv6Cidr: "fd00:0:0:101::/64" }],
    nodes: names.map((name) => ({ name, instanceType: "ecs.ebmg9i.48xlarge", vSwitch: "pods" })),
    delays: "instant",
    // Connections that the VPC tracks would be a part of every path.
    securityGroups: false,
    // The other type holds 2,000 addresses; four nodes have 4,000 pods.
    groups: { default: { type: "enterprise" } },
    seed: 1,
  };
}

export type Machine = Lab["world"]["nodes"][number];
/** One place for each address family. */
export type Dual = Readonly<Record<Family, Place>>;

/** Where traffic goes from and to. */
export interface Pair {
  readonly name: string;
  readonly from: Dual;
  readonly to: Dual;
}

/** How the daemon of a node is started, beside what every node of the bench has. */
export interface DaemonChoice {
  /** Flags of terwayd. */
  readonly args: readonly string[];
  /** Keys of `eni_conf`. */
  readonly keys?: Readonly<Record<string, unknown>>;
}

/** Throws when the lab's plan has no machine of this name. */
export function machineOf({ world }: Lab, name: string): Machine {
  const found = world.nodes.find((node) => node.name === name);
  if (found === undefined) throw new Error(`the lab lacks the machine ${name}`);
  return found;
}

/** A node of the product with its pods: namespaces that its daemon gave a network. */
export class PodNode {
  readonly machine: Machine;
  readonly #node: LabNode;
  readonly #driver: Driver;
  #pods = 0;

  private constructor(machine: Machine, node: LabNode) {
    this.machine = machine;
    this.#node = node;
    this.#driver = startDriver(node.command([join(repositoryRoot, "dist/bin/bench-driver"), "calls"]));
  }

  /** `prepare` comes before the daemon does, and may add flags. */
  static async start(
    lab: Lab,
    machine: Machine,
    addresses: number,
    daemon: DaemonChoice,
    prepare?: (node: LabNode) => Promise<readonly string[]>,
  ): Promise<PodNode> {
    const node = await lab.boot(machine);
    const more = (await prepare?.(node)) ?? [];
    const { args, keys = {} } = daemon;
    await startDaemon(lab, machine, node, { free: addresses, ipStack: "dual", keys, args: [...args, ...more] });
    return new PodNode(machine, node);
  }

  /** Runs a program on the node. */
  async run(argv: readonly string[], input?: string): Promise<string> {
    const { stdout } = await this.#node.run(argv, { ...(input === undefined ? {} : { input }), timeoutMs: 600_000 });
    return stdout;
  }

  /** Pods until there are so many. */
  async fill(count: number): Promise<void> {
    const first = this.#pods;
    if (count <= first) return;
    const numbers = Array.from({ length: count - first }, (_, index) => first + index);
    const lines = numbers.map((number) => `ip netns add pod${number}`);
    await this.#node.run(["sh", "-e"], { input: lines.join("\n"), timeoutMs: 600_000 });
    const terway = terwayContender(join(repositoryRoot, "dist/bin/terway"), "/var/run/eni/terway.socket");
    const calls = numbers.map((number) => {
      const containerId = `path${number.toString(16).padStart(60, "0")}`;
      return terway.add({ index: number, containerId, netns: `/run/netns/pod${number}`, name: `pod-${number}` });
    });
    await this.#driver.batch(4, calls);
    this.#pods = count;
  }

  /** A pod by its number, from 0. */
  async pod(number: number): Promise<Dual> {
    const enter = (argv: readonly string[]) => this.#node.command(["nsenter", `--net=/run/netns/pod${number}`, "--", ...argv]);
    const { stdout } = await run(enter(["ip", "-json", "address", "show", "dev", "eth0", "scope", "global"]));
    const [link] = JSON.parse(stdout) as { addr_info: { family: string; local: string }[] }[];
    const address = (family: string) => {
      const found = link?.addr_info.find((info) => info.family === family)?.local;
      if (found === undefined) throw new Error(`pod ${number} of ${this.machine.name} has no ${family} address`);
      return found;
    };
    return { ipv4: { enter, address: address("inet") }, ipv6: { enter, address: address("inet6") } };
  }

  close(): void {
    this.#driver.close();
  }
}

/** Everything between which the bench measures. */
export class PathScene {
  readonly #lab: Lab;
  readonly #nodes: readonly [PodNode, PodNode];
  readonly #floors: readonly Pair[];

  private constructor(lab: Lab, nodes: readonly [PodNode, PodNode], floors: readonly Pair[]) {
    this.#lab = lab;
    this.#nodes = nodes;
    this.#floors = floors;
  }

  /** What an earlier run left behind goes first. */
  static async create(mostPods: number, daemonArgs: readonly string[]): Promise<PathScene> {
    await sweep(labId);
    const lab = await Lab.create(labId, planOf(["a", "b", "rule-a", "rule-b", "bare-a", "bare-b"]));
    const machine = (name: string) => machineOf(lab, name);
    const start = (name: string) => PodNode.start(lab, machine(name), mostPods, { args: daemonArgs });
    const nodes = await Promise.all([start("a"), start("b")]);
    const floor = async (name: string, prefix: string, rule: boolean) => {
      const [from, to] = await Promise.all([layFloor(machine(`${prefix}-a`), rule), layFloor(machine(`${prefix}-b`), rule)]);
      return { name, from, to };
    };
    return new PathScene(lab, nodes, [await floor("floor", "rule", true), await floor("forwarding", "bare", false)]);
  }

  fill(count: number): Promise<unknown> {
    return Promise.all(this.#nodes.map((node) => node.fill(count)));
  }

  /** Between nodes: the nodes themselves, the floors, and the pods that were made last, whose rules come last. */
  async across(pods: number): Promise<Pair[]> {
    const [a, b] = this.#nodes;
    return [
      { name: "host", from: hostPlace(a.machine), to: hostPlace(b.machine) },
      ...this.#floors,
      { name: "pods", from: await a.pod(pods - 1), to: await b.pod(pods - 1) },
    ];
  }

  /** On one node: two pods, and a pod and its node. */
  async within(pods: number): Promise<Pair[]> {
    const [a] = this.#nodes;
    const last = await a.pod(pods - 1);
    return [
      { name: "pods", from: last, to: await a.pod(pods - 2) },
      { name: "node to pod", from: hostPlace(a.machine), to: last },
    ];
  }

  /** Removes everything; throws when something is left. */
  async close(): Promise<void> {
    for (const node of this.#nodes) node.close();
    const left = await sweep(this.#lab.directory.id);
    if (left.length > 0) throw new Error(`the bench left behind: ${JSON.stringify(left)}`);
  }
}

export function hostPlace({ netns, primary }: Machine): Dual {
  return { ipv4: namespacePlace(netns, primary.ipv4), ipv6: namespacePlace(netns, primary.ipv6) };
}

/**
 * The floor of a pod's path: the same hops, a pair and an ENI. With `rule` the least that policy routing needs, one rule and one table; without it
 * forwarding by the main table, for which the kernel looks at no rules at all. The machine gives its primary addresses to the one namespace behind it.
 */
export async function layFloor(machine: Machine, rule: boolean): Promise<Dual> {
  const { primary, netns } = machine;
  const pod = await createNetNamespace(`tw-${labId}-${machine.name}-pod`);
  const lines = [
    "ip address flush dev eth0 scope global",
    `ip link add flr type veth peer name eth0 netns ${pod.name}`,
    "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
    "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/eth0/rp_filter",
    `ip -n ${pod.name} link set eth0 up`,
    "ip link set flr up",
    "hostmac=$(cat /sys/class/net/flr/address)",
    `podmac=$(ip netns exec ${pod.name} cat /sys/class/net/eth0/address)`,
  ];
  for (const [flag, address, gateway, hop, bits] of [
    ["-4", primary.ipv4, primary.ipv4Gateway, "169.254.1.1", 32],
    ["-6", primary.ipv6, primary.ipv6Gateway, "fe80::1", 128],
  ] as const) {
    lines.push(
      `ip -n ${pod.name} ${flag} address add ${address}/${bits} dev eth0${flag === "-6" ? " nodad" : ""}`,
      `ip -n ${pod.name} ${flag} neighbour add ${hop} lladdr $hostmac dev eth0 nud permanent`,
      `ip -n ${pod.name} ${flag} route add default via ${hop} dev eth0 onlink`,
      `ip ${flag} neighbour add ${address} lladdr $podmac dev flr nud permanent`,
      `ip ${flag} route add ${address}/${bits} dev flr`,
      `ip ${flag} route replace default via ${gateway} dev eth0 onlink`,
    );
    if (rule) {
      lines.push(
        `ip ${flag} route add default via ${gateway} dev eth0 onlink table 1000`,
        `ip ${flag} rule add priority 2048 from ${address} lookup 1000`,
      );
    }
  }
  // `ip -n NAME` needs the named namespaces, and /sys must show the namespace that asks.
  await run(inNetNamespace(netns, ["unshare", "--mount", "sh", "-ec", `mount -t sysfs sysfs /sys\n${lines.join("\n")}`]));
  return { ipv4: namespacePlace(pod.path, primary.ipv4), ipv6: namespacePlace(pod.path, primary.ipv6) };
}
