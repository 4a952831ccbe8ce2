import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Lab, type LabNode, type LabPlan, type ProcessRecord, repositoryRoot, sweep, until } from "@terway/lab";
import { type Driver, startDriver } from "../driver.ts";
import { type BenchPod, type Contender, floorContender, ptpContender, terwayContender } from "./contender.ts";
import { startDaemon } from "./daemon.ts";
import { type AddMode, labelNode, modeKeys, requireMode } from "./mode.ts";

const labId = "bench";

/** One machine large enough for a thousand pods and the batches beside them; the cloud answers at once, it is not what is measured. */
const plan: LabPlan = {
  regionId: "cn-hangzhou",
  cidr: "10.0.0.0/8",
  ipv6Cidr: "fd00:0:0:100::/56",
  vSwitches: [{ name: "pods", zoneId: "cn-hangzhou-h", cidr: "10.1.0.0/16", ipv6Cidr: "fd00:0:0:101::/64" }],
  nodes: [{ name: "node", instanceType: "ecs.ebmg9i.48xlarge", vSwitch: "pods" }],
  delays: "instant",
  seed: 1,
};

/** ENIs of that instance type beside its primary one, which pods may have. */
const exclusiveEnis = 30;

export type Contenders = readonly [terway: Contender, floor: Contender, ptp: Contender];

/** A machine of the lab with terwayd, the floor's server and `ptp`, and network namespaces that stand for pods. */
export class Scene {
  readonly contenders: Contenders;
  readonly driver: Driver;
  readonly #node: LabNode;
  readonly #daemon: ProcessRecord;
  #namespaces = 0;
  #containers = 0;

  private constructor(node: LabNode, daemon: ProcessRecord, contenders: Contenders) {
    this.#node = node;
    this.#daemon = daemon;
    this.contenders = contenders;
    this.driver = startDriver(node.command([program("bench-driver"), "calls"]));
  }

  /** Resolves when the daemon holds so many free addresses. What an earlier run left behind goes first. */
  static async create(mode: AddMode, freeAddresses: number): Promise<Scene> {
    await sweep(labId);
    const lab = await Lab.create(labId, plan);
    const [machine] = lab.world.nodes;
    if (machine === undefined) throw new Error("the lab has no machine");
    const node = await lab.boot(machine);
    const daemon = await startDaemon(lab, machine, node, {
      // In mode exclusive an address is an ENI.
      free: Math.min(freeAddresses, mode === "exclusive" ? exclusiveEnis : Number.POSITIVE_INFINITY),
      ipStack: "ipv4",
      args: await labelNode(node, mode),
      keys: modeKeys[mode],
    });
    await requireMode(node, mode);
    const floorSocket = await startFloor(node);
    const floorAddress = (index: number) => `10.222.${index >> 8}.${index & 255}`;
    const ptpData = join(node.sharedDirectory, "ptp");
    await mkdir(ptpData, { recursive: true });
    return new Scene(node, daemon, [
      terwayContender(program("terway"), "/var/run/eni/terway.socket"),
      floorContender({ program: program("floor"), socket: floorSocket, eni: "flreni", gateway: "10.222.255.253", address: floorAddress }),
      ptpContender("/usr/lib/cni", ptpData),
    ]);
  }

  /**
   * Network namespaces for so many pods of each contender; made once and used again, since making them is not what is measured. Each has its own:
   * a device that one contender has not quite removed must not meet the next one's.
   */
  async reserve(count: number): Promise<void> {
    const lines: string[] = [];
    for (; this.#namespaces < count; this.#namespaces += 1) {
      for (const { name } of this.contenders) {
        lines.push(`ip netns add ${name}${this.#namespaces}`, `ip -n ${name}${this.#namespaces} link set lo up`);
      }
    }
    if (lines.length > 0) await this.#node.run(["sh", "-e"], { input: lines.join("\n"), timeoutMs: 600_000 });
  }

  /** A sandbox that never was before, for the pod of that number, in the namespace of that number unless another one is named. */
  pod({ name }: Contender, index: number, namespace = index): BenchPod {
    if (namespace >= this.#namespaces) throw new RangeError(`no namespace ${namespace}: reserve it first`);
    this.#containers += 1;
    const containerId = `bench${this.#containers.toString(16).padStart(59, "0")}`;
    return { index, containerId, netns: `/run/netns/${name}${namespace}`, name: `pod-${index}` };
  }

  /** Resident set of the daemon, MiB. */
  async daemonRssMiB(): Promise<number> {
    const status = await readFile(`/proc/${this.#daemon.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }

  /** Names of the links in the node's namespace that are no ENIs: those come and go with the pool. */
  async links(): Promise<string[]> {
    const text = await readFile(`/proc/${this.#node.pid1.pid}/net/dev`, "utf8");
    return text.split("\n").flatMap((line) => /^\s*(?!eth\d)([^:\s]+):/.exec(line)?.[1] ?? []);
  }

  /** Removes everything; throws when something is left. */
  async close(): Promise<void> {
    this.driver.close();
    const left = await sweep(labId);
    if (left.length > 0) throw new Error(`the bench left behind: ${JSON.stringify(left)}`);
  }
}

/** The floor's server, and a pair that stands for its ENI: what it costs to make objects on it does not depend on who reads the far end. */
async function startFloor(node: LabNode): Promise<string> {
  const directory = join(node.sharedDirectory, "floor");
  await mkdir(directory, { recursive: true });
  const lines = ["ip link add flreni type veth peer name flrfar", "ip link set flreni up", "ip link set flrfar up"];
  await node.run(["sh", "-e"], { input: lines.join("\n") });
  const socket = join(directory, "socket");
  await node.start("floor", [program("floor"), "serve", "--socket", socket, "--dir", directory]);
  await until("the floor's server listens", 5_000, async () => (await node.run(["test", "-S", socket], { allow: [1] })).code === 0);
  return socket;
}

function program(name: string): string {
  return join(repositoryRoot, "dist/bin", name);
}
