import { isDeepStrictEqual } from "node:util";
import { apply, type KubeClient } from "@terway/kube";
import type { Clock, Datapath, Lease } from "@terway/model";
import type { Cluster } from "../cluster/cluster.ts";
import { nodeRuntimes } from "../cluster/kinds.ts";
import type { Logger } from "../log.ts";
import { hasEnded, type Pods } from "../pods.ts";
import type { OwnResource } from "./own-resource.ts";
import { type RuntimePods, runtimePods } from "./runtime-state.ts";

const fieldManager = "terwayd";
/** Changes that come together are told together. */
const gatherMs = 50;
const retryMs = 1_000;
/** Without any change it is looked again: a pod may have gone that never had a sandbox here. */
const lookMs = 5_000;

export interface RuntimeReportParts {
  readonly client: KubeClient;
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Logger;
  readonly own: OwnResource;
  readonly pods: Pods;
  readonly datapath: Pick<Datapath, "survey">;
  readonly leases: () => readonly Lease[];
  readonly nodeName: string;
}

/** Tells the control plane, in the NodeRuntime object, of which pods something is here: an address is free only when this node has said so. */
export class RuntimeReport {
  readonly #parts: RuntimeReportParts;
  readonly #adding = new Map<string, number>();
  #said: RuntimePods = {};
  #waiting: (() => void)[] = [];
  #wake: (() => void) | undefined;
  #due = true;

  constructor(parts: RuntimeReportParts) {
    this.#parts = parts;
  }

  /** Leases have changed. */
  changed(): void {
    this.#due = true;
    this.#wake?.();
  }

  /** Says that the pod is being set up, for as long as `work` runs; `work` begins when the control plane can know it, where it was told the contrary. */
  async adding<T>(uid: string | undefined, work: () => Promise<T>): Promise<T> {
    if (uid === undefined) return work();
    this.#adding.set(uid, (this.#adding.get(uid) ?? 0) + 1);
    this.changed();
    try {
      if (this.#said[uid]?.status?.deleted !== undefined) await this.#told();
      return await work();
    } finally {
      const left = (this.#adding.get(uid) ?? 1) - 1;
      if (left > 0) this.#adding.set(uid, left);
      else this.#adding.delete(uid);
      this.changed();
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { own, clock, log, pods } = this.#parts;
    const ends = [own.onChange(() => this.changed()), pods.objects.listen(() => this.changed())];
    let begun = false;
    let trouble = "";
    while (!signal.aborted) {
      try {
        if (!begun) {
          await Promise.all([own.synced, pods.synced]);
          this.#said = await this.#read();
          begun = true;
        }
        await this.#tell();
        trouble = "";
        await this.#pause(lookMs, signal);
      } catch (error) {
        if (signal.aborted) break;
        const message = error instanceof Error ? error.message : String(error);
        if (message !== trouble) log.warn(`the node's NodeRuntime cannot be written: ${message}`);
        trouble = message;
        this.#due = true;
        await clock.sleep(retryMs, signal).catch(() => {});
      }
    }
    for (const end of ends) end();
  }

  #told(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #read(): Promise<RuntimePods> {
    const { cluster, nodeName } = this.#parts;
    const object = await cluster.read(nodeRuntimes, undefined, nodeName);
    return object?.status?.pods ?? {};
  }

  async #tell(): Promise<void> {
    const { own, pods, datapath, leases, clock, client, nodeName } = this.#parts;
    this.#due = false;
    const served = this.#waiting.splice(0);
    const surveyed = await datapath.survey();
    if (!surveyed.ok) throw new Error(surveyed.error.message);
    const wanted = runtimePods({
      said: this.#said,
      leases: leases(),
      adding: new Set(this.#adding.keys()),
      bindings: own.bindings(),
      isGone: ({ namespace, name, uid }) => {
        const pod = pods.objects.get(`${namespace}/${name}`);
        return pod === undefined || pod.metadata.uid !== uid || hasEnded(pod);
      },
      occupied: new Set(surveyed.value.flatMap(({ addresses }) => addresses)),
      now: new Date(clock.wallMs()).toISOString().replace(/\.\d+Z$/, "Z"),
    });
    if (!isDeepStrictEqual(wanted, this.#said)) {
      const ref = { resource: nodeRuntimes.resource, name: nodeName };
      if (Object.keys(this.#said).length === 0)
        await apply(client, ref, { metadata: { labels: { name: nodeName } } }, { fieldManager, force: true });
      await apply(client, { ...ref, subresource: "status" }, { status: { pods: wanted } }, { fieldManager, force: true });
      this.#said = wanted;
    }
    for (const done of served) done();
  }

  async #pause(mostMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#parts;
    if (!this.#due) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([woken, clock.sleep(mostMs, signal).catch(() => {})]);
      this.#wake = undefined;
    }
    await clock.sleep(gatherMs, signal).catch(() => {});
  }
}
