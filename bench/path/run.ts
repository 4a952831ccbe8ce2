import type { PathMode } from "../add/mode.ts";
import { describeMachine, type Machine } from "../machine.ts";
import { median, ratioInterval } from "../statistics.ts";
import { type Kind, kinds, measurePairs, type PathSamples, type RoundOptions } from "./measure.ts";
import { type Family, PathScene } from "./scene.ts";

export interface PathOptions extends RoundOptions {
  readonly fewPods: number;
  readonly manyPods: number;
  /** Flags of terwayd, for example `--rule-form per_pod`. */
  readonly daemonArgs: readonly string[];
  /** Of the bench, where it is not the default. */
  readonly mode?: "fast" | PathMode;
}

export const fullOptions: PathOptions = {
  rounds: 10,
  ms: 150,
  streamRounds: 2,
  streamMs: 1000,
  kinds,
  fewPods: 10,
  manyPods: 1000,
  daemonArgs: [],
};

/** Enough to see that everything runs and that the result has its form; its figures say nothing. */
export const smokeOptions: PathOptions = {
  rounds: 1,
  ms: 50,
  streamRounds: 1,
  streamMs: 1000,
  kinds: ["rr", "crr", "udp", "stream1"],
  fewPods: 2,
  manyPods: 4,
  daemonArgs: [],
};

/** How the speed of one pair relates to that of another, of the same rounds. */
export interface PathRatio {
  readonly topology: string;
  readonly family: Family;
  readonly kind: Kind;
  readonly ours: { readonly pair: string; readonly podsPresent: number };
  readonly theirs: { readonly pair: string; readonly podsPresent: number };
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

export interface PathResult {
  readonly bench: "path";
  readonly version: 1;
  readonly machine: Machine;
  readonly options: PathOptions;
  readonly samples: readonly PathSamples[];
  readonly ratios: readonly PathRatio[];
}

/** Measures everything and removes what it made, also when it fails. */
export async function runPath(options: PathOptions, say: (line: string) => void): Promise<PathResult> {
  say("starting a VPC with two nodes of the product and two of the floor");
  const scene = await PathScene.create(options.manyPods + 8, options.daemonArgs);
  try {
    const samples: PathSamples[] = [];
    for (const pods of [options.fewPods, options.manyPods]) {
      await scene.fill(pods);
      say(`${options.rounds} rounds between nodes and on one node, ${pods} pods on each`);
      samples.push(...(await measurePairs(await scene.across(pods), { topology: "across nodes", podsPresent: pods }, options)));
      samples.push(...(await measurePairs(await scene.within(pods), { topology: "one node", podsPresent: pods }, options)));
    }
    return { bench: "path", version: 1, machine: describeMachine(), options, samples, ratios: ratiosOf(samples, options) };
  } finally {
    await scene.close();
  }
}

/** What the bench is for: pods beside host and floor in the same rounds, and many pods beside few, each relative to its own floor. */
export function ratiosOf(samples: readonly PathSamples[], options: PathOptions): PathRatio[] {
  const find = (topology: string, pair: string, family: Family, kind: Kind, podsPresent: number) =>
    samples.find(
      (set) =>
        set.topology === topology && set.pair === pair && set.family === family && set.kind === kind && set.podsPresent === podsPresent,
    );
  const ratios: PathRatio[] = [];
  for (const ours of samples) {
    const compare = (theirs: PathSamples | undefined) => {
      if (theirs !== undefined) ratios.push(comparison(ours, theirs));
    };
    const { family, kind, podsPresent } = ours;
    if (ours.topology === "across nodes" && ours.pair === "pods") {
      for (const other of ["floor", "forwarding", "host"]) compare(find("across nodes", other, family, kind, podsPresent));
    }
    // Host to host beside many pods and beside few: what pods' rules cost the node itself.
    if (podsPresent === options.manyPods && (ours.pair === "pods" || ours.pair === "host" || ours.pair === "node to pod"))
      compare(find(ours.topology, ours.pair, family, kind, options.fewPods));
  }
  return ratios;
}

/** One pair beside another, with the interval that the bootstrap gives. */
export function comparison(ours: PathSamples, theirs: PathSamples): PathRatio {
  const { topology, family, kind } = ours;
  const sides = {
    ours: { pair: ours.pair, podsPresent: ours.podsPresent },
    theirs: { pair: theirs.pair, podsPresent: theirs.podsPresent },
  };
  const [above, below] = [costless(ours), costless(theirs)];
  return { topology, family, kind, ...sides, ratio: median(above) / median(below), ...ratioInterval(above, below, 0.5) };
}

/** What is compared: of round trips and connections the inverse of the median time, which a busy neighbour on the machine moves least; of the rest the rate. */
function costless({ rate, p50Us }: PathSamples): number[] {
  return p50Us.length > 0 ? p50Us.map((us) => 1e6 / us) : rate;
}
