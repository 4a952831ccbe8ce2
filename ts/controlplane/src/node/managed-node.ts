import { openPoolOn } from "@terway/ipam";
import type {
  AddressPool,
  Clock,
  Cloud,
  EventReason,
  Lease,
  NodeResource,
  NodeRuntime,
  PoolEvent,
  PoolProblem,
  Random,
  Sandbox,
} from "@terway/model";
import { type AddressPod, addressesOf, demandOf } from "./demand.ts";
import { planOf, specProblems } from "./spec.ts";
import { podInterface, renderForeign } from "./status.ts";
import { clearStatus, poolPart, StatusJournal, type StatusPort } from "./status-journal.ts";

export interface ManagedNodeOptions {
  readonly name: string;
  readonly port: StatusPort;
  readonly cloud: Cloud;
  readonly clock: Clock;
  readonly random: Random;
  /** Mean time between two looks at the cloud; between them it is believed to be as we made it. */
  readonly syncPeriodMs: number;
  /** The node is worth a look again. */
  readonly wake: (afterMs: number) => void;
  readonly onEvent: (event: PoolEvent) => void;
  readonly onTrouble: (message: string, reason?: EventReason) => void;
  readonly failpoint?: Parameters<typeof openPoolOn>[1]["failpoint"];
}

/** What the cluster says of a node now. */
export interface NodeWorld {
  readonly object: NodeResource;
  readonly pods: readonly AddressPod[];
  readonly runtime: NodeRuntime | undefined;
}

/** How long one asking lasts. A pod that waits is asked for again. */
const allocateWithinMs = 60_000;
/** After a refusal. The pool itself probes what was refused by its own, longer back-offs. */
const retryMs = 5_000;

interface Opened {
  readonly pool: AddressPool;
  readonly journal: StatusJournal;
}

/**
 * One node under centralized IPAM: its pool, with the Node object for a journal. `look` brings it nearer to what the cluster wants and waits for nothing
 * slow; what waits for the cloud goes on by itself and wakes the node when it ends.
 */
export class ManagedNode {
  readonly #options: ManagedNodeOptions;
  #opened: Opened | undefined;
  #config: string | undefined;
  #groups: readonly string[] | undefined;
  #foreign = new Set<string>();
  /** Nothing of ours stands in the object. */
  #isFree = false;
  #world: NodeWorld | undefined;
  readonly #asking = new Set<string>();
  readonly #ending = new Set<string>();
  readonly #refused = new Map<string, number>();

  constructor(options: ManagedNodeOptions) {
    this.#options = options;
  }

  get pool(): AddressPool | undefined {
    return this.#opened?.pool;
  }

  get counters(): StatusJournal["counters"] | undefined {
    return this.#opened?.journal.counters;
  }

  /** What hinders the node's pods; undefined while nothing does. */
  get problem(): PoolProblem | undefined {
    return this.#opened?.pool.view().problems.at(-1);
  }

  /** Answers why nothing can be done yet, if so. */
  async look(world: NodeWorld): Promise<string | undefined> {
    this.#world = world;
    const plan = planOf(world.object.spec, this.#options.syncPeriodMs, this.#groups);
    if (world.object.spec?.eni === undefined) await this.#letGo();
    if (typeof plan === "string") return plan;
    if (plan.config.securityGroupIds.length === 0) {
      this.#groups = await this.#instanceGroups(plan.identity.instanceId);
      return this.look(world);
    }
    const opened = this.#opened ?? (await this.#open(plan));
    if (opened === undefined) return "the object is gone";
    const problems = specProblems(world.object.spec);
    if (problems.length > 0) this.#options.onTrouble(problems.join("; "), "ConfigError");
    const config = JSON.stringify(plan.config);
    if (config !== this.#config) opened.pool.reconfigure(plan.config);
    this.#config = config;
    this.#serve(opened, world);
    return undefined;
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    this.#config = undefined;
    this.#foreign.clear();
    this.#asking.clear();
    this.#ending.clear();
    await opened?.pool.close();
  }

  /** The node manages its ENIs by itself (again): this account of them goes, which is what it waits for. */
  async #letGo(): Promise<void> {
    if (this.#isFree) return;
    await this.close();
    await clearStatus(this.#options.port);
    this.#isFree = true;
  }

  async #open({ identity, config }: Exclude<ReturnType<typeof planOf>, string>): Promise<Opened | undefined> {
    const { name, port, cloud, clock, random, onEvent, onTrouble, failpoint } = this.#options;
    let pool: AddressPool | undefined;
    const journal = await StatusJournal.open({
      ...{ port, name: `status of Node ${name}`, node: identity, clock, random },
      shown: {
        securityGroups: (eniId) => pool?.securityGroups(eniId),
        isRested: ({ wallMs }) => clock.wallMs() - wallMs >= config.coolDownMs,
      },
      onLost: (reason) => {
        onTrouble(`its pool is opened anew: ${reason}`, "ResourceInvalid");
        void this.close().then(() => this.#options.wake(retryMs));
      },
      onTrouble: (error) => onTrouble(`its status cannot be written: ${error instanceof Error ? error.message : String(error)}`),
    });
    if (journal === undefined) return undefined;
    pool = await openPoolOn(journal, {
      ...{ cloud, clock, random, config, identity },
      onEvent: (event) => {
        onEvent(event);
        if (event.type === "address-vanished") this.#options.wake(0);
      },
      occupied: async () => this.#inUse(),
      onLook: (answered) => this.#looked(answered),
      ...(failpoint === undefined ? {} : { failpoint }),
    });
    this.#opened = { pool, journal };
    this.#isFree = false;
    this.#config = JSON.stringify(config);
    return this.#opened;
  }

  /** Addresses that pods run with: nobody else gets them, also before their pods have taken them over. */
  #inUse(): string[] {
    return this.#world?.pods.flatMap(addressesOf) ?? [];
  }

  #serve({ pool, journal }: Opened, { pods, runtime }: NodeWorld): void {
    const isLost = ({ eniId, ipv4, ipv6 }: Lease) => {
      const eni = journal.ledger.enis.get(eniId);
      const isThere = eni !== undefined && (!ipv4 || eni.ipv4.includes(ipv4.address)) && (!ipv6 || eni.ipv6.includes(ipv6.address));
      return !isThere;
    };
    const { wanting, ending } = demandOf(pods, pool.leases(), runtime?.status?.pods, isLost);
    for (const lease of ending) if (!this.#ending.has(lease.id)) void this.#end(pool, lease);
    for (const pod of wanting) if (!this.#asking.has(pod.uid)) void this.#ask(pool, pod);
    const uids = new Set(pods.map(({ uid }) => uid));
    for (const uid of this.#refused.keys()) if (!uids.has(uid)) this.#refused.delete(uid);
    // A pod that went before it got anything waits for nothing any more.
    for (const uid of this.#asking)
      if (!uids.has(uid)) void pool.beginRelease(`${uid}/${podInterface}`).then((lease) => lease && this.#end(pool, lease));
  }

  async #ask(pool: AddressPool, pod: AddressPod): Promise<void> {
    const { clock, wake } = this.#options;
    const dueMs = this.#refused.get(pod.uid) ?? 0;
    if (dueMs > clock.monotonicMs()) return wake(dueMs - clock.monotonicMs());
    this.#asking.add(pod.uid);
    const { namespace: podNamespace, name: podName, uid, ipv4, ipv6 } = pod;
    const sandbox: Sandbox = { containerId: uid, ifName: podInterface, netns: "", podNamespace, podName, podUid: uid };
    const own = { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }), taken: true };
    const exact = addressesOf(pod).length > 0 ? { exact: () => own } : {};
    const answer = await pool.allocate(sandbox, { deadlineMs: allocateWithinMs, ...exact });
    if (this.pool !== pool) return;
    this.#asking.delete(uid);
    if (answer.ok) {
      this.#refused.delete(uid);
      return;
    }
    this.#refused.set(uid, clock.monotonicMs() + retryMs);
    this.#options.onTrouble(`pod ${podNamespace}/${podName} has no address: ${answer.failure.message}`);
    wake(retryMs);
  }

  async #end(pool: AddressPool, lease: Lease): Promise<void> {
    this.#ending.add(lease.id);
    try {
      await pool.beginRelease(lease.id);
      await pool.finishRelease(lease.id);
    } catch (error) {
      this.#options.onTrouble(`${lease.id} is not released: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (this.pool !== pool) return;
    this.#ending.delete(lease.id);
    // It may have stood in the way of the pod's own address.
    this.#options.wake(0);
  }

  /** Shows when the cloud was seen, and what there is of others. */
  #looked(answered: boolean): void {
    const opened = this.#opened;
    if (!answered || opened === undefined) {
      // The first look may end before the pool is there.
      if (answered) this.#options.clock.after(0, () => this.#opened && this.#looked(true));
      return;
    }
    const { journal } = opened;
    const { clock, syncPeriodMs } = this.#options;
    const time = (ms: number) => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
    const { warmedUp } = journal.ledger;
    journal.show(poolPart, {
      lastSyncOpenAPITime: time(clock.wallMs()),
      nextSyncOpenAPITime: time(clock.wallMs() + syncPeriodMs),
      warmUpCompleted: warmedUp,
    });
    const foreign = new Map(opened.pool.view().enis.flatMap((eni) => (eni.ours ? [] : [[eni.id, eni] as const])));
    for (const id of this.#foreign) if (!foreign.has(id)) journal.show(id, {});
    this.#foreign = new Set(foreign.keys());
    for (const { id, mac, vSwitchId, type, status } of foreign.values()) {
      const shown = status === "Planned" ? "Creating" : status;
      const nic = renderForeign({ id, mac, vSwitchId, type, status: shown, primaryIpv4: "", ipv4: [], ipv6: [] });
      journal.show(id, { networkInterfaces: { [id]: nic } });
    }
  }

  async #instanceGroups(instanceId: string): Promise<readonly string[]> {
    const enis = await this.#options.cloud.describeEnis({ instanceId });
    const groups = enis.find(({ type }) => type === "Primary")?.securityGroupIds ?? [];
    if (groups.length === 0) throw new Error(`spec.eni.securityGroupIDs is empty and instance ${instanceId} has no security group`);
    return groups;
  }
}
