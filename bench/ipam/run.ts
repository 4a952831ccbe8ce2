import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Store, WorkQueue } from "@terway/kube";
import { type NodeRuntime, nodeResourceSchema, type PodObject, podObjectSchema } from "@terway/model";
import { FakeClock, SeededRandom } from "@terway/model/testing";
import { type NodeRuntimeObject, type NodeSpecObject, nodeResources } from "../../ts/controlplane/src/cluster/kinds.ts";
import { Nodes } from "../../ts/controlplane/src/node/nodes.ts";
import { sharedReads } from "../../ts/controlplane/src/node/shared-reads.ts";
import { MemoryApi } from "../../ts/controlplane/src/node/testing/memory-api.ts";
import { VSwitches } from "../../ts/controlplane/src/runtime/v-switches.ts";
import { describeMachine, type Machine } from "../machine.ts";
import { openRegion, regionId } from "./region.ts";

export interface IpamOptions {
  readonly mode: "full" | "small";
  readonly nodes: number;
  readonly podsPerNode: number;
  readonly changesPerSecond: number;
  readonly seconds: number;
  readonly seed: number;
  /** How long each write to the API server takes, in simulated milliseconds. */
  readonly apiWriteMs: number;
}

export const fullOptions: IpamOptions = {
  mode: "full",
  nodes: 5_000,
  podsPerNode: 30,
  changesPerSecond: 20,
  seconds: 600,
  seed: 1,
  apiWriteMs: 10,
};
export const smallOptions: IpamOptions = { ...fullOptions, mode: "small", nodes: 500 };
export const smokeOptions: IpamOptions = { ...fullOptions, nodes: 10, podsPerNode: 4, seconds: 5 };

interface Phase {
  readonly pods: number;
  readonly simulatedSeconds: number;
  /** Of the whole process: simulated cloud and API server included. */
  readonly cpuSeconds: number;
  readonly cloudReads: number;
  readonly cloudWrites: number;
  readonly apiWrites: number;
  readonly calls: Readonly<Record<string, number>>;
  /** From a pod's binding to its node until its address stands in the object, simulated. */
  readonly latencyMs: readonly number[];
}

export interface IpamResult {
  readonly bench: "ipam";
  readonly version: 1;
  readonly machine: Machine;
  readonly options: IpamOptions;
  readonly start: Phase;
  readonly steady: Phase;
  readonly memory: { readonly peakRssMiB: number; readonly leaderHeapMiB: number; readonly largestObjectBytes: number };
}

const writes = /^(Create|Attach|Detach|Delete|Assign|Unassign)/;
const path = (name: string) => `/apis/network.alibabacloud.com/v1beta1/nodes/${name}`;
const nodeName = (index: number) => `node-${index}`;

/** Centralized IPAM of a whole cluster with a fake clock: all nodes get their pods at once, then pods come and go. */
export async function runIpam(options: IpamOptions, say: (line: string) => void): Promise<IpamResult> {
  const clock = new FakeClock();
  const random = new SeededRandom(options.seed);
  const region = await openRegion(options.nodes, clock, random);
  say(`${options.nodes} instances are there`);
  const api = new MemoryApi();
  const stores = {
    nodes: new Store<NodeSpecObject>(),
    runtimes: new Store<NodeRuntimeObject>(),
    pods: new Store<PodObject>({ node: ({ spec }) => (spec?.nodeName ? [spec.nodeName] : []) }),
  };
  const world = new Pods(stores.pods, stores.runtimes, clock);
  api.onWrite = (written, object) => {
    stores.nodes.set(nodeResources.prune(object));
    world.see(written.slice(written.lastIndexOf("/") + 1), object);
  };
  for (const [index, { instanceId, vSwitchId }] of region.instances.entries()) {
    const spec = {
      nodeMetadata: { regionID: regionId, instanceType: region.instanceType, instanceID: instanceId, zoneID: region.zoneId },
      eni: {
        vSwitchOptions: [vSwitchId],
        securityGroupIDs: [region.securityGroupId],
        vSwitchSelectPolicy: "ordered",
        enableIPv4: true,
      },
      pool: { maxPoolSize: 10, minPoolSize: 5 },
      flavor: [{ networkInterfaceType: "Secondary", networkInterfaceTrafficMode: "Standard", count: 7 }],
    };
    const request = {
      method: "PATCH",
      path: path(nodeName(index)),
      query: { fieldManager: "terwayd" },
      contentType: "application/apply-patch+yaml",
    };
    await api.call({ ...request, method: "PATCH", body: { metadata: { name: nodeName(index) }, spec } });
  }
  api.fault = async (_, after) => {
    if (!after) await clock.sleep(options.apiWriteMs);
  };
  const idleHeap = heapMiB();
  const vSwitches = new VSwitches({ cloud: region.cloud, clock, random, lifeMs: 1_200_000, most: 1000 });
  const nodes = new Nodes({
    ...{ client: api, clock, random, ...stores, syncPeriodMs: 43_200_000 },
    cloud: sharedReads(region.cloud, clock, vSwitches),
    onEvent: () => {},
    onTrouble: () => {},
  });
  const queue = new WorkQueue({
    ...{ clock, random, workers: 500, firstMs: 1_000, mostMs: 300_000 },
    work: async (name) => void (await nodes.look(name)),
  });

  const phase = async (pods: number, run: () => Promise<void>): Promise<Phase> => {
    region.calls();
    world.latencyMs = [];
    const before = { api: api.writes, ms: clock.monotonicMs(), cpu: process.cpuUsage() };
    await run();
    const { user, system } = process.cpuUsage(before.cpu);
    const calls = region.calls();
    const count = (isWrite: boolean) =>
      Object.entries(calls).reduce((sum, [action, times]) => sum + (writes.test(action) === isWrite ? times : 0), 0);
    return {
      pods,
      simulatedSeconds: (clock.monotonicMs() - before.ms) / 1000,
      cpuSeconds: (user + system) / 1e6,
      cloudReads: count(false),
      cloudWrites: count(true),
      apiWrites: api.writes - before.api,
      calls,
      latencyMs: thinned(world.latencyMs),
    };
  };

  const total = options.nodes * options.podsPerNode;
  say(`${total} pods at once`);
  const start = await phase(total, async () => {
    for (let index = 0; index < options.nodes; index += 1)
      for (let pod = 0; pod < options.podsPerNode; pod += 1) world.create(nodeName(index));
    nodes.listen((name, afterMs) => queue.addAfter(name, afterMs));
    for (let minutes = 0; world.waiting > 0 && minutes < 240; minutes += 1) {
      await clock.advance(60_000);
      if (minutes % 5 === 0) say(`after ${minutes + 1} simulated minutes ${world.waiting} pods wait`);
    }
    if (world.waiting > 0) throw new Error(`${world.waiting} pods have no address after 4 simulated hours`);
  });
  // What is still being topped up is not the steady state's.
  await clock.advance(600_000);
  const changes = options.changesPerSecond * options.seconds;
  say(`${changes} changes`);
  const steady = await phase(changes / 2, async () => {
    for (let change = 0; change < changes; change += 1) {
      if (change % 2 === 0) world.create(nodeName(random.integer(0, options.nodes)));
      else world.remove(random);
      await clock.advance(1000 / options.changesPerSecond);
    }
    await clock.advance(30_000);
  });
  if (world.waiting > 0) throw new Error(`${world.waiting} pods have no address 30 s after the last change`);
  const peakRssMiB = process.resourceUsage().maxRSS / 1024;
  const busyHeap = heapMiB();
  let largestObjectBytes = 0;
  for (let index = 0; index < options.nodes; index += 1)
    largestObjectBytes = Math.max(largestObjectBytes, JSON.stringify(api.get(path(nodeName(index)))).length);
  await clock.advanceFor(Promise.all([queue.stop(), nodes.close()]), 600_000);
  const leaderHeapMiB = busyHeap - heapMiB();
  say(`heap before ${idleHeap.toFixed(0)} MiB, with everything ${busyHeap.toFixed(0)} MiB`);
  const memory = { peakRssMiB, leaderHeapMiB, largestObjectBytes };
  return { bench: "ipam", version: 1, machine: describeMachine(), options, start, steady, memory };
}

/** The cluster's pods, and the nodes' daemons as far as they confirm that a sandbox is gone. */
class Pods {
  latencyMs: number[] = [];
  readonly #pods: Store<PodObject>;
  readonly #runtimes: Store<NodeRuntimeObject>;
  readonly #clock: FakeClock;
  readonly #boundMs = new Map<string, number>();
  readonly #running: { readonly name: string; readonly node: string }[] = [];
  readonly #gone = new Map<string, NonNullable<NonNullable<NodeRuntime["status"]>["pods"]>>();
  #number = 0;
  #version = 1;

  constructor(pods: Store<PodObject>, runtimes: Store<NodeRuntimeObject>, clock: FakeClock) {
    this.#pods = pods;
    this.#runtimes = runtimes;
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#boundMs.size;
  }

  create(nodeName: string): void {
    const name = `p-${this.#number++}`;
    this.#boundMs.set(name, this.#clock.monotonicMs());
    this.#running.push({ name, node: nodeName });
    const metadata = { namespace: "default", name, uid: `uid-${name}`, resourceVersion: String(this.#version++) };
    this.#pods.set(podObjectSchema.parse({ metadata, spec: { nodeName } }));
  }

  /** One that runs, and a second later the node's word. */
  remove(random: SeededRandom): void {
    const at = random.integer(0, this.#running.length);
    const [pod] = this.#running.splice(at, 1);
    if (pod === undefined) return;
    this.#boundMs.delete(pod.name);
    this.#pods.delete(`default/${pod.name}`);
    this.#clock.after(1_000, () => {
      const lastUpdateTime = new Date(this.#clock.wallMs()).toISOString();
      const status = {
        pods: {
          ...this.#gone.get(pod.node),
          [`uid-${pod.name}`]: { podID: `default/${pod.name}`, status: { deleted: { lastUpdateTime } } },
        },
      };
      this.#gone.set(pod.node, status.pods);
      this.#runtimes.set({ metadata: { name: pod.node, uid: `runtime-${pod.node}`, resourceVersion: String(this.#version++) }, status });
    });
  }

  /** The object was written: who has an address now? */
  see(_node: string, object: object): void {
    if (this.#boundMs.size === 0) return;
    const { status } = nodeResourceSchema.parse(object);
    for (const nic of Object.values(status?.networkInterfaces ?? {})) {
      for (const { podID } of Object.values(nic.ipv4 ?? {})) {
        const name = podID?.slice("default/".length);
        const since = name === undefined ? undefined : this.#boundMs.get(name);
        if (name === undefined || since === undefined) continue;
        this.#boundMs.delete(name);
        this.latencyMs.push(this.#clock.monotonicMs() - since);
      }
    }
  }
}

/** At most 10,000 samples, evenly over their order: what a percentile needs of 150,000. */
function thinned(samples: readonly number[]): number[] {
  const all = samples.map((ms) => Math.round(ms)).toSorted((a, b) => a - b);
  const most = 10_000;
  if (all.length <= most) return all;
  return Array.from({ length: most }, (_, index) => all[Math.round((index * (all.length - 1)) / (most - 1))] ?? 0);
}

/** After a full collection: what is garbage belongs to nobody. */
function heapMiB(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
