import type { AddressPool, Lease, Metadata, PoolConfig, PoolEvent, Sandbox } from "@terway/model";
import { FakeClock, processClock, SeededRandom } from "@terway/model/testing";
import type { FailpointHook } from "../failpoint.ts";
import { openPool } from "../open.ts";
import { MemoryDisk } from "./memory-storage.ts";
import { ModelCloud } from "./model-cloud.ts";

export const instanceId = "i-1";

export const defaultConfig: PoolConfig = {
  ipv4: true,
  ipv6: false,
  exclusive: false,
  minIdle: 2,
  maxIdle: 5,
  warmUpSize: 0,
  maxEnis: 3,
  ipv4PerEni: 10,
  ipv6PerEni: 10,
  vSwitchIds: ["vsw-a", "vsw-b"],
  vSwitchPolicy: "ordered",
  eniPolicy: "most_ips",
  securityGroupIds: ["sg-1"],
  eniTags: { creator: "terway" },
  coolDownMs: 30_000,
  syncPeriodMs: 60_000,
};

const few = { ...defaultConfig, minIdle: 1, maxIdle: 1, coolDownMs: 0, vSwitchIds: ["vsw-a"] };
/** Nodes on which four pods need more than one ENI, by kind of lease. */
export const fourPods = {
  shared: { ...few, maxEnis: 2, ipv4PerEni: 3 },
  exclusive: { ...few, maxEnis: 5, ipv4PerEni: 3, exclusive: true },
} satisfies Record<string, PoolConfig>;

/** A node for tests: a disk and a cloud that outlive the daemon's process, which can be started, closed and killed. */
export class TestNode {
  readonly clock = new FakeClock();
  readonly random: SeededRandom;
  readonly disk = new MemoryDisk();
  readonly cloud: ModelCloud;
  readonly events: PoolEvent[] = [];
  config: PoolConfig;
  bootId = "boot-1";
  failpoint: FailpointHook | undefined;
  occupied: (() => Promise<readonly string[]>) | undefined;
  metadata: Metadata | undefined;
  private process = 0;
  private current: AddressPool | undefined;

  constructor(seed: number, config: Partial<PoolConfig> = {}, cloud: { left?: number; maxEnis?: number } = {}) {
    this.random = new SeededRandom(seed);
    this.config = { ...defaultConfig, ...config };
    this.cloud = new ModelCloud({
      clock: this.clock,
      random: this.random,
      instanceId,
      vSwitches: [
        { id: "vsw-a", zoneId: "z-1", cidr: "10.0.1.0/24", ipv6Cidr: "2001:db8:1::/64", left: cloud.left ?? 250 },
        { id: "vsw-b", zoneId: "z-1", cidr: "10.0.2.0/24", ipv6Cidr: "2001:db8:2::/64", left: cloud.left ?? 250 },
      ],
      maxEnis: cloud.maxEnis ?? this.config.maxEnis,
      ipv4PerEni: this.config.ipv4PerEni,
      ipv6PerEni: this.config.ipv6PerEni,
    });
  }

  get pool(): AddressPool {
    if (!this.current) throw new Error("the daemon does not run");
    return this.current;
  }

  get running(): boolean {
    return this.current !== undefined;
  }

  async start(): Promise<AddressPool> {
    this.process += 1;
    const me = this.process;
    const isAlive = () => this.process === me;
    const pool = await this.clock.advanceFor(
      openPool({
        journalDir: "",
        storage: this.disk.open(),
        cloud: this.cloud.connect(isAlive),
        clock: processClock(this.clock, isAlive),
        random: this.random,
        config: this.config,
        identity: { instanceId, zoneId: "z-1" },
        bootId: this.bootId,
        onEvent: (event) => this.events.push(event),
        failpoint: async (name) => {
          await this.failpoint?.(name);
          if (!isAlive()) await new Promise(() => {});
        },
        ...(this.occupied && { occupied: this.occupied }),
        ...(this.metadata && { metadata: this.metadata }),
      }),
    );
    this.current = pool;
    return pool;
  }

  /** kill -9, or the loss of power: a part of what was being written may be on the disk. */
  kill(tornFraction = 0): void {
    this.process += 1;
    this.current = undefined;
    this.disk.crash(tornFraction);
  }

  async stop(): Promise<void> {
    await this.clock.advanceFor(this.pool.close());
    this.process += 1;
    this.current = undefined;
  }
}

export function sandbox(name: string, podName = name): Sandbox {
  return { containerId: name, ifName: "eth0", netns: `/var/run/netns/${name}`, podNamespace: "default", podName };
}

/** Adds a pod and lets time pass until there is an answer. */
export async function add(node: TestNode, name: string, deadlineMs = 60_000): Promise<Lease> {
  const answer = await node.clock.advanceFor(node.pool.allocate(sandbox(name), { deadlineMs }));
  if (!answer.ok) throw new Error(answer.failure.message);
  await node.clock.advanceFor(node.pool.bound(answer.lease.id));
  return answer.lease;
}

export async function del(node: TestNode, name: string): Promise<void> {
  await node.clock.advanceFor(node.pool.beginRelease(`${name}/eth0`));
  await node.clock.advanceFor(node.pool.finishRelease(`${name}/eth0`));
}
