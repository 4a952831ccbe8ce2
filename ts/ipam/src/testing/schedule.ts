import type { CloudErrorClass, Lease, PoolConfig } from "@terway/model";
import { SeededRandom, settle } from "@terway/model/testing";
import { failpoints } from "../failpoint.ts";
import type { Fault } from "./model-cloud.ts";
import { sandbox, TestNode } from "./node.ts";

/** One pod sandbox as kubelet, the runtime and the kernel see it, independent of what the pool believes. */
interface Pod {
  readonly name: string;
  state: "adding" | "live" | "deleting" | "unknown" | "gone";
  lease?: Lease;
}

export interface ScheduleOptions {
  readonly seed: number;
  readonly steps: number;
  /** Without it the daemon is never killed: the control group of I6. */
  readonly crashes: boolean;
  /** Whole ENIs, for which the configuration also changes so that idle ones have to be replaced. */
  readonly exclusive?: boolean;
}

/** The most cloud calls in any minute, whatever happens (I11): five operations that poll or retry, and the looks. */
export const callsPerMinute = 100;

/**
 * One random life of a node: pods come and go, the cloud misbehaves, the daemon is killed at named steps or anywhere, the wall clock jumps, the
 * machine reboots. Invariants are checked at every answer and every effect; `finish` lets everything calm down and checks what must hold then.
 */
export class Schedule {
  readonly node: TestNode;
  private readonly random: SeededRandom;
  private readonly options: ScheduleOptions;
  private readonly pods = new Map<string, Pod>();
  /** Address, or ENI that is held whole → pod, from the answer of the ADD until the kernel has nothing of it. */
  private readonly inUse = new Map<string, string>();
  private readonly releasedMs = new Map<string, number>();
  private readonly violations: string[] = [];
  private readonly pending = new Set<Promise<void>>();
  private nextName = 1;
  private profile: () => Fault | undefined = () => undefined;
  kills = 0;

  constructor(options: ScheduleOptions) {
    this.options = options;
    this.random = new SeededRandom(options.seed);
    const config: Partial<PoolConfig> = {
      ipv6: this.random.chance(0.3),
      minIdle: this.random.integer(0, 4),
      maxIdle: this.random.integer(0, 8),
      maxEnis: this.random.integer(1, options.exclusive ? 6 : 4),
      ipv4PerEni: this.random.integer(2, 9),
      ipv6PerEni: this.random.integer(2, 9),
      vSwitchPolicy: this.random.pick(["ordered", "random", "most"] as const) ?? "ordered",
      eniPolicy: this.random.pick(["most_ips", "least_ips"] as const) ?? "most_ips",
      exclusive: options.exclusive ?? false,
      warmUpSize: this.random.chance(0.3) ? this.random.integer(1, 12) : 0,
      ...(this.random.chance(0.3) && { reclaim: { afterMs: 40_000, intervalMs: 30_000, batchSize: 2, jitterFactor: 0.1 } }),
      coolDownMs: this.random.pick([0, 5_000, 60_000]) ?? 0,
      syncPeriodMs: this.random.pick([20_000, 120_000]) ?? 60_000,
    };
    this.node = new TestNode(options.seed ^ 0x5eed, config, { left: this.random.chance(0.2) ? this.random.integer(0, 8) : 250 });
    // What the kernel routes, as the daemon reads it.
    this.node.occupied = async () => [...this.inUse.keys()].filter((name) => !name.startsWith("eni-"));
    this.node.cloud.faultFor = (action) => (this.profile() && isPossible(action, this.profileFault()) ? this.lastFault : undefined);
    this.node.cloud.onEffect = (action, eniId, addresses) => this.checkEffect(action, eniId, addresses);
  }

  private lastFault: Fault | undefined;
  private profileFault(): Fault | undefined {
    this.lastFault = this.profile();
    return this.lastFault;
  }

  async run(): Promise<void> {
    await this.node.start();
    for (let step = 0; step < this.options.steps; step += 1) {
      await this.step();
      if (!this.node.running) await this.restart();
      this.throwIfViolated();
    }
  }

  /** Everything works again, nothing new happens: what must be true after a while. */
  async finish(): Promise<void> {
    const { node } = this;
    this.profile = () => undefined;
    node.failpoint = undefined;
    node.disk.failure = undefined;
    node.cloud.maxLagMs = 0;
    for (const vSwitch of node.cloud.options.vSwitches) vSwitch.left = 250;
    await node.clock.advance(150_000);
    // Long quiet time costs looks at the cloud and proves nothing more.
    node.config = { ...node.config, syncPeriodMs: 120_000 };
    if (node.running) node.pool.reconfigure(node.config);
    else await this.restart();
    // What a crash left unanswered: the runtime deletes it.
    for (const pod of this.pods.values()) if (pod.state === "unknown" || pod.state === "deleting") await this.settled(this.del(pod));
    await node.clock.advance(2_400_000);
    this.checkCalm();
    // Liveness (I16): with a slot free, an ADD succeeds.
    const view = node.pool.view();
    const lost = node.config.maxEnis - view.enis.filter((eni) => eni.status === "InUse").length;
    if (view.used < view.capacity || lost > 0) {
      const answer = await node.clock.advanceFor(node.pool.allocate(sandbox("last"), { deadlineMs: 240_000 }));
      if (!answer.ok) this.violate(`I16: ${view.capacity - view.used} addresses are left and the ADD failed: ${answer.failure.message}`);
    }
    this.checkBudget();
    this.throwIfViolated();
  }

  /** What recovery must not change (I6): leases that live, as pod names. */
  livePods(): string[] {
    return [...this.pods.values()].filter((pod) => pod.state === "live").map((pod) => pod.name);
  }

  private async step(): Promise<void> {
    const { node, random } = this;
    const dice = random.next();
    if (dice < 0.34) this.start(this.add());
    else if (dice < 0.54) this.start(this.del(this.pick("live")));
    else if (dice < 0.58) this.start(this.repeatAdd(this.pick("live")));
    else if (dice < 0.61) this.start(this.lateDel(this.pick("gone")));
    else if (dice < 0.64) this.chooseFaults();
    else if (dice < 0.66) node.clock.jumpWall(random.integer(-7_200_000, 7_200_000));
    else if (dice < 0.68) this.start(node.pool.sync());
    else if (dice < 0.7) this.reconfigure();
    else if (dice < 0.72) this.toggleDisk();
    else if (dice < 0.75 && this.options.crashes) this.crash();
    else if (dice < 0.79 && this.options.crashes) this.armFailpoint();
    else if (dice < 0.8 && this.options.crashes) await this.replaceDaemon();
    else await node.clock.advance(random.pick([1, 10, 200, 2_000, 10_000, 61_000, 300_000]) ?? 0);
    if (random.chance(0.3)) await settle();
  }

  private start(work: Promise<void>): void {
    const tracked: Promise<void> = work.finally(() => this.pending.delete(tracked));
    tracked.catch((error: unknown) => this.violate(`unexpected: ${error instanceof Error ? error.stack : String(error)}`));
    this.pending.add(tracked);
  }

  private async settled(work: Promise<void>): Promise<void> {
    await this.node.clock.advanceFor(work, 600_000);
  }

  private pick(state: Pod["state"]): Pod | undefined {
    return this.random.pick([...this.pods.values()].filter((pod) => pod.state === state));
  }

  private async add(): Promise<void> {
    const pod: Pod = { name: `p${this.nextName++}`, state: "adding" };
    this.pods.set(pod.name, pod);
    const { pool } = this.node;
    const options = { deadlineMs: this.random.pick([500, 5_000, 30_000, 120_000]) ?? 0 };
    const twice = this.random.chance(0.2);
    const answers = await Promise.all([
      pool.allocate(sandbox(pod.name), options),
      ...(twice ? [pool.allocate(sandbox(pod.name), options)] : []),
    ]);
    const leases = answers.flatMap((answer) => (answer.ok ? [answer.lease] : []));
    const [lease] = leases;
    if (lease === undefined) {
      pod.state = "unknown"; // kubelet sends a DEL for a failed ADD
      return;
    }
    if (leases.some((other) => other.generation !== lease.generation)) this.violate(`I8: ${pod.name} has two leases`);
    if (pod.state !== "adding") return;
    this.takeUp(pod, lease);
    for (const address of addresses(lease)) {
      if (!this.node.cloud.isAttached(address)) this.violate(`I2: ${address} for ${pod.name} is not on an attached ENI`);
    }
    if (this.random.chance(0.8)) await pool.bound(lease.id).catch(() => undefined);
  }

  private takeUp(pod: Pod, lease: Lease): void {
    const nowMs = this.node.clock.monotonicMs();
    const others = [...this.pods.values()].filter((other) => other !== pod && other.state === "live" && other.lease);
    for (const { name, lease: other } of others) {
      if (other?.exclusive !== lease.exclusive) this.violate(`flavour: ${pod.name} and ${name} have leases of different kinds`);
    }
    for (const address of holdings(lease)) {
      const holder = this.inUse.get(address);
      if (holder !== undefined && holder !== pod.name) this.violate(`I1: ${address} is given to ${pod.name} while ${holder} uses it`);
      const restedMs = nowMs - (this.releasedMs.get(address) ?? Number.NEGATIVE_INFINITY);
      if (pod.lease === undefined && restedMs < this.node.config.coolDownMs) this.violate(`I9: ${address} rested only ${restedMs} ms`);
      this.inUse.set(address, pod.name);
    }
    pod.state = "live";
    pod.lease = lease;
  }

  private async repeatAdd(pod: Pod | undefined): Promise<void> {
    if (!pod?.lease) return;
    const { lease } = pod;
    const answer = await this.node.pool.allocate(sandbox(pod.name), { deadlineMs: 10_000 });
    if (pod.state !== "live") return;
    if (!answer.ok && answer.failure.reason === "stopping") return;
    if (!answer.ok || answer.lease.generation !== lease.generation || answer.lease.ipv4?.address !== lease.ipv4?.address) {
      this.violate(`I8: a repeated ADD of ${pod.name} got ${JSON.stringify(answer)} instead of generation ${lease.generation}`);
    }
  }

  private async del(pod: Pod | undefined): Promise<void> {
    if (!pod) return;
    pod.state = "deleting";
    const id = `${pod.name}/eth0`;
    const { pool } = this.node;
    try {
      const lease = await pool.beginRelease(id);
      if (pod.lease && lease && lease.generation !== pod.lease.generation) this.violate(`I7: a DEL of ${pod.name} met another generation`);
      if (this.random.chance(0.5)) await this.node.clock.sleep(this.random.integer(0, 3_000));
      if (pool !== this.current()) return; // the process died meanwhile; the runtime repeats the DEL
      this.forget(pod);
      await pool.finishRelease(id);
      if (pool === this.current() || !this.node.running) pod.state = "gone";
    } catch {
      // The disk is full: the DEL failed, and the runtime will repeat it.
      if (pod.state === "deleting") pod.state = "unknown";
    }
  }

  private current() {
    return this.node.running ? this.node.pool : undefined;
  }

  /** The kernel has nothing of it any more. */
  private forget(pod: Pod): void {
    for (const [address, name] of this.inUse) {
      if (name !== pod.name) continue;
      this.inUse.delete(address);
      this.releasedMs.set(address, this.node.clock.monotonicMs());
    }
  }

  /** I7: the DEL of a sandbox that is gone, sent once more. */
  private async lateDel(pod: Pod | undefined): Promise<void> {
    if (!pod) return;
    const { pool } = this.node;
    const lease = await pool.beginRelease(`${pod.name}/eth0`);
    if (lease) this.violate(`I7: a late DEL of ${pod.name} found the lease of generation ${lease.generation}`);
    await pool.finishRelease(`${pod.name}/eth0`);
  }

  private crash(): void {
    this.kills += 1;
    this.node.kill(this.random.next());
  }

  private armFailpoint(): void {
    const name = this.random.pick(failpoints);
    let after = this.random.integer(0, 3);
    const torn = this.random.next();
    this.node.failpoint = (hit) => {
      if (hit !== name || !this.node.running) return;
      after -= 1;
      if (after >= 0) return;
      this.node.failpoint = undefined;
      this.kills += 1;
      this.node.kill(torn);
    };
  }

  /** A new version takes over: the old one is told to stop. */
  private async replaceDaemon(): Promise<void> {
    this.node.failpoint = undefined;
    this.node.disk.failure = undefined;
    await this.node.stop();
    this.abandon();
  }

  private async restart(): Promise<void> {
    const { node, random } = this;
    this.abandon();
    node.disk.failure = undefined;
    node.failpoint = undefined;
    if (random.chance(0.1)) node.bootId = `boot-${random.integer(0, 1_000_000)}`;
    await node.clock.advance(random.pick([0, 100, 5_000, 120_000]) ?? 0);
    const pool = await node.start();
    const leases = new Map(pool.leases().map((lease) => [lease.sandbox.containerId, lease]));
    for (const pod of this.pods.values()) {
      const lease = leases.get(pod.name);
      if (pod.state === "live" && lease?.generation !== pod.lease?.generation)
        this.violate(`I6: the lease of ${pod.name} was lost in a crash`);
      if (pod.state === "live" && lease?.state === "releasing") this.violate(`I6: ${pod.name} is being released and nobody deleted it`);
      if (pod.state === "gone" && lease) this.violate(`I6: ${pod.name} was released for good and came back`);
    }
    for (const lease of leases.values()) if (!this.pods.has(lease.sandbox.containerId)) this.violate(`I6: a lease of nobody: ${lease.id}`);
  }

  /** Calls under way met the end of the process: their outcome is unknown. */
  private abandon(): void {
    for (const pod of this.pods.values()) if (pod.state === "adding" || pod.state === "deleting") pod.state = "unknown";
    this.start(this.redo());
  }

  /** The runtime repeats what was not answered: a DEL for all of it. */
  private async redo(): Promise<void> {
    await this.node.clock.sleep(this.random.integer(0, 20_000));
    for (const pod of this.pods.values()) if (pod.state === "unknown" && this.node.running) await this.del(pod);
  }

  private reconfigure(): void {
    const { node, random } = this;
    node.config = { ...node.config, minIdle: random.integer(0, 4), maxIdle: random.integer(0, 8) };
    if (this.options.exclusive) {
      const groups = random.pick([["sg-1"], ["sg-1"], ["sg-2", "sg-1"]]) ?? [];
      const vSwitchIds = random.pick([["vsw-a", "vsw-b"], ["vsw-a", "vsw-b"], ["vsw-b"]]) ?? [];
      // A node that is to change back goes on as it is while pods live.
      node.config = { ...node.config, securityGroupIds: groups, vSwitchIds, exclusive: random.chance(0.8) };
    }
    node.pool.reconfigure(node.config);
  }

  private toggleDisk(): void {
    const { disk } = this.node;
    disk.failure = disk.failure ? undefined : Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  }

  private chooseFaults(): void {
    const { random, node } = this;
    const refuse = (...classes: CloudErrorClass[]): Fault => {
      const errorClass = random.pick(classes) ?? "transient";
      return { kind: "refused", class: errorClass, code: `Model.${errorClass}` };
    };
    node.cloud.maxLagMs = random.chance(0.4) ? random.integer(0, 12_000) : 0;
    const share = random.pick([0.05, 0.3, 1]) ?? 0;
    const faulty = (fault: () => Fault) => () => (random.chance(share) ? fault() : undefined);
    const lossy: readonly Fault[] = [{ kind: "lost" }, { kind: "swallowed" }, { kind: "partial" }];
    this.profile =
      random.pick<() => Fault | undefined>([
        () => undefined,
        () => undefined,
        faulty(() => random.pick(lossy) ?? { kind: "lost" }),
        faulty(() => refuse("throttled", "transient", "conflict", "degraded")),
        faulty(() => refuse("denied", "invalid")),
        faulty(() => refuse("exhausted", "quota")),
        faulty(() => ({ kind: "empty" })),
      ]) ?? (() => undefined);
  }

  private checkEffect(action: string, eniId: string, touched: readonly string[]): void {
    const eni = this.node.cloud.truth().find(({ id }) => id === eniId);
    const lost = action.startsWith("Unassign") ? touched : [eniId, ...(eni?.ipv4 ?? []), ...(eni?.ipv6 ?? [])];
    for (const address of lost) {
      const pod = this.inUse.get(address);
      if (pod !== undefined) this.violate(`${action.startsWith("Unassign") ? "I3" : "I4"}: ${action} takes ${address} from ${pod}`);
    }
  }

  private checkCalm(): void {
    const { node } = this;
    const view = node.pool.view();
    const ours = node.cloud.truth();
    const shown = new Set(view.enis.filter((eni) => eni.ours && eni.status !== "Planned").map(({ id }) => id));
    for (const eni of ours) if (!shown.has(eni.id)) this.violate(`I5: ${eni.id} (${eni.status}) was made and is not known`);
    const live = new Set(this.livePods());
    for (const lease of view.leases)
      if (!live.has(lease.sandbox.containerId)) this.violate(`I6: ${lease.id} holds an address and no pod lives`);
    if (view.leases.length !== live.size) this.violate(`I6: ${live.size} pods live, ${view.leases.length} leases`);
    for (const eni of ours) {
      const known = view.enis.find(({ id }) => id === eni.id);
      const listed = new Set(known?.addresses.map(({ address }) => address));
      for (const address of [...eni.ipv4, ...eni.ipv6]) if (!listed.has(address)) this.violate(`I5: ${address} is assigned and not known`);
      if (listed.size > eni.ipv4.length + eni.ipv6.length) this.violate(`I2: ${eni.id} is believed to have addresses that it has not`);
    }
    const { minIdle, maxIdle } = node.config;
    const inUseEnis = ours.filter((eni) => [...eni.ipv4, ...eni.ipv6].some((address) => this.inUse.has(address))).length;
    // The primary addresses of ENIs in use cannot be given back, and a new ENI comes with its own.
    const ceiling = Math.max(minIdle, maxIdle) + (view.exclusive ? 0 : inUseEnis);
    if (view.free + view.cooling > ceiling) this.violate(`I10: ${view.free} free and ${view.cooling} cooling, ceiling ${ceiling}`);
    const reclaimed = minIdle + (view.exclusive ? 0 : inUseEnis);
    if (node.config.reclaim && view.free + view.cooling > reclaimed)
      this.violate(`reclaim: ${view.free} free and ${view.cooling} cooling, not more than ${reclaimed} after a long quiet`);
    const possible = Math.min(minIdle, view.capacity - view.used);
    if (view.free + view.cooling < possible) this.violate(`warm: ${view.free} free of ${possible}: ${JSON.stringify(view.problems)}`);
    const { securityGroupIds, vSwitchIds } = node.config;
    for (const eni of view.exclusive ? ours : []) {
      const isHeld = this.inUse.has(eni.id);
      const isCurrent = vSwitchIds.includes(eni.vSwitchId) && `${[...eni.securityGroupIds].sort()}` === `${[...securityGroupIds].sort()}`;
      if (!isHeld && (!isCurrent || eni.ipv4.length > 1)) this.violate(`${eni.id} is kept and not what a new one would be`);
    }
    const open = view.enis.flatMap((eni) => eni.addresses).filter(({ state }) => !["free", "used", "cooling"].includes(state));
    if (open.length > 0) this.violate(`not calm: ${JSON.stringify(open)}`);
  }

  private checkBudget(): void {
    const { calls } = this.node.cloud;
    for (let from = 0, to = 0; to < calls.length; to += 1) {
      while ((calls[to]?.atMs ?? 0) - (calls[from]?.atMs ?? 0) > 60_000) from += 1;
      if (to - from + 1 > callsPerMinute) {
        this.violate(`I11: ${to - from + 1} calls within a minute`);
        return;
      }
    }
  }

  private violate(message: string): void {
    this.violations.push(`${message} (at ${Math.round(this.node.clock.monotonicMs())} ms)`);
  }

  private throwIfViolated(): void {
    if (this.violations.length > 0) throw new Error(`seed ${this.options.seed}: ${this.violations.slice(0, 5).join("; ")}`);
  }
}

function holdings(lease: Lease): string[] {
  return lease.exclusive ? [...addresses(lease), lease.eniId] : addresses(lease);
}

function addresses(lease: Lease): string[] {
  return [lease.ipv4?.address, lease.ipv6?.address].filter((address) => address !== undefined);
}

/** Faults that can befall the call at all. */
function isPossible(action: string, fault: Fault | undefined): boolean {
  if (!fault) return false;
  if (fault.kind === "empty") return action === "DescribeNetworkInterfaces";
  if (fault.kind === "partial") return action.startsWith("Assign");
  if (fault.kind === "lost" || fault.kind === "swallowed") return true;
  if (fault.class === "exhausted" || fault.class === "quota")
    return action.startsWith("Assign") || action.startsWith("Create") || action.startsWith("Attach");
  if (fault.class === "conflict") return !action.startsWith("Describe");
  return true;
}
