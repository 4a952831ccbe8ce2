import { describeMachine } from "../machine.ts";
import { FastScene } from "./fast-scene.ts";
import { measurePairs, type PathSamples } from "./measure.ts";
import { comparison, type PathOptions, type PathRatio, type PathResult } from "./run.ts";

/** Enough pairs of rounds for an interval of a few per cent. */
export const fastOptions: PathOptions = {
  rounds: 12,
  ms: 120,
  streamRounds: 2,
  streamMs: 1000,
  kinds: ["rr", "crr", "stream1"],
  fewPods: 10,
  manyPods: 1000,
  daemonArgs: [],
  mode: "fast",
};

/** Enough to see that everything runs. */
export const fastSmokeOptions: PathOptions = { ...fastOptions, rounds: 1, ms: 50, streamRounds: 1, fewPods: 2, manyPods: 4 };

const withServices = "across nodes, 1,000 Services";

/** Measures the fast path with NetworkPolicy beside its floor, plain forwarding and the nodes themselves. */
export async function runFast(options: PathOptions, say: (line: string) => void): Promise<PathResult> {
  say("starting a VPC with two nodes of the fast path, two without it and two of the floor");
  const scene = await FastScene.create(options.manyPods + 8);
  try {
    const samples: PathSamples[] = [];
    const measure = async (topology: string, podsPresent: number) => {
      const pairs = topology === "one node" ? await scene.within(podsPresent) : await scene.across(podsPresent);
      say(`${options.rounds} rounds ${topology}, ${podsPresent} pods on each node`);
      samples.push(...(await measurePairs(pairs, { topology, podsPresent }, options)));
    };
    await scene.fill(options.fewPods);
    say(await scene.proof());
    await measure("across nodes", options.fewPods);
    await measure("one node", options.fewPods);
    await scene.fill(options.manyPods);
    await measure("across nodes", options.manyPods);
    await scene.addServices();
    await measure(withServices, options.manyPods);
    return { bench: "path", version: 1, machine: describeMachine(), options, samples, ratios: fastRatios(samples, options) };
  } finally {
    await scene.close();
  }
}

/** The fast path beside each of the others of the same rounds, and beside itself with few pods. */
export function fastRatios(samples: readonly PathSamples[], options: PathOptions): PathRatio[] {
  const ratios: PathRatio[] = [];
  for (const ours of samples.filter(({ pair }) => pair === "fast")) {
    const like = (pair: string, podsPresent = ours.podsPresent) =>
      samples.find(
        (set) =>
          set.pair === pair &&
          set.podsPresent === podsPresent &&
          set.topology === ours.topology &&
          set.family === ours.family &&
          set.kind === ours.kind,
      );
    const others = ["floor", "plain", "host"].map((pair) => like(pair));
    if (ours.topology === "across nodes" && ours.podsPresent === options.manyPods) others.push(like("fast", options.fewPods));
    ratios.push(...others.flatMap((theirs) => (theirs === undefined ? [] : [comparison(ours, theirs)])));
  }
  return ratios;
}
