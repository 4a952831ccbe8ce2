import { setTimeout as sleep } from "node:timers/promises";
import { createPod, deletePod, type KubernetesCluster, listPods } from "@terway/lab";
import type { SeededRandom } from "@terway/model/testing";
import { PodTimes } from "../scale/pod-times.ts";

export interface ChurnOptions {
  readonly pods: number;
  readonly forMs: number;
  /** At once, at least and at most: the number swings between them, so that ENIs come and go. */
  readonly least: number;
  readonly most: number;
}

export interface Churned {
  readonly created: number;
  /** From the API call that creates it to its phase Running, of the pods that lived to see it. */
  readonly runningMs: readonly number[];
  /** Deleted before they ran. */
  readonly neverRan: number;
}

const swingMs = 120_000;

/** Pods come evenly over the time and go at random, with and without time to end. Those that are there at the end stay. */
export async function churn(cluster: KubernetesCluster, namespace: string, random: SeededRandom, options: ChurnOptions): Promise<Churned> {
  const { client } = cluster;
  const { pods, forMs, least, most } = options;
  const times = new PodTimes(client, namespace);
  await times.start();
  const createdMs = new Map<string, number>();
  const alive: string[] = [];
  const startMs = performance.now();
  for (let index = 0; index < pods; index += 1) {
    const dueMs = startMs + (forMs * index) / pods;
    await sleep(Math.max(0, dueMs - performance.now()));
    const name = `c-${index}`;
    createdMs.set(name, performance.now());
    await createPod(client, { namespace, name });
    alive.push(name);
    const share = (1 - Math.cos((2 * Math.PI * (performance.now() - startMs)) / swingMs)) / 2;
    const target = Math.round(least + (most - least) * share);
    for (let excess = alive.length - target; excess > 0; excess -= 1) {
      const [gone] = alive.splice(random.integer(0, alive.length), 1);
      if (gone !== undefined) await deletePod(client, namespace, gone, random.next() < 0.5 ? 0 : undefined);
    }
  }
  const left = new Set((await listPods(client, namespace)).map(({ metadata }) => metadata.name));
  const runningMs = [...createdMs].flatMap(([name, fromMs]) => {
    const toMs = times.runningMs.get(name);
    return toMs === undefined ? [] : [toMs - fromMs];
  });
  const neverRan = [...createdMs.keys()].filter((name) => !left.has(name) && !times.runningMs.has(name)).length;
  await times.stop();
  return { created: createdMs.size, runningMs, neverRan };
}
