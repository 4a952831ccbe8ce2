import { ModelCloud } from "@terway/ipam/testing";
import { type Objects, Store, type Stored, WorkQueue } from "@terway/kube";
import type { NodeResource, NodeRuntime, PodObject } from "@terway/model";
import { nodeResourceSchema, podObjectSchema } from "@terway/model";
import { FakeClock, processClock, SeededRandom } from "@terway/model/testing";
import { type NodeRuntimeObject, type NodeSpecObject, nodeResources } from "../../cluster/kinds.ts";
import { Nodes } from "../nodes.ts";
import { MemoryApi } from "./memory-api.ts";

export const nodeName = "node-a";
const instanceId = "i-1";
const nodePath = `/apis/network.alibabacloud.com/v1beta1/nodes/${nodeName}`;

export interface WorldOptions {
  readonly seed?: number;
  readonly maxEnis?: number;
  readonly perEni?: number;
  readonly pool?: NonNullable<NonNullable<NodeResource["spec"]>["pool"]>;
  readonly ipv6?: boolean;
}

/** A cluster with one node for tests: an API server and a cloud that outlive the control plane's process, which can be started and killed. */
export class World {
  readonly clock = new FakeClock();
  readonly random: SeededRandom;
  readonly api = new MemoryApi();
  readonly cloud: ModelCloud;
  readonly troubles: string[] = [];
  /** Told at each step of the running process; what it does not return from never happens. */
  failpoint: ((step: string) => void) | undefined;
  nodes: Nodes | undefined;
  readonly #pods = new Store<PodObject>({ node: ({ spec }) => (spec?.nodeName ? [spec.nodeName] : []) });
  readonly #nodes = new Store<NodeSpecObject>();
  readonly #runtimes = new Store<NodeRuntimeObject>();
  #runtime: NonNullable<NonNullable<NodeRuntime["status"]>["pods"]> = {};
  #process = 0;
  readonly #wishes: NonNullable<NodeResource["spec"]>;
  #version = 1_000_000;
  #stop: (() => Promise<void>) | undefined;

  constructor({ seed = 1, maxEnis = 3, perEni = 10, pool = { maxPoolSize: 5, minPoolSize: 2 }, ipv6 = false }: WorldOptions = {}) {
    this.random = new SeededRandom(seed);
    this.cloud = new ModelCloud({
      ...{ clock: this.clock, random: this.random, instanceId, maxEnis, ipv4PerEni: perEni, ipv6PerEni: perEni },
      vSwitches: [{ id: "vsw-a", zoneId: "z-1", cidr: "10.0.1.0/24", ipv6Cidr: "2001:db8:1::/64", left: 250 }],
    });
    this.api.onWrite = (path, object) => {
      if (path === nodePath) this.#nodes.set(nodeResources.prune(object));
    };
    this.#wishes = {
      nodeMetadata: { regionID: "r", instanceType: "ecs.t", instanceID: instanceId, zoneID: "z-1" },
      eni: { vSwitchOptions: ["vsw-a"], securityGroupIDs: ["sg-1"], vSwitchSelectPolicy: "ordered", enableIPv4: true, enableIPv6: ipv6 },
      pool,
      flavor: [{ networkInterfaceType: "Secondary", networkInterfaceTrafficMode: "Standard", count: maxEnis }],
    };
    void this.applyWishes();
  }

  /** What the node's daemon wants at first. */
  applyWishes(): Promise<unknown> {
    return this.apply(this.#wishes);
  }

  /** What the node's daemon writes. */
  apply(spec: NonNullable<NodeResource["spec"]>): Promise<unknown> {
    return this.api.call({
      method: "PATCH",
      path: nodePath,
      query: { fieldManager: "terwayd" },
      contentType: "application/apply-patch+yaml",
      body: { metadata: { name: nodeName }, spec },
    });
  }

  get object(): NodeResource {
    return nodeResourceSchema.parse(this.api.get(nodePath));
  }

  get spec(): NonNullable<NodeResource["spec"]> {
    return this.object.spec ?? {};
  }

  /** Pod → its addresses, as the object tells the node. */
  get bindings(): Readonly<Record<string, readonly string[]>> {
    const bindings: Record<string, string[]> = {};
    for (const nic of Object.values(this.object.status?.networkInterfaces ?? {}))
      for (const { ip, podID } of [...Object.values(nic.ipv4 ?? {}), ...Object.values(nic.ipv6 ?? {})])
        if (podID) bindings[podID.slice("default/".length)] = [...(bindings[podID.slice("default/".length)] ?? []), ip];
    return bindings;
  }

  /** What the object says of an address. */
  statusOf(address: string | undefined): string | undefined {
    const nics = Object.values(this.object.status?.networkInterfaces ?? {});
    return nics.flatMap(({ ipv4, ipv6 }) => [...Object.values(ipv4 ?? {}), ...Object.values(ipv6 ?? {})]).find(({ ip }) => ip === address)
      ?.status;
  }

  /** The cloud is looked at until what it lacks is believed to be gone. */
  async prove(): Promise<void> {
    for (let look = 0; look < 4; look++) {
      void this.nodes?.get(nodeName)?.pool?.sync();
      await this.clock.advance(40_000);
    }
  }

  get size(): number {
    return JSON.stringify(this.api.get(nodePath)).length;
  }

  pod(name: string, podIps: readonly string[] = [], uid = `uid-${name}`): void {
    const metadata = { namespace: "default", name, uid, resourceVersion: String(this.#version++) };
    this.#pods.set(podObjectSchema.parse({ metadata, spec: { nodeName }, status: { podIPs: podIps.map((ip) => ({ ip })) } }));
  }

  /** The API server forgets it; its sandbox lives on until the node says otherwise. */
  forget(name: string): void {
    this.#pods.delete(`default/${name}`);
  }

  /** The node's word on a pod. */
  say(name: string, state: "initial" | "deleted", uid = `uid-${name}`): void {
    const lastUpdateTime = new Date(this.clock.wallMs()).toISOString();
    this.#runtime = {
      ...this.#runtime,
      [uid]: { podID: `default/${name}`, status: { ...this.#runtime[uid]?.status, [state]: { lastUpdateTime } } },
    };
    const metadata = { name: nodeName, uid: "runtime", resourceVersion: String(this.#version++) };
    this.#runtimes.set({ metadata, status: { pods: this.#runtime } });
  }

  start(): void {
    const me = ++this.#process;
    const isAlive = () => this.#process === me;
    const clock = processClock(this.clock, isAlive);
    const own = <T extends Stored>(store: Store<T>): Objects<T> => ({
      get size() {
        return store.size;
      },
      get: (key) => store.get(key),
      values: () => store.values(),
      by: (index, value) => store.by(index, value),
      listen: (listener) => store.listen((event) => isAlive() && listener(event)),
    });
    const nodes = new Nodes({
      ...{ clock, random: this.random, nodes: own(this.#nodes), runtimes: own(this.#runtimes), pods: own(this.#pods) },
      client: {
        call: async (request) => {
          const answer = await this.api.call(request);
          return isAlive() ? answer : new Promise(() => {});
        },
        open: () => this.api.open(),
      },
      cloud: this.cloud.connect(isAlive),
      syncPeriodMs: 43_200_000,
      onEvent: () => {},
      onTrouble: (_, message) => this.troubles.push(message),
      failpoint: async (_, step) => {
        if (isAlive()) this.failpoint?.(step);
        if (!isAlive()) await new Promise(() => {});
      },
    });
    const queue = new WorkQueue({
      ...{ clock, random: this.random, workers: 4, firstMs: 500, mostMs: 30_000 },
      work: async (name) => void (await nodes.look(name)),
      onFailure: (_, error) => this.troubles.push(String(error)),
    });
    this.nodes = nodes;
    const ignore = nodes.listen((name, afterMs) => queue.addAfter(name, afterMs));
    this.#stop = async () => {
      ignore();
      await queue.stop();
      await nodes.close();
    };
  }

  async stop(): Promise<void> {
    const stop = this.#stop;
    if (stop) await this.clock.advanceFor(stop(), 60_000);
    this.#process += 1;
  }

  /** `kill -9`: what was sent takes effect, and nothing of the process goes on. */
  kill(): void {
    this.#process += 1;
    this.nodes = undefined;
  }
}
