import { setTimeout as sleep } from "node:timers/promises";
import { type ClusterNode, isAlive, type KubernetesCluster, type ProcessRecord, signal, waitForEnd } from "@terway/lab";
import type { SeededRandom } from "@terway/model/testing";
import { startReplica } from "../cluster/central.ts";

/** Replicas of the control plane, each on a node of its own, killed and started again at random. */
export class Replicas {
  kills = 0;
  /** Ended by themselves: leads no more, as it must when the API server does not answer, or a defect. */
  ended = 0;
  readonly #cluster: KubernetesCluster;
  readonly #random: SeededRandom;
  readonly #running = new Map<ClusterNode, ProcessRecord>();
  readonly #stop = new AbortController();
  #reviving: Promise<void> = Promise.resolve();

  constructor(cluster: KubernetesCluster, random: SeededRandom) {
    this.#cluster = cluster;
    this.#random = random;
  }

  async start(): Promise<void> {
    for (const { on } of this.#cluster.nodes.slice(0, 2)) await this.#begin(on);
  }

  /** Each lives for 5 to 35 s and is away for up to 6 s; both may be away. All run in the end. */
  async killFor(forMs: number): Promise<void> {
    const end = performance.now() + forMs;
    const one = async (on: ClusterNode) => {
      for (;;) {
        await sleep(this.#random.integer(5_000, 35_000));
        if (performance.now() > end) break;
        const process = this.#running.get(on);
        if (process !== undefined && !(await isAlive(process))) this.ended += 1;
        else if (process !== undefined) {
          await signal(process, "SIGKILL");
          await waitForEnd(process, 10_000);
          this.kills += 1;
        }
        await sleep(this.#random.integer(0, 6_000));
        await this.#begin(on);
      }
    };
    await Promise.all([...this.#running.keys()].map(one));
    this.#reviving = this.#revive();
  }

  /** From the last kill on, starts those that have ended, as a kubelet would. */
  async #revive(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      for (const [on, process] of this.#running) {
        if (await isAlive(process)) continue;
        this.ended += 1;
        await this.#begin(on);
      }
      await sleep(2_000, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  /** Nobody is started any more; those that run go on. */
  async leave(): Promise<void> {
    this.#stop.abort();
    await this.#reviving;
  }

  async #begin(on: ClusterNode): Promise<void> {
    this.#running.set(on, await startReplica(this.#cluster, on));
  }
}
