import { describeMachine } from "../machine.ts";
import { type AddOptions, callAll, churnSets, measureChurn, measureRenames, measureRounds, podsFrom, populate } from "./measure.ts";
import type { AddMode } from "./mode.ts";
import type { AddResult } from "./report.ts";
import { ratio, Samples, slopeOfSecondHalf, summarize } from "./samples.ts";
import { Scene } from "./scene.ts";

const fullOptions: AddOptions = {
  mode: "policy_route",
  callsPerRound: 20,
  rounds: 15,
  parallels: [1, 16, 100],
  fewPods: 10,
  manyPods: 1000,
  renames: 30,
  churnCycles: 10_000,
  churnWidth: 50,
};

/** An instance has few ENIs, and one that a pod had comes back and rests before the next pod gets it: fewer pods at a time. */
const exclusiveOptions: Partial<AddOptions> = {
  callsPerRound: 5,
  parallels: [1, 8],
  fewPods: 2,
  manyPods: 16,
  churnCycles: 1_000,
  churnWidth: 4,
};

/** Enough to see that everything runs and that the result has its form; its figures say nothing. */
const smokeOptions: AddOptions = {
  mode: "policy_route",
  callsPerRound: 3,
  rounds: 2,
  parallels: [1, 4],
  fewPods: 2,
  manyPods: 8,
  renames: 2,
  churnCycles: 50,
  churnWidth: 10,
};

export function optionsOf(mode: AddMode, smoke: boolean): AddOptions {
  if (smoke) return { ...smokeOptions, mode, ...(mode === "exclusive" ? { churnWidth: 4 } : {}) };
  return { ...fullOptions, mode, ...(mode === "exclusive" ? exclusiveOptions : {}) };
}

/** Measures everything and removes what it made, also when it fails. */
export async function runAdd(options: AddOptions, say: (line: string) => void): Promise<AddResult> {
  const widest = Math.max(options.callsPerRound, ...options.parallels);
  say("starting a machine of the lab, terwayd, the floor");
  // Enough that no call waits for an address that rests.
  const scene = await Scene.create(options.mode, options.manyPods + 3 * widest + 2 * churnSets * options.churnWidth);
  try {
    const rssMiBAtStart = await scene.daemonRssMiB();
    const samples = new Samples();
    await warmUp(scene, options);

    await populate(scene, 0, options.fewPods);
    for (const parallel of options.parallels) {
      say(`${options.rounds} rounds, ${parallel} at once, beside ${options.fewPods} pods`);
      const calls = parallel === 1 ? options.callsPerRound : parallel;
      await measureRounds(scene, samples, { parallel, calls, rounds: options.rounds, podsPresent: options.fewPods });
    }
    say(`${options.renames} times DEL and ADD of one name`);
    const rename = await measureRenames(scene, options.fewPods, options.renames);
    say(`${options.churnCycles} ADDs and DELs`);
    const rssMiBPerThousand = await measureChurn(scene, options.fewPods, options.churnCycles, options.churnWidth);
    say(`one at a time beside ${options.manyPods} pods`);
    await populate(scene, options.fewPods, options.manyPods);
    const many = { parallel: 1, calls: options.callsPerRound, rounds: options.rounds, podsPresent: options.manyPods };
    await measureRounds(scene, samples, many);

    const toFloor = (pods: number) => ratio(samples.of("terway", "ADD", 1, pods), samples.of("floor", "ADD", 1, pods)).p50;
    const [addRatioToFloorFew, addRatioToFloorMany] = [toFloor(options.fewPods), toFloor(options.manyPods)];
    return {
      bench: "add",
      version: 1,
      machine: describeMachine(),
      options,
      samples: samples.all(),
      summary: summarize(samples, options.parallels, options.fewPods),
      pods: {
        few: options.fewPods,
        many: options.manyPods,
        addRatioToFloorFew,
        addRatioToFloorMany,
        growth: addRatioToFloorMany / addRatioToFloorFew,
      },
      rename,
      daemon: {
        rssMiBAtStart,
        rssMiBAtEnd: await scene.daemonRssMiB(),
        churn: { cycles: options.churnCycles, rssMiBPerThousand, slopeMiBPerThousand: slopeOfSecondHalf(rssMiBPerThousand) },
      },
    };
  } finally {
    await scene.close();
  }
}

/** The first call of each makes what all pods share. */
async function warmUp(scene: Scene, options: AddOptions): Promise<void> {
  await scene.reserve(options.callsPerRound);
  for (const contender of scene.contenders) {
    const pods = podsFrom(scene, contender, 0, options.callsPerRound);
    for (const verb of ["ADD", "DEL"] as const) await callAll(scene, contender, verb, 1, pods);
  }
}
