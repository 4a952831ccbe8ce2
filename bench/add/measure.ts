import { median } from "../statistics.ts";
import type { BenchPod, Contender } from "./contender.ts";
import type { AddMode } from "./mode.ts";
import type { Samples, Verb } from "./samples.ts";
import type { Scene } from "./scene.ts";

export interface AddOptions {
  readonly mode: AddMode;
  /** Calls in one round at parallelism 1; a batch of more at once is as large as its parallelism. */
  readonly callsPerRound: number;
  readonly rounds: number;
  readonly parallels: readonly number[];
  /** Pods that are there already while one at a time is measured. */
  readonly fewPods: number;
  readonly manyPods: number;
  readonly renames: number;
  readonly churnCycles: number;
  /** Pods of one step of the churn. */
  readonly churnWidth: number;
}

/** Each contender in turn makes and removes the same pods, one round after the other, so that a slow minute of the machine hits all alike. */
export async function measureRounds(
  scene: Scene,
  samples: Samples,
  { parallel, calls, rounds, podsPresent }: { parallel: number; calls: number; rounds: number; podsPresent: number },
): Promise<void> {
  await scene.reserve(podsPresent + calls);
  for (let round = 0; round < rounds; round += 1) {
    for (const contender of rotate(scene.contenders, round)) {
      const pods = podsFrom(scene, contender, podsPresent, calls);
      for (const verb of ["ADD", "DEL"] as const) {
        const { samplesMs } = await callAll(scene, contender, verb, parallel, pods);
        samples.record({ contender: contender.name, verb, parallel, podsPresent, ms: samplesMs });
      }
    }
  }
}

export function callAll(scene: Scene, contender: Contender, verb: Verb, parallel: number, pods: readonly BenchPod[]) {
  return scene.driver.batch(
    parallel,
    pods.map((pod) => (verb === "ADD" ? contender.add(pod) : contender.del(pod))),
  );
}

/** Pods of each contender that stay while others are measured beside them. */
export async function populate(scene: Scene, from: number, to: number): Promise<void> {
  await scene.reserve(to);
  for (const contender of scene.contenders) await callAll(scene, contender, "ADD", 4, podsFrom(scene, contender, from, to - from));
}

export function podsFrom(scene: Scene, contender: Contender, from: number, count: number): BenchPod[] {
  return Array.from({ length: count }, (_, index) => scene.pod(contender, from + index));
}

/** DEL and at once ADD of one pod name, and how long the kernel then still holds the old device. */
export async function measureRenames(
  scene: Scene,
  index: number,
  count: number,
): Promise<{ delThenAddMs: number[]; deviceGoneMs: number[] }> {
  const [terway] = scene.contenders;
  await scene.reserve(index + 2);
  const delThenAddMs: number[] = [];
  const deviceGoneMs: number[] = [];
  let current = scene.pod(terway, index);
  await callAll(scene, terway, "ADD", 1, [current]);
  for (let turn = 0; turn < count; turn += 1) {
    const linksBefore = (await scene.links()).length;
    const next = scene.pod(terway, index, index + ((turn + 1) % 2));
    const { wallMs } = await scene.driver.batch(1, [terway.del(current), terway.add(next)]);
    delThenAddMs.push(wallMs);
    const answered = performance.now();
    while ((await scene.links()).length > linksBefore) {
      if (performance.now() - answered > 5_000) throw new Error("a device is still there 5 s after its DEL was answered");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    deviceGoneMs.push(Math.max(performance.now() - answered, 0.001));
    current = next;
  }
  await callAll(scene, terway, "DEL", 1, [current]);
  return { delThenAddMs, deviceGoneMs };
}

/** Sets of namespaces that take turns: a runtime makes a new one for each sandbox, and never meets a device on its way out. */
export const churnSets = 4;

/** Thousands of ADDs and DELs; the daemon's resident set after each thousand. */
export async function measureChurn(scene: Scene, from: number, cycles: number, width: number): Promise<number[]> {
  const [terway] = scene.contenders;
  await scene.reserve(from + churnSets * width);
  const perThousand: number[] = [];
  let seen: number[] = [];
  for (let done = 0; done < cycles; done += width) {
    const pods = podsFrom(scene, terway, from + ((done / width) % churnSets) * width, Math.min(width, cycles - done));
    for (const verb of ["ADD", "DEL"] as const) await callAll(scene, terway, verb, 4, pods);
    seen.push(await scene.daemonRssMiB());
    if ((done + width) % 1000 === 0 || done + width >= cycles) {
      perThousand.push(median(seen));
      seen = [];
    }
  }
  return perThousand;
}

function rotate<T>(values: readonly T[], by: number): T[] {
  return values.map((_, index) => values[(index + by) % values.length] as T); // index is in range by construction
}
